//! Close a user's connections, or change how long they live.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    Api,
    method::{Failure, Outcome, nothing, read},
    words::payload,
};
use crate::{
    ids::{ClientId, UserId},
    protocol::{Close, Payload, Refusal},
};

/// A close frame has room for so many bytes of reason.
const REASON_LIMIT: usize = 123;
/// The close codes that may be chosen: ours and an application's.
const CODES: std::ops::RangeInclusive<u16> = 3000..=4999;

/// A user's connections: all, or one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whose {
    pub user: UserId,
    /// Only this one, and only if it is the user's.
    pub client: Option<ClientId>,
}

/// Connections are to be closed.
#[derive(Clone, PartialEq, Debug)]
pub struct Disconnect {
    pub whose: Whose,
    pub close: Close,
    /// These stay.
    pub spared: Vec<ClientId>,
}

/// Connections get another lifetime.
#[derive(Clone, PartialEq, Debug)]
pub struct Refresh {
    pub whose: Whose,
    /// They are over now.
    pub expired: bool,
    /// Unix seconds; none: they never expire.
    pub expire_at: Option<i64>,
    /// New info of the connections; none: the old one stays.
    pub info: Option<Payload>,
}

pub(super) async fn disconnect(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        disconnect: Option<WrittenClose>,
        whitelist: Option<Vec<String>>,
    }
    let asked: Asked = read(body)?;
    let spared = asked.whitelist.unwrap_or_default();
    let request = Disconnect {
        whose: Whose::read(body)?,
        close: asked.disconnect.map_or(Ok(Close::FORCE_DISCONNECT), WrittenClose::checked)?,
        spared: spared.iter().map(|id| client(id)).collect::<Result<_, _>>()?,
    };
    api.backend.disconnect(request).await?;
    nothing()
}

pub(super) async fn refresh(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        expired: Option<bool>,
        expire_at: Option<i64>,
        info: Option<Box<RawValue>>,
    }
    let asked: Asked = read(body)?;
    let request = Refresh {
        whose: Whose::read(body)?,
        expired: asked.expired.unwrap_or_default(),
        expire_at: asked.expire_at.filter(|at| *at != 0),
        info: asked.info.map(|info| payload(Some(info), None)).transpose()?,
    };
    api.backend.refresh(request).await?;
    nothing()
}

#[derive(Deserialize)]
struct WrittenClose {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    reason: String,
}

impl WrittenClose {
    fn checked(self) -> Result<Close, Failure> {
        let bad = |expected: &str| Err(Refusal::BAD_REQUEST.because(expected).into());
        if self.code == 0 {
            return Ok(Close::FORCE_DISCONNECT);
        }
        if !CODES.contains(&self.code) {
            return bad("expected a code from 3000 to 4999 in disconnect");
        }
        if self.reason.len() > REASON_LIMIT {
            return bad("expected a reason of at most 123 bytes in disconnect");
        }
        if serde_json::from_str::<IgnoredAny>(&self.reason).is_ok() {
            return bad(
                "expected a reason that is not JSON in disconnect: SDKs would read it as an old form",
            );
        }
        Ok(Close { code: self.code, reason: self.reason.into() })
    }
}

impl Whose {
    /// `session` names connections of transports that are not served, so it finds nobody.
    pub(super) fn read(body: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(default)]
        #[derive(Default)]
        struct Written {
            user: String,
            client: Option<String>,
            session: Option<String>,
        }
        let written: Written = read(body)?;
        if written.session.is_some_and(|session| !session.is_empty()) {
            let detail = "session: sessions of emulated transports are not served, name a client";
            return Err(Refusal::NOT_AVAILABLE.because(detail).into());
        }
        let one = written.client.filter(|id| !id.is_empty());
        Ok(Self {
            user: UserId::new(&written.user),
            client: one.map(|id| client(&id)).transpose()?,
        })
    }
}

fn client(id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(id)
        .ok_or_else(|| Refusal::BAD_REQUEST.because("expected a UUID as client").into())
}
