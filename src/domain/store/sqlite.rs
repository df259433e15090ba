//! Where transactions run in SQLite: one thread that writes, a few that read, each with a bounded queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use futures_util::FutureExt;
use tokio::{sync::oneshot, time::timeout};

use super::{
    remembered::Remembered,
    session::Session,
    transact::{Ended, Purpose, Stored, Whose, Work, transact},
};
use crate::{
    domain::portfolio::Refusal,
    platform::{
        database::{Database, OpenError},
        mutant::carried,
    },
};

/// Transactions that wait for a thread, at most.
const WAITING: usize = 1024;

/// Threads that read: enough that one large answer does not hold up the others.
const READERS: usize = 2;

/// A transaction that has not begun by then is not begun any more.
const PATIENCE: Duration = Duration::from_secs(4);

/// How much longer its answer is waited for: statements wait up to 2 s for another process.
const GRACE: Duration = Duration::from_secs(6);

type Job = Box<dyn FnOnce(&mut Option<Session>) + Send>;

/// The threads. When this is dropped they finish what waits and end.
pub(super) struct Sqlite {
    writing: Option<SyncSender<Job>>,
    reading: Option<SyncSender<Job>>,
    database: Arc<Database>,
    /// What readers need not ask for again.
    pub remembered: Arc<Remembered>,
    threads: Vec<JoinHandle<()>>,
}

impl Sqlite {
    pub fn start(database: Arc<Database>) -> Result<Self, OpenError> {
        let (writing, to_write) = sync_channel(WAITING);
        let (reading, to_read) = sync_channel(WAITING);
        let (to_write, to_read) = (Arc::new(Mutex::new(to_write)), Arc::new(Mutex::new(to_read)));
        let mut threads = Vec::with_capacity(READERS + 1);
        for n in 0..=READERS {
            let jobs = if n == 0 { to_write.clone() } else { to_read.clone() };
            let thread = std::thread::Builder::new()
                .name(if n == 0 { "store-write".into() } else { format!("store-read-{n}") })
                .spawn(carried(move || run(&jobs)));
            threads.push(thread.map_err(|why| OpenError::Failed {
                path: database.path().to_owned(),
                doing: "start threads for",
                why: why.to_string(),
            })?);
        }
        let remembered = Arc::default();
        Ok(Self { writing: Some(writing), reading: Some(reading), database, remembered, threads })
    }

    /// Runs a transaction to its end, also if nobody waits for that.
    pub async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        whose: Whose,
        work: Work<T>,
    ) -> Result<Stored<T>, Refusal> {
        let (answer, answered) = oneshot::channel();
        let (database, until) = (self.database.clone(), Instant::now() + PATIENCE);
        let remembered = self.remembered.clone();
        let job: Job = Box::new(move |session| {
            let done = match Instant::now() < until {
                true => {
                    let write = || remembered.write(&whose);
                    let _writing = (purpose == Purpose::Write).then(write);
                    one(&database, session, purpose, &whose, work)
                }
                false => Err(Ended::Broken("it waited too long for its turn".into())),
            };
            // Who asked may have gone.
            let _ = answer.send(done);
        });
        let jobs = match purpose {
            Purpose::Ask | Purpose::Read => &self.reading,
            Purpose::Write => &self.writing,
        };
        let refused = |why: &str| Err(Refusal::Unavailable(why.into()));
        match jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => return refused("too many wait for the database"),
            Some(Err(TrySendError::Disconnected(_))) | None => {
                return refused("the store is closed");
            }
        }
        let done = match timeout(PATIENCE + GRACE, answered).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Ended::unheard(purpose, "it fell")),
            Err(_) => Err(Ended::unheard(purpose, "it did not come to its end in time")),
        };
        done.map_err(Refusal::from)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        (self.writing, self.reading) = (None, None);
        for thread in self.threads.drain(..) {
            // Panics of jobs were caught.
            let _ = thread.join();
        }
    }
}

/// One transaction; its connection is kept if it is as good as before.
fn one<T>(
    database: &Database,
    kept: &mut Option<Session>,
    purpose: Purpose,
    whose: &Whose,
    work: Work<T>,
) -> Result<Stored<T>, Ended> {
    let _order = (purpose == Purpose::Write).then(|| database.writing());
    let mut session = match kept.take() {
        Some(session) => session,
        None => connect(database, purpose).map_err(Ended::Broken)?,
    };
    // Nothing in it waits: all it asks is answered by this thread.
    let done = transact(&mut session, purpose, whose, work).now_or_never();
    let done = done.unwrap_or_else(|| Err(Ended::Broken("it waited for something else".into())));
    if matches!(done, Ok(_) | Err(Ended::Refused(_))) {
        *kept = Some(session);
    }
    done
}

fn connect(database: &Database, purpose: Purpose) -> Result<Session, String> {
    let mut connection = database.connect().map_err(|why| why.to_string())?;
    let pragmas = match purpose {
        Purpose::Ask | Purpose::Read => "PRAGMA query_only = ON",
        Purpose::Write => "PRAGMA foreign_keys = ON",
    };
    connection.batch_execute(pragmas).map_err(|why| why.to_string())?;
    Ok(Session::Sqlite(Box::new(connection)))
}

fn run(jobs: &Mutex<Receiver<Job>>) {
    let mut session = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic drops the job's answer, which says so, and the connection with what was open on it.
        if catch_unwind(AssertUnwindSafe(|| job(&mut session))).is_err() {
            log::error!("a transaction of the store panicked");
        }
    }
}
