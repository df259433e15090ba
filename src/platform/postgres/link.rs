//! One connection: opened, asked what it is worth, and dropped so that nothing of it goes on.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, Connection, NoTls, Socket,
    error::{DbError, Severity},
    tls::NoTlsStream,
};

use super::{ConnectError, Options, facts};

/// A connection whose commits stay, unless it was opened only to read. Belongs to the runtime that it was opened on.
pub struct Link {
    connection: AsyncPgConnection,
    /// Identifies the server for ever.
    pub system: String,
    /// Which of that server's histories it is on: another one after each promotion.
    pub timeline: String,
    warned: Arc<AtomicBool>,
    driver: JoinHandle<()>,
}

impl Link {
    /// Opens a connection to a primary that keeps what it acknowledges; only to read, to any server that speaks as it does.
    pub async fn open(options: &Options) -> Result<Self, ConnectError> {
        let opening = timeout(options.connect, Self::connect(options));
        let mut link =
            opening.await.map_err(|_| late("it did not take the connection in time"))??;
        let asked = timeout(options.answer(), link.ask()).await;
        let facts = asked
            .map_err(|_| late("it did not say what it is in time"))?
            .map_err(|why| ConnectError::Unreachable(why.to_string()))?;
        match options.read_only {
            true => facts.check_read()?,
            false => facts.check()?,
        }
        (link.system, link.timeline) = (facts.system, facts.timeline);
        Ok(link)
    }

    async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let connected = options.config.connect(NoTls).await;
        let (client, connection) = connected.map_err(|why| unreachable(&why))?;
        let warned = Arc::new(AtomicBool::new(false));
        let driver = tokio::spawn(drive(connection, warned.clone()));
        let connection = AsyncPgConnection::try_from(client)
            .await
            .map_err(|why| ConnectError::Unreachable(why.to_string()))?;
        Ok(Self { connection, system: String::new(), timeline: String::new(), warned, driver })
    }

    async fn ask(&mut self) -> Result<facts::Facts, Error> {
        diesel::sql_query(facts::ASK).get_result(&mut self.connection).await
    }

    /// The connection, to ask something.
    pub fn query(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }

    /// Whether its end has been noticed.
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    /// Whether the server warned since this was asked last. A warning with a commit may mean that it is on
    /// no standby yet: it counts as no answer.
    pub fn take_warning(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }

    /// After an error: whether the server is certain to have given up what was asked.
    ///
    /// It is if it answers the next question on the same connection: then its refusal was its last word on
    /// the statement. If it went, it may have gone after the commit.
    pub async fn has_given_up(&mut self, error: &Error, options: &Options) -> bool {
        let refused = matches!(error, Error::DatabaseError(kind, _)
            if !matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection));
        let ping = diesel::sql_query("rollback").execute(&mut self.connection);
        refused && matches!(timeout(options.answer(), ping).await, Ok(Ok(_)))
    }
}

impl Drop for Link {
    /// Closes the socket at once, whatever the server still has to say.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The one row of a statement that writes: `the_one(statement.load(link).await)`.
///
/// The obvious `get_result` returns with the first row and listens no further: the row comes before the
/// commit, and the commit may yet fail. `load` listens to the end.
pub fn the_one<T>(loaded: QueryResult<Vec<T>>) -> QueryResult<T> {
    loaded?.pop().ok_or(Error::NotFound)
}

/// Carries bytes until the connection ends.
async fn drive(mut connection: Connection<Socket, NoTlsStream>, warned: Arc<AtomicBool>) {
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => hear(&notice, &warned),
            Some(Ok(_)) => {}
            Some(Err(why)) => return log::debug!("a connection to PostgreSQL ended: {why}"),
            None => return,
        }
    }
}

fn hear(notice: &DbError, warned: &AtomicBool) {
    // What it says when nothing is open to roll back.
    let harmless = notice.code().code() == "25P01";
    let severity = notice.parsed_severity();
    if !harmless && matches!(severity, Some(Severity::Warning) | None) {
        warned.store(true, Ordering::Release);
        log::warn!("PostgreSQL warns: {}", notice.message());
    }
}

fn late(what: &str) -> ConnectError {
    ConnectError::Unreachable(what.into())
}

/// The error with its cause, which tokio-postgres leaves to be asked for.
fn unreachable(why: &tokio_postgres::Error) -> ConnectError {
    let cause = std::error::Error::source(why);
    ConnectError::Unreachable(cause.map_or(why.to_string(), |cause| format!("{why}: {cause}")))
}
