//! Several calls in one request, one after the other or together; answered in their order.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Api,
    method::{Failure, Outcome, call, read, written},
    words::WrittenRefusal,
};
use crate::protocol::Refusal;

/// Its name among the methods.
pub(super) const NAME: &str = "batch";
/// Calls of a parallel batch that are under way together.
const UNDER_WAY: usize = 16;

#[derive(Deserialize)]
struct Asked<'a> {
    /// Each an object with one field, named like its method.
    #[serde(borrow, default)]
    commands: Vec<BTreeMap<String, &'a RawValue>>,
    parallel: Option<bool>,
}

#[derive(Serialize)]
struct Replies {
    replies: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// The whole answer: a batch has no `result` around it.
pub(super) async fn batch(api: &Api, body: &str) -> Outcome {
    let asked: Asked = read(body)?;
    let together = if asked.parallel.unwrap_or_default() { UNDER_WAY } else { 1 };
    let calls = asked.commands.iter().map(|command| one(api, command));
    let replies: Vec<_> = stream::iter(calls).buffered(together).collect().await;
    written(Replies { replies: replies.into_iter().collect::<Result<_, _>>()? })
}

async fn one(
    api: &Api,
    command: &BTreeMap<String, &RawValue>,
) -> Result<BTreeMap<String, Box<RawValue>>, Failure> {
    let (name, outcome) = match command.iter().next() {
        Some((method, body)) if command.len() == 1 => {
            (method.clone(), call(api, method, body.get()).await)
        }
        _ => (
            String::new(),
            Err(Refusal::BAD_REQUEST.because("expected one method a command").into()),
        ),
    };
    let refused = match outcome {
        Ok(result) => return Ok([(name, result)].into()),
        Err(Failure::Refused(refusal)) => refusal,
        Err(Failure::Malformed(expected)) => Refusal::BAD_REQUEST.because(expected),
    };
    Ok([("error".to_string(), written(WrittenRefusal::from(&refused))?)].into())
}
