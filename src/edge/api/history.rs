//! Read a channel's history, or forget it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Api,
    method::{Outcome, nothing, read, written},
    presence::channel,
    words::{Person, Since, Written},
};
use crate::{
    ids::Channel,
    protocol::{Position, Publication, Tags},
};

/// Asks for a page of a channel's history. No limit but the caller's applies.
#[derive(Clone, PartialEq, Debug)]
pub struct History {
    pub channel: Channel,
    /// 0: only the top position. -1: everything. Else at most so many.
    pub limit: i32,
    /// Publications after it, or with `reverse` before it; an unknown epoch means the present one.
    pub since: Option<Position>,
    pub reverse: bool,
}

/// `b64data` stands in place of `data` for what is not JSON.
#[derive(Serialize)]
struct WrittenPublication<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b64data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Person<'a>>,
    offset: u64,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: &'a Tags,
}

pub(super) async fn history(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        channel: String,
        limit: Option<i32>,
        since: Option<Since>,
        reverse: Option<bool>,
    }
    #[derive(Serialize)]
    struct Page<'a> {
        publications: Vec<WrittenPublication<'a>>,
        epoch: &'a str,
        offset: u64,
    }
    let asked: Asked = read(body)?;
    let request = History {
        channel: api.channel(&asked.channel)?,
        limit: asked.limit.unwrap_or_default(),
        since: asked.since.map(Position::from),
        reverse: asked.reverse.unwrap_or_default(),
    };
    let page = api.backend.history(request).await?;
    written(Page {
        publications: page.publications.iter().map(|publication| (&**publication).into()).collect(),
        epoch: page.epoch.as_str(),
        offset: page.offset,
    })
}

pub(super) async fn history_remove(api: &Api, body: &str) -> Outcome {
    api.backend.history_remove(channel(api, body)?).await?;
    nothing()
}

impl<'a> From<&'a Publication> for WrittenPublication<'a> {
    fn from(publication: &'a Publication) -> Self {
        let data = Written::new(&publication.data);
        Self {
            data: data.json(),
            b64data: data.base64().map(str::to_string),
            info: publication.info.as_deref().map(Person::from),
            offset: publication.offset,
            tags: &publication.tags,
        }
    }
}
