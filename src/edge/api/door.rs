//! The API's door: who is asking, the body within its limits, and the answer in HTTP.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header::AUTHORIZATION, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Api, batch,
    method::{Failure, METHODS, Outcome, call},
    words::WrittenRefusal,
};
use crate::{edge::error, protocol::Refusal};

/// A request whose body is not there by then is answered 408.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const KEY_HEADER: &str = "x-api-key";
const ERROR_MODE_HEADER: &str = "x-centrifugo-error-mode";

/// Adds the API's routes to an `App`: one resource a method, so that each is counted apart.
pub fn routes(app: &mut web::ServiceConfig, api: Arc<Api>) {
    for method in METHODS.iter().copied().chain([batch::NAME]) {
        let api = api.clone();
        let answer = move |request: HttpRequest, body: web::Payload| {
            let api = api.clone();
            async move { serve(&api, method, request, body).await }
        };
        app.service(web::resource(format!("/api/{method}")).route(web::post().to(answer)));
    }
}

async fn serve(api: &Api, method: &str, request: HttpRequest, body: web::Payload) -> HttpResponse {
    // Before the body is read: a stranger can't make the node take megabytes.
    if !may_ask(api, &request) {
        api.metrics.refused_total.code(Refusal::UNAUTHORIZED.code).inc();
        return HttpResponse::Unauthorized().body(
            "expected an API key: X-API-Key: KEY, Authorization: apikey KEY or ?api_key=KEY\n",
        );
    }
    let read = tokio::time::timeout(BODY_DEADLINE, body.to_bytes_limited(api.options.body_limit));
    let bytes = match read.await {
        Ok(Ok(Ok(bytes))) => bytes,
        Ok(Ok(Err(_))) => return HttpResponse::BadRequest().body("the body could not be read\n"),
        Ok(Err(_)) => {
            let limit = api.options.body_limit;
            return HttpResponse::PayloadTooLarge()
                .body(format!("a request has at most {limit} bytes\n"));
        }
        Err(_) => return HttpResponse::RequestTimeout().body("the body did not come in time\n"),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return HttpResponse::BadRequest().body("expected JSON in UTF-8\n");
    };
    let text = if text.trim().is_empty() { "{}" } else { text };
    let by_status = api.options.transport_errors || asks_for_statuses(&request);
    match method {
        batch::NAME => answer(batch::batch(api, text).await, by_status, false),
        _ => answer(call(api, method, text).await, by_status, true),
    }
}

fn may_ask(api: &Api, request: &HttpRequest) -> bool {
    #[derive(Deserialize)]
    struct Asked {
        api_key: Option<String>,
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let authorization = || {
        let (scheme, key) = header(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("apikey").then(|| key.trim().to_string())
    };
    let query =
        || web::Query::<Asked>::from_query(request.query_string()).ok()?.into_inner().api_key;
    let key = header(KEY_HEADER).map(str::to_string).or_else(authorization).or_else(query);
    api.options.keys.admit(key.as_deref())
}

fn asks_for_statuses(request: &HttpRequest) -> bool {
    request.headers().get(ERROR_MODE_HEADER).is_some_and(|mode| mode == "transport")
}

/// A result goes into `{"result": ..}`, unless it is whole already.
fn answer(outcome: Outcome, by_status: bool, wrapped: bool) -> HttpResponse {
    #[derive(Serialize)]
    struct Wrapped {
        result: Box<RawValue>,
    }
    #[derive(Serialize)]
    struct Refused<'a> {
        error: WrittenRefusal<'a>,
    }
    match outcome {
        Ok(result) if wrapped => HttpResponse::Ok().json(Wrapped { result }),
        Ok(whole) => HttpResponse::Ok().json(whole),
        Err(Failure::Malformed(expected)) => {
            HttpResponse::build(StatusCode::BAD_REQUEST).body(format!("{expected}\n"))
        }
        Err(Failure::Refused(refusal)) if by_status => {
            HttpResponse::build(error::status(&refusal)).json(WrittenRefusal::from(&refusal))
        }
        Err(Failure::Refused(refusal)) => {
            HttpResponse::Ok().json(Refused { error: (&refusal).into() })
        }
    }
}
