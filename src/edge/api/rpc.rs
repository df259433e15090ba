//! Calls of the application's own methods: none can be configured yet.

use serde::Deserialize;

use super::method::{Outcome, read};
use crate::protocol::Refusal;

pub(super) fn rpc(body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        method: String,
    }
    let asked: Asked = read(body)?;
    match asked.method.as_str() {
        "" => Err(Refusal::BAD_REQUEST.because("expected a method").into()),
        _ => Err(Refusal::NOT_AVAILABLE.because("no RPC methods are configured").into()),
    }
}
