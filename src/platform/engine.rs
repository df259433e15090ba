//! A thread that carries connections: a connection lives on the runtime that opened it, and must not
//! wait for, or die with, a worker that is busy with something else.

use std::{future::Future, io, thread::JoinHandle, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long the end waits for what is under way: a commit may take as long.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A runtime of its own on a thread of its own. Dropped, it finishes what is under way and ends.
pub struct Engine {
    handle: Handle,
    under_way: Option<mpsc::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (under_way, mut finished) = mpsc::channel::<()>(1);
        let said = name.to_owned();
        let run = move || {
            runtime.block_on(async {
                // Dropped or told: both are the end.
                let _ = stopped.await;
                if timeout(LAST_WORDS, finished.recv()).await.is_err() {
                    log::warn!("{said} did not finish what was under way in time");
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run)?;
        let (under_way, stop, thread) = (Some(under_way), Some(stop), Some(thread));
        Ok(Self { handle, under_way, stop, thread })
    }

    /// Has the thread do `work`, to its end, also if nobody waits for that. None if it panicked.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, Option<T>> {
        let under_way = self.under_way.clone();
        let task = self.handle.spawn(async move {
            let _under_way = under_way;
            work.await
        });
        Box::pin(async move { task.await.ok() })
    }

    /// The same for who may block: not on a thread of a runtime.
    pub fn block_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = std::sync::mpsc::channel();
        let done = self.run(async move {
            // Who asked waits below.
            let _ = answer.send(work.await);
        });
        drop(done);
        answered.recv().ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.under_way = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of its work was caught by the runtime.
            let _ = thread.join();
        }
    }
}
