//! Who is not let in: blocked users, revoked tokens.

use serde::Deserialize;

use super::{
    Api,
    method::{Failure, Outcome, nothing, read},
};
use crate::{
    protocol::Refusal,
    realtime::barred::{Bar, Whom},
};

pub(super) async fn block_user(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        user: String,
        expire_at: Option<i64>,
    }
    let asked: Asked = read(body)?;
    bar(api, Whom::User(name(asked.user, "user")?), asked.expire_at).await
}

pub(super) async fn unblock_user(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        user: String,
    }
    let asked: Asked = read(body)?;
    api.backend.allow(name(asked.user, "user")?).await?;
    nothing()
}

pub(super) async fn revoke_token(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        uid: String,
        expire_at: Option<i64>,
    }
    let asked: Asked = read(body)?;
    bar(api, Whom::Token(name(asked.uid, "uid (the token's jti)")?), asked.expire_at).await
}

pub(super) async fn invalidate_user_tokens(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        user: String,
        #[serde(default)]
        issued_before: i64,
        expire_at: Option<i64>,
    }
    let asked: Asked = read(body)?;
    if asked.issued_before <= 0 {
        let expected = "expected issued_before in Unix seconds";
        return Err(Refusal::BAD_REQUEST.because(expected).into());
    }
    let user = name(asked.user, "user")?;
    let whom = Whom::TokensBefore { user, before: asked.issued_before };
    bar(api, whom, asked.expire_at).await
}

async fn bar(api: &Api, whom: Whom, expire_at: Option<i64>) -> Outcome {
    let until = expire_at.filter(|at| *at != 0);
    api.backend.bar(Bar { whom, until }).await?;
    nothing()
}

/// Something to bar: a text that every database has a place for.
fn name(text: String, what: &str) -> Result<String, Failure> {
    match text.is_empty() || text.contains('\0') {
        true => Err(Refusal::BAD_REQUEST.because(format_args!("expected {what}")).into()),
        false => Ok(text),
    }
}
