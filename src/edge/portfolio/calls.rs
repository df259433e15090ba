//! Where calls are found. A path or a method that is none is refused like all else.

use actix_web::{
    HttpResponse, Resource, ResponseError, Route, guard,
    http::{StatusCode, header},
    web,
};
use serde::Deserialize;

use super::problem::Problem;

/// The query of a call that has no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A path, and its `methods` as `Allow` has them.
pub(super) fn resource(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || async move { wrong_method(methods) }))
}

/// Also `HEAD`, whose answer goes out without its body.
pub(super) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// All that is not found, to be added behind everything else.
pub(super) fn nothing(app: &mut web::ServiceConfig) {
    app.service(web::resource(vec!["/v1", "/v1/{path:.*}"]).to(no_path));
}

async fn no_path() -> Result<HttpResponse, Problem> {
    let detail = "there is no such path; /openapi.json has all that there are";
    Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail))
}

fn wrong_method(methods: &'static str) -> HttpResponse {
    let detail = format!("expected one of {methods}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    let mut answer = problem.error_response();
    answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
    answer
}
