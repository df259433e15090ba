//! One supervised actor: a future that polls it inside a catch.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{self, Poll, ready},
    time::{Duration, Instant},
};

use actix::{
    Actor, Addr, ArbiterHandle, Context, Supervised,
    dev::{ContextFut, channel},
};

use super::{
    backoff::{Backoff, Verdict},
    watch,
};

/// Starts an actor on the arbiter's thread and keeps it running through panics.
///
/// `name` is the kind of actor, as it stands in logs and metrics; `mailbox` is how many messages wait
/// for it by `try_send`. The address works at once; messages wait until `make` has run over there. The actor ends like any other: by `ctx.stop()`, or when
/// nobody holds its address any more.
pub fn start<A, F>(name: &'static str, mailbox: usize, arbiter: &ArbiterHandle, make: F) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
    F: FnOnce(&mut Context<A>) -> A + Send + 'static,
{
    let (sender, receiver) = channel::channel(mailbox);
    arbiter.spawn_fn(move || {
        let mut ctx = Context::with_receiver(receiver);
        let actor = make(&mut ctx);
        actix_rt::spawn(Child::new(name, ctx.into_future(actor)));
    });
    Addr::new(sender)
}

/// The same on this thread; `make` need not be sent anywhere.
pub fn start_here<A>(
    name: &'static str,
    mailbox: usize,
    make: impl FnOnce(&mut Context<A>) -> A,
) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    let (sender, receiver) = channel::channel(mailbox);
    let mut ctx = Context::with_receiver(receiver);
    let actor = make(&mut ctx);
    actix_rt::spawn(Child::new(name, ctx.into_future(actor)));
    Addr::new(sender)
}

struct Child<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    name: &'static str,
    fut: ContextFut<A, Context<A>>,
    born: Instant,
    backoff: Backoff,
    resting: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<A> Child<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    fn new(name: &'static str, fut: ContextFut<A, Context<A>>) -> Self {
        Self { name, fut, born: Instant::now(), backoff: Backoff::default(), resting: None }
    }

    /// After a fall: counts it, decides, brings the actor back. False if nobody holds its address.
    fn bring_back(&mut self) -> bool {
        loop {
            watch::fell(self.name);
            match self.backoff.fell(self.born.elapsed()) {
                Verdict::RestartAfter(rest) => {
                    log::error!("actor {} panicked; restarted, next step in {rest:?}", self.name);
                    self.resting =
                        (rest > Duration::ZERO).then(|| Box::pin(tokio::time::sleep(rest)));
                }
                Verdict::GiveUp => {
                    log::error!("actor {} panics again and again; the process aborts", self.name);
                    std::process::abort();
                }
            }
            if let Ok(alive) = catch_unwind(AssertUnwindSafe(|| self.fut.restart())) {
                return alive;
            }
        }
    }
}

impl<A> Future for Child<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if let Some(rest) = &mut this.resting {
                ready!(rest.as_mut().poll(cx));
                this.resting = None;
            }
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.fut).poll(cx))) {
                Ok(state) => return state,
                Err(_) if this.bring_back() => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::{AsyncContext, Handler, Message, ResponseFuture, Running, WrapFuture};

    use super::*;

    #[derive(Default)]
    struct Counter {
        seen: Vec<u32>,
        restarts: u32,
    }

    impl Actor for Counter {
        type Context = Context<Self>;
        fn stopping(&mut self, _: &mut Self::Context) -> Running {
            Running::Stop
        }
    }

    impl Supervised for Counter {
        fn restarting(&mut self, _: &mut Self::Context) {
            self.restarts += 1;
        }
    }

    #[derive(Message)]
    #[rtype(result = "u32")]
    struct Say(u32);

    impl Handler<Say> for Counter {
        type Result = u32;
        fn handle(&mut self, Say(n): Say, ctx: &mut Self::Context) -> u32 {
            assert!(n != 13, "an unlucky number");
            self.seen.push(n);
            ctx.spawn(std::future::pending::<()>().into_actor(self));
            n
        }
    }

    #[derive(Message)]
    #[rtype(result = "(Vec<u32>, u32)")]
    struct WhatHappened;

    impl Handler<WhatHappened> for Counter {
        type Result = ResponseFuture<(Vec<u32>, u32)>;
        fn handle(&mut self, _: WhatHappened, _: &mut Self::Context) -> Self::Result {
            Box::pin(std::future::ready((self.seen.clone(), self.restarts)))
        }
    }

    #[actix::test]
    async fn what_was_queued_behind_a_panic_is_handled_after_it() {
        let here = actix_rt::Arbiter::current();
        let actor = start("counter", 16, &here, |_| Counter::default());
        let first = actor.send(Say(1));
        let unlucky = actor.send(Say(13));
        let second = actor.send(Say(2));
        assert_eq!(first.await, Ok(1));
        assert!(unlucky.await.is_err(), "who asked the handler that fell is told");
        assert_eq!(second.await, Ok(2));
        assert_eq!(actor.send(WhatHappened).await, Ok((vec![1, 2], 1)));
        assert!(watch::restarts()["counter"] >= 1);
    }

    #[actix::test]
    async fn an_actor_that_falls_twice_in_a_row_rests_and_goes_on() {
        let here = actix_rt::Arbiter::current();
        let actor = start("counter", 16, &here, |_| Counter::default());
        for _ in 0..3 {
            assert!(actor.send(Say(13)).await.is_err());
        }
        assert_eq!(actor.send(WhatHappened).await, Ok((vec![], 3)));
    }
}
