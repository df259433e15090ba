//! A request's body, within its limits, and what it says.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev, http::StatusCode, web};
use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment, Track};

use super::{Desk, problem::Problem};
use crate::domain::{
    portfolio::{Object, Refusal},
    store::Key,
};

/// A body that is not there by then is answered 408.
const DEADLINE: Duration = Duration::from_secs(10);

/// Characters of what a reader says about a text, at most: it may repeat some of that.
const SAID: usize = 300;

/// A body, and the key that makes a retry of it happen once.
pub(super) struct Body {
    pub bytes: Bytes,
    pub key: Option<Key>,
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) =
            (request.clone(), web::Payload::from_request(&request.clone(), payload));
        Box::pin(async move {
            let broken = |_| {
                Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "the body could not be read")
            };
            let payload = payload.await.map_err(broken)?;
            read(&request, payload).await
        })
    }
}

async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Body, Problem> {
    let limit = request.app_data::<web::Data<Desk>>().map_or(0, |desk| desk.body_limit);
    let unreadable =
        || Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "the body could not be read");
    let bytes = match tokio::time::timeout(DEADLINE, payload.to_bytes_limited(limit)).await {
        Ok(Ok(Ok(bytes))) => bytes,
        Ok(Ok(Err(_))) => return Err(unreadable()),
        Ok(Err(_)) => {
            let detail = format!("expected a body of at most {limit} bytes; send it in parts");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
        }
        Err(_) => {
            let late = "the body did not come in 10 s";
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_late", late));
        }
    };
    let key = request.headers().get("idempotency-key").map(|key| {
        let key = key.to_str().unwrap_or_default();
        let what = format!("{} {}\n", request.method(), request.uri());
        Key::of(key, &[what.as_bytes(), &bytes].concat())
    });
    Ok(Body { bytes, key: key.transpose()? })
}

/// Reads an object; what is wrong is said with its place.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    read_json::<Object<T>>(bytes, "").map(|object| object.0)
}

/// Reads a list of objects; `name` is what places in it begin with.
pub(super) fn list<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<Vec<T>, Problem> {
    let list = read_json::<Vec<Object<T>>>(bytes, name)?;
    Ok(list.into_iter().map(|object| object.0).collect())
}

/// Reads what is to change. `null` takes away what may be missing, which are the fields `clears`, and says nothing of others.
pub(super) fn change<T: DeserializeOwned>(bytes: &[u8], clears: &[&str]) -> Result<T, Problem> {
    let change = json(bytes)?;
    let fields: BTreeMap<String, Option<IgnoredAny>> = json(bytes)?;
    let says = |(name, value): &(&String, &Option<IgnoredAny>)| {
        value.is_some() || clears.contains(&name.as_str())
    };
    match fields.iter().find(|field| !says(field)) {
        None => Ok(change),
        Some((name, _)) => {
            let expected = "a value; leave it out to keep what is there";
            Err(Refusal::invalid(name, expected, "null").into())
        }
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let read = T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let read = read.and_then(|read| json.end().map(|()| read));
    read.map_err(|wrong| {
        let field = |said: &str| {
            let detail = format!("{}: {said}", place(name, &track.path()));
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail)
        };
        match wrong.classify() {
            Category::Data => field(&said(&wrong)),
            // serde_json takes it for no JSON if something else than a text stands in the place of a word.
            _ if said(&wrong) == "expected value"
                && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() =>
            {
                field("expected a text, one of the words that /openapi.json has for it")
            }
            _ => {
                let detail = format!("expected JSON: {}", cut(&wrong.to_string()));
                Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
            }
        }
    })
}

/// Where in a body something is, as in `transactions[3].quantity`.
fn place(name: &str, path: &Path) -> String {
    let mut place = name.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => place += &format!("[{index}]"),
            Segment::Map { key } if place.is_empty() => place += key,
            Segment::Map { key } => place += &format!(".{key}"),
            // Which word it was is said behind the place.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if path.iter().next().is_none() { "the body".into() } else { cut(&place) }
}

/// What is wrong, without line and column: who wrote fields knows their places and not these.
fn said(wrong: &serde_json::Error) -> String {
    let said = wrong.to_string();
    let at = format!(" at line {} column {}", wrong.line(), wrong.column());
    cut(said.strip_suffix(&at).unwrap_or(&said))
}

fn cut(text: &str) -> String {
    text.chars().take(SAID).collect()
}

/// The id in a path. What is none names nothing.
pub(super) fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| Refusal::NotFound { what }.into())
}
