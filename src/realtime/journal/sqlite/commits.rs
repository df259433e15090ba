//! The way to the committing thread: what it can be asked, a bounded queue, and its end.

use std::{
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::committer::Committer;
use crate::{
    ids::Channel,
    platform::mutant::carried,
    realtime::journal::{AppendError, Appended, Batch, Settled, Trimmed, Unavailable, WriterId},
};

/// Commands that wait for the thread, at most: a lane has one batch under way, so more than a few
/// means that the disk stands still.
const WAITING: usize = 64;

type Answer<T> = oneshot::Sender<T>;

/// What the thread is asked.
pub(super) enum Command {
    Append(Batch, Answer<Result<Vec<Appended>, AppendError>>),
    Settle(WriterId, u64, Answer<Result<Settled, Unavailable>>),
    Remove(Channel, Answer<Result<(), Unavailable>>),
    Trim(Answer<Result<Trimmed, Unavailable>>),
}

/// The way to the thread. When it is dropped the thread finishes what waits and ends.
pub(super) struct Commits {
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Commits {
    pub fn start(committer: Committer) -> std::io::Result<Self> {
        let (commands, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("journal-commit".into())
            .spawn(carried(move || committer.run(&waiting)))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Gives the thread a command, or says why it takes none.
    pub fn ask(&self, command: Command) -> Result<(), String> {
        let Some(commands) = &self.commands else { return Err("the journal is closed".into()) };
        commands.try_send(command).map_err(|refused| match refused {
            TrySendError::Full(_) => "the journal's disk does not keep up".into(),
            TrySendError::Disconnected(_) => "the journal's thread has ended".into(),
        })
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and logged where they happened.
            let _ = thread.join();
        }
    }
}
