//! Retention: trims a journal in the background, a short step at a time, slower while people publish.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::ArbiterHandle;

use crate::{
    realtime::journal::{Journal, Trimmed, Unavailable, writer::JournalHandle},
    supervisor::turns::{self, Work},
};

/// A step is followed by a rest of so many times its length: trimming takes a tenth of the disk's time.
const REST: u32 = 9;

/// The same while publications queue up: trimming falls behind then, but never stops for good.
const REST_WHEN_BUSY: u32 = 49;

/// Publications on their way from which on they queue up.
const BUSY: usize = 512;

/// The shortest rest.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest rest within a round, after a step that took long.
const LONGEST: Duration = Duration::from_secs(5);

/// Between rounds. Reads are clipped anyway: this is about disk space only.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(10);

/// After a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A step that takes longer has got stuck, as far as we are concerned.
const DEADLINE: Duration = Duration::from_secs(30);

/// The work of keeping one journal trimmed.
pub struct Retention {
    journal: Arc<dyn Journal>,
    /// Publications on their way into it.
    under_way: Box<dyn Fn() -> usize>,
}

/// How a step went.
#[derive(Clone, Debug)]
enum Step {
    Done(Trimmed, Duration),
    Failed(Unavailable),
}

impl Retention {
    /// Starts trimming the journal behind `handle` on a thread.
    pub fn start(handle: &JournalHandle, arbiter: &ArbiterHandle) {
        let handle = handle.clone();
        turns::start(arbiter, move || Self {
            journal: handle.journal().clone(),
            under_way: Box::new(move || handle.under_way()),
        });
    }

    async fn step(&self) -> Step {
        let started = Instant::now();
        match tokio::time::timeout(DEADLINE, self.journal.trim()).await {
            Ok(Ok(trimmed)) => Step::Done(trimmed, started.elapsed()),
            Ok(Err(why)) => Step::Failed(why),
            Err(_) => Step::Failed(Unavailable("trimming takes too long".into())),
        }
    }
}

impl Work for Retention {
    const NAME: &'static str = "retention";

    fn first(&self) -> Duration {
        SHORTEST
    }

    async fn turn(&mut self) -> Duration {
        let step = self.step().await;
        match &step {
            Step::Done(trimmed, took) if trimmed.publications > 0 => {
                log::debug!("retention dropped {} publications in {took:?}", trimmed.publications);
            }
            Step::Done(..) => {}
            Step::Failed(why) => log::warn!("retention: {}", why.0),
        }
        rest(&step, (self.under_way)())
    }
}

/// How long to rest after a step.
fn rest(step: &Step, under_way: usize) -> Duration {
    let times = if under_way >= BUSY { REST_WHEN_BUSY } else { REST };
    match step {
        Step::Done(Trimmed { more: true, .. }, took) => (*took * times).clamp(SHORTEST, LONGEST),
        Step::Done(..) => BETWEEN_ROUNDS,
        Step::Failed(_) => AFTER_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use actix::Arbiter;

    use super::*;
    use crate::{
        ids::Channel,
        realtime::journal::{
            Append, Batch, Direction, Range, Retention as Kept, WriterId, memory::MemoryJournal,
            writer::Observer,
        },
    };

    #[test]
    fn trimming_rests_longer_while_people_publish_and_never_stops() {
        let more = Trimmed { publications: 1_000, more: true };
        let step = Step::Done(more, Duration::from_millis(20));
        assert_eq!(rest(&step, 0), Duration::from_millis(180));
        assert_eq!(rest(&step, BUSY), Duration::from_millis(980));
        let slow = Step::Done(more, Duration::from_secs(20));
        assert_eq!(rest(&slow, usize::MAX), LONGEST);
        assert_eq!(rest(&Step::Done(more, Duration::ZERO), 0), SHORTEST);
        assert_eq!(rest(&Step::Done(Trimmed::default(), Duration::ZERO), 0), BETWEEN_ROUNDS);
        assert_eq!(rest(&Step::Failed(Unavailable(String::new())), 0), AFTER_FAILURE);
    }

    #[actix::test]
    async fn what_is_past_retention_goes_by_itself() {
        let kept = Kept { size: 2, ttl: Duration::MAX, meta_ttl: Duration::MAX };
        let many = Kept { size: 100, ..kept };
        let tight = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_tight = tight.clone();
        let retention =
            Arc::new(
                move |_: &Channel| {
                    if is_tight.load(std::sync::atomic::Ordering::SeqCst) { kept } else { many }
                },
            );
        let journal = Arc::new(MemoryJournal::new(retention));
        let channel = Channel::trusted("a");
        let append = Append {
            channel: channel.clone(),
            publication: Arc::default(),
            key: None,
            version: None,
        };
        let batch = Batch {
            writer: WriterId(uuid::Uuid::new_v4()),
            seq: 1,
            appends: vec![append; 9],
            notes: vec![],
        };
        journal.append(batch).await.unwrap();
        tight.store(true, std::sync::atomic::Ordering::SeqCst);
        let here = Arbiter::current();
        let handle = JournalHandle::start(journal.clone(), &here, Observer::default());
        Retention::start(&handle, &here);
        // What reads show is clipped: widened again, they show what is really there.
        let range = Range { direction: Direction::After(0), limit: 100, max_bytes: 0xffff };
        let trimmed = async {
            loop {
                tight.store(false, std::sync::atomic::Ordering::SeqCst);
                let left = journal.read(&channel, range).await.unwrap().publications.len();
                tight.store(true, std::sync::atomic::Ordering::SeqCst);
                if left == 2 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), trimmed).await.expect("it is trimmed");
    }
}
