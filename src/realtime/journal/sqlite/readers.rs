//! The reading threads: a few, with a bounded queue and a pool of connections that can't write.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use diesel::{QueryResult, SqliteConnection};
use tokio::sync::oneshot;

use crate::{
    platform::{database::Readers as Pool, mutant::carried},
    realtime::journal::{Pending, Unavailable},
};

/// Reads that wait, at most: 20 ms each at worst would be the 20 s after which nobody waits any more.
const WAITING: usize = 1024;

type Job = Box<dyn FnOnce(Result<&mut SqliteConnection, String>) + Send>;

/// The way to the threads. When it is dropped they finish what waits and end.
pub(super) struct Readers {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub fn start(pool: &Pool, threads: u32) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let start = |n| {
            let (pool, waiting) = (pool.clone(), waiting.clone());
            std::thread::Builder::new()
                .name(format!("journal-read-{n}"))
                .spawn(carried(move || run(&pool, &waiting)))
        };
        let threads = (0..threads).map(start).collect::<Result<_, _>>()?;
        Ok(Self { jobs: Some(jobs), threads })
    }

    /// Runs `read` on one of the threads.
    pub fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Pending<'_, Result<T, Unavailable>> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection
                .and_then(|connection| read(connection).map_err(|why| why.to_string()))
                .map_err(|why| Unavailable(format!("the journal could not be read: {why}")));
            // Who asked may have gone.
            let _ = answer.send(result);
        });
        let refused = match &self.jobs {
            None => Some("the journal is closed"),
            Some(jobs) => match jobs.try_send(job) {
                Ok(()) => None,
                Err(TrySendError::Full(_)) => Some("too many reads wait for the journal"),
                Err(TrySendError::Disconnected(_)) => Some("the journal's readers have ended"),
            },
        };
        Box::pin(async move {
            if let Some(why) = refused {
                return Err(Unavailable(why.into()));
            }
            answered.await.unwrap_or_else(|_| Err(Unavailable("a read of the journal fell".into())))
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Panics of jobs were caught.
            let _ = thread.join();
        }
    }
}

fn run(pool: &Pool, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic drops the job's answer, which says so, and the connection with it.
        let done = catch_unwind(AssertUnwindSafe(|| match pool.get() {
            Ok(mut connection) => job(Ok(&mut connection)),
            Err(why) => job(Err(why.to_string())),
        }));
        if done.is_err() {
            log::error!("a read of the journal panicked");
        }
    }
}
