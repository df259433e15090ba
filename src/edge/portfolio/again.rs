//! Answers of a `POST` as they are kept with its key, for who sends it again: byte for byte, whatever happened since.

use actix_web::{HttpResponse, http::header::LOCATION};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::answer;
use crate::domain::portfolio::Refusal;

/// An answer, written down.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// Where that is which was created; none if nothing was.
    location: Option<String>,
    body: Box<RawValue>,
}

impl Kept {
    /// Says that something was created, and where it is.
    pub fn created(location: String, body: &impl Serialize) -> Result<Self, Refusal> {
        Ok(Self { location: Some(location), ..Self::done(body)? })
    }

    /// Says what was done.
    pub fn done(body: &impl Serialize) -> Result<Self, Refusal> {
        let failed = |why: serde_json::Error| {
            Refusal::Unavailable(format!("an answer could not be written: {why}"))
        };
        Ok(Self { location: None, body: to_raw_value(body).map_err(failed)? })
    }

    pub fn send(self) -> HttpResponse {
        match self.location {
            Some(location) => answer::created().insert_header((LOCATION, location)).json(self.body),
            None => answer::ok().json(self.body),
        }
    }
}
