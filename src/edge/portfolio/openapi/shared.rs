//! What many calls share in the document: headers, and how they refuse.

use super::super::problem::Written;

/// The key of a `POST`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the body is read with it")]
pub(in super::super) struct Again {
    /// 1 to 255 printable ASCII characters. What comes again with its key within 24 hours is answered as it was, and done once.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, nullable = false)]
    key: Option<String>,
}

/// The tag of an answer that is there already.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the answer is sent by it")]
pub(in super::super) struct Had {
    /// The `ETag` of the answer that you keep: 304 if it still holds.
    #[param(rename = "If-None-Match", nullable = false)]
    tag: Option<String>,
}

/// It still holds.
#[derive(utoipa::IntoResponses)]
#[response(
    status = 304,
    description = "The answer that you keep still holds.",
    headers(("ETag" = String))
)]
pub(in super::super) struct Unchanged;

/// Why there is no answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a problem is sent without it")]
pub(in super::super) enum Refused {
    #[response(
        status = "4XX",
        description = "It is not taken: `detail` says what was expected, what came and what to do.",
        content_type = "application/problem+json"
    )]
    Request(Written<'static>),
    #[response(
        status = 500,
        description = "The answer could not be made; that is a fault of the node.",
        content_type = "application/problem+json"
    )]
    Fault(Written<'static>),
    #[response(
        status = 503,
        description = "The database does not answer. `temporarily_unavailable`: nothing was changed; `outcome_unknown`: look, \
                       or repeat it with the same key.",
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds."))
    )]
    Away(Written<'static>),
}
