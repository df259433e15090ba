//! One transaction: begun, done, and either committed whole or gone.

use diesel::{QueryableByName, sql_types::BigInt};
use futures_util::future::BoxFuture;

use super::{
    query::Query,
    session::{Fault, Session},
};
use crate::{
    domain::{moment::Moment, portfolio::Refusal},
    ids::UserId,
};

/// A result and the generation of the person's data that it belongs to, read in the same snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored<T> {
    /// Raised by each write of this person's data, to microseconds since 1970 or further; 0 before the first.
    pub generation: i64,
    pub value: T,
}

impl<T> Stored<T> {
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Stored<U> {
        Stored { generation: self.generation, value: map(self.value) }
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Asks one question, which is a snapshot by itself.
    Ask,
    /// Reads one snapshot.
    Read,
    /// Writes, and is the only one that writes this person's data meanwhile.
    Write,
}

/// Whose data a transaction is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    /// This person's, whose generation is read, or raised by a write.
    One(UserId),
    /// What follows from what these people said: to write it raises no generation.
    Following(Vec<UserId>),
    /// Nobody's in particular, which a write may change for everybody.
    Anybody,
}

/// What is done in a transaction.
pub(super) type Work<T> =
    Box<dyn for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>> + Send>;

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nothing was changed, and the connection is as good as before.
    Refused(Refusal),
    /// The connection is not to be used any more. Nothing was changed.
    Broken(String),
    /// The same, but the commit was under way: nobody knows.
    Unknown(String),
}

impl Ended {
    /// Its end was not heard of.
    pub fn unheard(purpose: Purpose, why: &str) -> Self {
        match purpose {
            Purpose::Ask | Purpose::Read => Self::Broken(why.into()),
            Purpose::Write => Self::Unknown(why.into()),
        }
    }
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused(refusal) => refusal,
            Ended::Broken(why) => Self::Unavailable(why),
            Ended::Unknown(why) => Self::Unknown(why),
        }
    }
}

#[derive(QueryableByName)]
struct Generation {
    #[diesel(sql_type = BigInt)]
    generation: i64,
}

/// Raised before anything else is read: the row's lock makes one writer a person, on any node. It rises with the clock, so
/// that a database that was set back (a restored copy, a standby that lagged) never gives one out a second time: what was
/// cached under the first is not taken for what is written now.
const RAISED: &str = " on conflict (owner) do update set generation = \
    case when people.generation < excluded.generation then excluded.generation else people.generation + 1 end";

/// Raises the generations of several people, named in ascending order: who raises others' waits for this one, and nobody
/// for each other.
pub(super) async fn raise_all<'a>(
    session: &mut Session,
    people: impl IntoIterator<Item = &'a str>,
) -> Result<(), Fault> {
    let now = Moment::now();
    let raise = Query::new("insert into people (owner, generation) values ")
        .rows(people.into_iter().map(|owner| [owner.into(), now.into()]))
        .and(RAISED);
    session.change(raise).await?;
    Ok(())
}

const PRESENT: &str = "select generation from people where owner = $1";

/// Does `work` in a transaction.
pub(super) async fn transact<T>(
    session: &mut Session,
    purpose: Purpose,
    whose: &Whose,
    work: Work<T>,
) -> Result<Stored<T>, Ended> {
    let broken = |why: diesel::result::Error| Ended::Broken(why.to_string());
    let begin = match (&*session, purpose) {
        (_, Purpose::Ask) => {
            let asked = attempt(session, purpose, whose, work).await;
            return asked.map_err(|fault| match fault {
                Fault::Broken(why) => broken(why),
                Fault::Refused(refusal) => Ended::Refused(refusal),
            });
        }
        (Session::Sqlite(_), Purpose::Read) => "begin",
        // A deferred one fails at once when another wrote between its read and its write.
        (Session::Sqlite(_), Purpose::Write) => "begin immediate",
        (Session::Postgres(_), Purpose::Read) => "begin isolation level repeatable read read only",
        (Session::Postgres(_), Purpose::Write) => "begin isolation level read committed",
    };
    session.say(begin).await.map_err(broken)?;
    let value = match attempt(session, purpose, whose, work).await {
        Ok(value) => value,
        Err(Fault::Broken(why)) => return Err(Ended::Broken(why.to_string())),
        Err(Fault::Refused(refusal)) => {
            session.say("rollback").await.map_err(broken)?;
            return Err(Ended::Refused(refusal));
        }
    };
    // What it warned of before has nothing to do with the commit.
    session.take_warning();
    match session.say("commit").await {
        Ok(()) if purpose == Purpose::Write && session.take_warning() => {
            Err(Ended::Unknown("it warned while it committed".into()))
        }
        Ok(()) => Ok(value),
        Err(why) if purpose == Purpose::Write => Err(Ended::Unknown(why.to_string())),
        Err(why) => Err(broken(why)),
    }
}

async fn attempt<T>(
    session: &mut Session,
    purpose: Purpose,
    whose: &Whose,
    work: Work<T>,
) -> Result<Stored<T>, Fault> {
    let generation = match (whose, purpose) {
        (Whose::One(user), Purpose::Ask | Purpose::Read) => {
            generation(session, Query::new(PRESENT).bind(user)).await?
        }
        (Whose::One(user), Purpose::Write) => raise(session, user).await?,
        (Whose::Following(_) | Whose::Anybody, _) => 0,
    };
    Ok(Stored { generation, value: work(session).await? })
}

/// Raises the generation of a person's data; nobody else writes it until the transaction ends. The new one.
async fn raise(session: &mut Session, user: &UserId) -> Result<i64, Fault> {
    let raise = Query::new("insert into people (owner, generation) values ($1, $2)");
    let raise = raise.bind(user).bind(Moment::now()).and(RAISED).and(" returning generation");
    generation(session, raise).await
}

/// Makes somebody known of whom there is nothing, and locks them as [`raise`] does. False if they were known.
pub(super) async fn first(session: &mut Session, user: &UserId) -> Result<bool, Fault> {
    let insert =
        "insert into people (owner, generation) values ($1, $2) on conflict (owner) do nothing";
    let insert = Query::new(insert).bind(user).bind(Moment::now());
    Ok(session.change(insert).await? == 1)
}

async fn generation(session: &mut Session, ask: Query) -> Result<i64, Fault> {
    let row: Option<Generation> = session.row(ask).await?;
    Ok(row.map_or(0, |row| row.generation))
}
