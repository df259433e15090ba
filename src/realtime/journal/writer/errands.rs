//! What the writer has others do: a commit, and the question for its fate.
//!
//! Both are tasks that outlive a restart of the actor and come back as messages to its mailbox.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Addr, Message};
use futures_util::FutureExt;

use super::JournalWriter;
use crate::{
    fail_point_async,
    platform::mutant::mutant,
    realtime::journal::{AppendError, Appended, Batch, Journal, Settled, WriterId},
};

/// How long the journal may take to say what became of a batch.
const ASK: Duration = Duration::from_secs(5);

/// The first pause before a batch's fate is asked for again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Names a batch for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BatchName {
    pub writer: WriterId,
    pub seq: u64,
}

/// The journal has answered, or did not in time.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct BatchDone {
    pub name: BatchName,
    pub result: Result<Vec<Appended>, AppendError>,
    pub took: Duration,
}

/// The journal has found out about a batch.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct BatchSettled {
    pub name: BatchName,
    pub settled: Settled,
}

/// Commits a batch. Outlives a restart of the actor.
pub(super) async fn commit(
    journal: Arc<dyn Journal>,
    batch: Batch,
    deadline: Duration,
    writer: Addr<JournalWriter>,
) {
    let name = BatchName { writer: batch.writer, seq: batch.seq };
    let started = Instant::now();
    let append = async {
        fail_point_async!("append.before", Err(AppendError::Refused("as a test asked".into())));
        journal.append(batch).await
    };
    let append = std::panic::AssertUnwindSafe(append).catch_unwind();
    let result = match tokio::time::timeout(deadline, append).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(AppendError::Unknown("the journal panicked".into())),
        Err(_) if mutant!(DeadlineCancels) => Err(AppendError::Refused("it took too long".into())),
        Err(_) => Err(AppendError::Unknown("the journal did not answer in time".into())),
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "one batch is under way, so one of these at a time"
    )]
    writer.do_send(BatchDone { name, result, took: started.elapsed() });
}

/// Asks for a batch's fate until the journal knows. Outlives a restart of the actor.
pub(super) async fn settle(
    journal: Arc<dyn Journal>,
    name: BatchName,
    writer: Addr<JournalWriter>,
) {
    let mut pause = FIRST_PAUSE;
    while writer.connected() {
        match tokio::time::timeout(ASK, journal.settle(name.writer, name.seq)).await {
            Ok(Ok(settled)) => {
                #[allow(clippy::disallowed_methods, reason = "one an unknown commit")]
                writer.do_send(BatchSettled { name, settled });
                return;
            }
            Ok(Err(why)) => log::warn!("the fate of a batch is still unknown: {}", why.0),
            Err(_) => log::warn!("the fate of a batch is still unknown: the journal is silent"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
