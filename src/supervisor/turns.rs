//! Work in the background that is done in turns: each begins when the one before has ended and a rest is over.

use std::{future::Future, rc::Rc, time::Duration};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Supervised, WrapFuture};
use tokio::sync::Mutex;

use super::{backoff::FORGIVEN_AFTER, child};

/// After a turn that panicked: so long that the supervisor takes each such fall for the first one. Work that nobody waits
/// for is no reason to end the process; what people wait for catches what concerns one of them itself.
const AFTER_FALL: Duration = FORGIVEN_AFTER;

/// Nobody sends it anything.
const MAILBOX: usize = 1;

/// Work that is done in turns.
pub trait Work: 'static {
    /// As it is called in logs and metrics.
    const NAME: &'static str;

    /// The rest before the first turn.
    fn first(&self) -> Duration;

    /// One turn, each of whose waits has a deadline. The rest after it.
    fn turn(&mut self) -> impl Future<Output = Duration>;
}

/// Does work for as long as its thread runs. A turn that panics is given up, and what it left of the work goes into the
/// next.
struct Worker<W: Work> {
    work: Rc<Mutex<W>>,
    rest: Duration,
    after_fall: Duration,
    /// Keeps it alive: nobody else needs its address, and without one it would not be brought back after a fall.
    _me: Addr<Self>,
}

/// Starts work, which is made on the thread that does it.
pub fn start<W: Work>(arbiter: &ArbiterHandle, make: impl FnOnce() -> W + Send + 'static) {
    start_with(AFTER_FALL, arbiter, make);
}

fn start_with<W: Work>(
    after_fall: Duration,
    arbiter: &ArbiterHandle,
    make: impl FnOnce() -> W + Send + 'static,
) {
    child::start(W::NAME, MAILBOX, arbiter, move |ctx| {
        let work = make();
        let (rest, _me) = (work.first(), ctx.address());
        Worker { work: Rc::new(Mutex::new(work)), rest, after_fall, _me }
    });
}

impl<W: Work> Actor for Worker<W> {
    type Context = Context<Self>;

    /// Also after a fall, which drops the turn.
    fn started(&mut self, ctx: &mut Self::Context) {
        let (work, mut rest) = (self.work.clone(), self.rest);
        let turns = async move {
            // At once: whoever had it fell.
            let mut work = work.lock().await;
            loop {
                actix_rt::time::sleep(rest).await;
                rest = work.turn().await;
            }
        };
        ctx.spawn(turns.into_actor(self));
    }
}

impl<W: Work> Supervised for Worker<W> {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.rest = self.after_fall;
        log::warn!("{}: the next turn begins in {:?}", W::NAME, self.rest);
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        sync::mpsc::{UnboundedSender, unbounded_channel},
        time::timeout,
    };

    use super::*;
    use crate::supervisor;

    /// Says the number of each turn; the second one panics.
    struct Counting {
        turns: u32,
        said: UnboundedSender<u32>,
    }

    impl Work for Counting {
        const NAME: &'static str = "counting";

        fn first(&self) -> Duration {
            Duration::ZERO
        }

        async fn turn(&mut self) -> Duration {
            self.turns += 1;
            let _ = self.said.send(self.turns);
            assert_ne!(self.turns, 2, "it falls");
            Duration::from_millis(1)
        }
    }

    #[actix::test]
    async fn a_turn_that_panics_is_followed_by_another_after_the_rest_of_a_fall() {
        let (said, mut heard) = unbounded_channel();
        let rest = Duration::from_millis(100);
        let falls = || supervisor::restarts().get(Counting::NAME).copied().unwrap_or_default();
        let before = falls();
        start_with(rest, &actix_rt::Arbiter::current(), || Counting { turns: 0, said });
        let mut next =
            async || timeout(Duration::from_secs(10), heard.recv()).await.expect("in time");
        assert_eq!((next().await, next().await), (Some(1), Some(2)));
        let fell_at = std::time::Instant::now();
        assert_eq!((next().await, falls()), (Some(3), before + 1));
        assert!(fell_at.elapsed() >= rest, "{:?}", fell_at.elapsed());
        assert_eq!(next().await, Some(4));
    }
}
