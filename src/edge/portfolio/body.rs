//! A request's body, within its limits, and what it says.

use std::{str::FromStr, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev, http::StatusCode, web};
use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{Desk, problem::Problem};
use crate::domain::{portfolio::Refusal, store::Key};

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

/// Reads JSON; what is wrong is said with its place.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|wrong| {
        let said: String = wrong.to_string().chars().take(SAID).collect();
        match wrong.classify() {
            Category::Data => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_field",
                format!("the body: {said}"),
            ),
            _ => Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_body",
                format!("expected JSON: {said}"),
            ),
        }
    })
}

/// The id in a path. What is none names nothing.
pub(super) fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| Refusal::NotFound { what }.into())
}
