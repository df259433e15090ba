//! Refusals as HTTP statuses, for API callers that ask for them.

use actix_web::http::StatusCode;

use crate::protocol::Refusal;

/// The status of a refusal: whose fault it is, and whether to try again.
pub fn status(refusal: &Refusal) -> StatusCode {
    match refusal.code {
        100 => StatusCode::INTERNAL_SERVER_ERROR,
        101 => StatusCode::UNAUTHORIZED,
        102 | 104 => StatusCode::NOT_FOUND,
        103 => StatusCode::FORBIDDEN,
        111 => StatusCode::TOO_MANY_REQUESTS,
        112 => StatusCode::RANGE_NOT_SATISFIABLE,
        113 => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}
