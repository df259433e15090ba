//! Turning pages: `?limit=50&cursor=...`, and `next_cursor` in the answer.
//!
//! A cursor names the last entry of its page, so that what is added or deleted meanwhile moves nothing. It shows nothing that
//! its reader did not see, and opens nothing: whose list it is says the token.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    answer::Outage,
    problem::{Problem, Written},
};
use crate::domain::store::Page;

/// Entries of a page, unless told otherwise, and at most.
const USUAL: usize = 50;
const MOST: usize = 200;

/// The query of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Turn {
    /// Entries of a page, 1 to 200; 50 unless told otherwise.
    #[param(value_type = Option<u32>)]
    pub(super) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// A page of a list, and where it goes on.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Page)]
pub(super) struct Turned<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    /// The generation of the person's data that it shows.
    pub generation: i64,
    /// Of the prices that were applied, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_version: Option<i64>,
    /// Entries that can't be computed, by id, and why not. They are not among the items.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Written>)]
    pub problems: BTreeMap<String, Problem>,
    #[serde(flatten)]
    pub outage: Option<Outage>,
}

impl Turn {
    /// What is asked of the list `name`.
    pub fn page<K: DeserializeOwned>(&self, name: &str) -> Result<Page<K>, Problem> {
        let limit = self.limit.as_deref().map_or(Some(USUAL), |limit| limit.parse().ok());
        let Some(limit) = limit.filter(|limit| (1..=MOST).contains(limit)) else {
            let came = self.limit.as_deref().unwrap_or_default();
            return Err(Problem::invalid("limit", "a number from 1 to 200", came));
        };
        let read = |cursor: &str| {
            let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (of, key): (String, K) = serde_json::from_slice(&json).ok()?;
            // Such a text can't be asked of every database, and none of ours has it.
            let is_sound = !json.windows(6).any(|six| six == b"\\u0000");
            (of == name && is_sound).then_some(key)
        };
        let after = match self.cursor.as_deref() {
            None | Some("") => None,
            Some(cursor) => {
                let expected = "a next_cursor of this list, or none for its beginning";
                Some(read(cursor).ok_or_else(|| Problem::invalid("cursor", expected, cursor))?)
            }
        };
        Ok(Page { after, limit })
    }
}

/// One entry more than the page has, to see whether there are more.
pub(super) fn one_more<K: Clone>(page: &Page<K>) -> Page<K> {
    Page { after: page.after.clone(), limit: page.limit + 1 }
}

/// The entries behind a page's beginning, one more than it has, out of a list of which the first `most` are known; none if
/// it goes on behind these.
pub(super) fn among<'a, T, K: PartialOrd>(
    known: &'a [T],
    most: usize,
    page: &Page<K>,
    key: impl Fn(&T) -> K,
) -> Option<&'a [T]> {
    let begin =
        page.after.as_ref().map_or(0, |after| known.partition_point(|one| key(one) <= *after));
    let behind = &known[begin..];
    let is_all = known.len() < most;
    (is_all || behind.len() > page.limit).then(|| &behind[..behind.len().min(page.limit + 1)])
}

/// The page out of what was read for it, which may be more.
pub(super) fn turned<T, K: Serialize>(
    name: &str,
    mut items: Vec<T>,
    limit: usize,
    generation: i64,
    key: impl Fn(&T) -> K,
) -> Turned<T> {
    let next_cursor = cut(name, &mut items, limit, key);
    let problems = BTreeMap::new();
    Turned { items, next_cursor, generation, price_version: None, problems, outage: None }
}

/// Cuts off what was read beyond a page; the cursor behind its last entry, if there was more.
pub(super) fn cut<T, K: Serialize>(
    name: &str,
    items: &mut Vec<T>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more).map(|last| (name, key(last)));
    let json = last.and_then(|last| serde_json::to_vec(&last).ok())?;
    Some(URL_SAFE_NO_PAD.encode(json))
}
