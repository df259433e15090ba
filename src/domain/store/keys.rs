//! Idempotency keys: a request that comes again is answered as it was, and done once.

use diesel::{QueryableByName, sql_types::Text};
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    Answer, Store,
    query::Query,
    session::{Fault, Session},
    transact::{Purpose, Whose},
};
use crate::{
    domain::{moment::Moment, portfolio::Refusal},
    ids::UserId,
};

/// How long a key is known, in microseconds: 24 hours.
const KNOWN: i64 = 24 * 60 * 60 * 1_000_000;

/// What tells a request that comes again from another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    key: String,
    /// Digest of the request.
    request: String,
}

impl Key {
    /// The key of a request, and what that request is: the same bytes when it comes again.
    pub fn of(key: &str, request: &[u8]) -> Result<Self, Refusal> {
        if key.is_empty() || key.len() > 255 || key.bytes().any(|byte| !byte.is_ascii_graphic()) {
            let came = format!("{} bytes", key.len());
            return Err(Refusal::invalid(
                "Idempotency-Key",
                "1 to 255 printable ASCII characters",
                came,
            ));
        }
        let request = Sha256::digest(request).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key: key.to_owned(), request })
    }
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Text)]
    request: String,
    #[diesel(sql_type = Text)]
    answer: String,
}

pub(super) const OVER: &str = "\
delete from idempotency_keys where created_at <= (select max(created_at) from \
(select created_at from idempotency_keys where created_at < $1 order by created_at limit $2) as oldest)";

impl Store {
    /// Forgets keys that don't count any more, the oldest first, so many or a few more; how many. Their people may never come
    /// back.
    pub async fn forget_keys(&self, now: Moment, most: usize) -> Result<usize, Refusal> {
        let over = Query::new(OVER).bind(counting_from(now)).bind(most);
        let forgotten = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move { Ok(session.change(over).await?) })
        });
        forgotten.await.map(|stored| stored.value)
    }

    /// The same as `write`; with a key that is known, the answer of then.
    pub(super) async fn write_once<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        user: &UserId,
        key: Option<Key>,
        now: Moment,
        work: impl for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>> + Send + 'static,
    ) -> Answer<T> {
        let Some(key) = key else { return self.write(user, work).await };
        let owner = user.clone();
        self.write(user, move |session| Box::pin(once(session, owner, key, now, work))).await
    }
}

async fn once<T: Serialize + DeserializeOwned>(
    session: &mut Session,
    owner: UserId,
    Key { key, request }: Key,
    now: Moment,
    work: impl for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>>,
) -> Result<T, Fault> {
    // What is too old does not count any more, also if its owner never came back meanwhile.
    let over = "delete from idempotency_keys where owner = $1 and created_at < $2";
    session.change(Query::new(over).bind(&owner).bind(counting_from(now))).await?;
    let known = "select request, answer from idempotency_keys where owner = $1 and key = $2";
    let known = Query::new(known).bind(&owner).bind(&*key);
    if let Some(Known { request: before, answer }) = session.row(known).await? {
        return match before == request {
            true => serde_json::from_str(&answer).map_err(unreadable),
            false => Err(Refusal::KeyReused.into()),
        };
    }
    let value = work(session).await?;
    let answer = serde_json::to_string(&value).map_err(unreadable)?;
    let keep = Query::new(
        "insert into idempotency_keys (owner, key, request, answer, created_at) values ",
    )
    .rows([[(&owner).into(), key.into(), request.into(), answer.into(), now.into()]]);
    session.change(keep).await?;
    Ok(value)
}

/// Keys from before that don't count any more.
fn counting_from(now: Moment) -> Moment {
    Moment::from_micros(now.micros().saturating_sub(KNOWN))
}

fn unreadable(why: serde_json::Error) -> Fault {
    Fault::Refused(Refusal::Unavailable(format!(
        "the answer of a key can't be kept or read: {why}"
    )))
}
