//! Refusals as people's programs read them: `application/problem+json` (RFC 9457) with a stable code.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::{Serialize, Serializer};

use crate::domain::portfolio::Refusal;

/// Why a call has no answer.
#[derive(Debug)]
pub(in crate::edge) struct Problem {
    status: StatusCode,
    code: &'static str,
    /// What was expected, what came, what to do.
    detail: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct Written<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    code: &'static str,
    detail: &'a str,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    /// Something that can't be.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer is missing")
    }

    /// As it is sent.
    pub(super) fn written(&self) -> Written<'_> {
        Written {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
        }
    }

    /// A field of a query or a path.
    pub fn invalid(field: &str, expected: &str, came: &str) -> Self {
        let came: String = came.chars().take(64).collect();
        Refusal::invalid(field, expected, format!("{came:?}")).into()
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(to)
    }
}

impl Problem {
    /// What stands behind the question mark can't be read.
    pub fn query(wrong: &actix_web::error::QueryPayloadError) -> Self {
        let said: String = wrong.to_string().chars().take(300).collect();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", format!("the query: {said}"))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        if let Refusal::Unavailable(why) | Refusal::Unknown(why) = &refusal {
            log::warn!("the store refused ({}): {why}", refusal.code());
        }
        if let Refusal::Damaged(what) = &refusal {
            log::error!("a row of somebody's can't be read: {what}");
        }
        let status = StatusCode::from_u16(refusal.status());
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: refusal.code(),
            detail: refusal.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        match self.status {
            StatusCode::UNAUTHORIZED => {
                answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                answer.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        answer
            .insert_header((header::CACHE_CONTROL, super::answer::PRIVATE))
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .json(self.written())
    }
}
