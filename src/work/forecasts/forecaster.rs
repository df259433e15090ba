//! Computes forecasts in the background: those of people who were seen first, with their writes before their prices.
//!
//! Each node does the people whom it saw, and of the others those that stay stale, in random order: it needs no lease,
//! and that two do the same is harmless, since what is kept follows from the generation and the prices alone. It runs on
//! a thread that carries no sockets, and rests after each step: who waits for the machine or the database hardly notices.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Supervised};
use futures_util::FutureExt;
use rand::seq::SliceRandom;
use tokio::sync::Mutex;

use super::{
    computing::compute,
    people::{Line, People},
    seen::{self, Seen},
    stride::Stride,
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{Refusal, token::PriceBoard},
        store::{Foreseen, Store},
    },
    ids::UserId,
    platform::{metrics::Metrics, settings::Forecasting},
    supervisor,
    work::prices::KnownPrices,
};

/// People with a stale forecast that one look finds, at most.
const LOOK: usize = 1_000;

/// The part of a turn in which it computes; in the rest of it others have the machine and the database.
const SHARE: u32 = 5;

/// After a turn that the database did not take part in.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Somebody whose step failed, though they were alone in it, is left out for so long.
const ASIDE: Duration = Duration::from_secs(60);

/// It hears of its own turns only.
const MAILBOX: usize = 4;

/// The actor.
pub struct Forecaster {
    work: Rc<Work>,
    /// Counts turns, so that one which was under way while the actor fell does not go on beside the next.
    turns: u64,
    complained: bool,
}

/// What a turn needs. It outlives a fall of the actor.
struct Work {
    store: Arc<Store>,
    prices: Arc<KnownPrices>,
    seen: Arc<Seen>,
    settings: Forecasting,
    metrics: Arc<Metrics>,
    /// A turn that outlives the actor's fall has it until it ends.
    memory: Mutex<Memory>,
}

/// What one turn leaves to the next.
struct Memory {
    people: People,
    /// Of the prices that people were marked by last.
    price_version: i64,
    stride: Stride,
}

/// What came of a turn.
enum Turn {
    Done,
    /// The database did not do its part.
    Broken(Refusal),
    /// It panicked.
    Fell,
}

/// A turn is over.
#[derive(Message)]
#[rtype(result = "()")]
struct Turned {
    number: u64,
    turn: Turn,
}

impl Forecaster {
    /// Starts on a thread, which is to carry no sockets.
    pub fn start(
        (store, prices): (Arc<Store>, Arc<KnownPrices>),
        seen: Arc<Seen>,
        settings: Forecasting,
        metrics: Arc<Metrics>,
        arbiter: &ArbiterHandle,
    ) -> Addr<Self> {
        supervisor::start("forecasts", MAILBOX, arbiter, move |_| {
            let (people, stride) = (People::new(seen::MOST), Stride::default());
            let memory = Mutex::new(Memory { people, price_version: 0, stride });
            let work = Rc::new(Work { store, prices, seen, settings, metrics, memory });
            Self { work, turns: 0, complained: false }
        })
    }

    fn turn(&mut self, me: Addr<Self>) {
        self.turns += 1;
        let (work, number) = (self.work.clone(), self.turns);
        actix_rt::spawn(async move {
            // Else nobody would begin the next one.
            let turn = match AssertUnwindSafe(work.turn()).catch_unwind().await {
                Ok(Ok(())) => Turn::Done,
                Ok(Err(why)) => Turn::Broken(why),
                Err(_) => Turn::Fell,
            };
            #[allow(clippy::disallowed_methods, reason = "one turn at a time")]
            me.do_send(Turned { number, turn });
        });
    }

    fn complain(&mut self, why: &dyn std::fmt::Display) {
        // Once, until it goes well again.
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!("forecasts grow old: {why}");
        }
    }
}

impl Work {
    async fn turn(&self) -> Result<(), Refusal> {
        let (memory, started) = (&mut *self.memory.lock().await, Instant::now());
        let turned = self.timed_turn(memory, started).await;
        self.metrics.forecast_turn_seconds.observe(started.elapsed().as_secs_f64());
        turned
    }

    async fn timed_turn(&self, memory: &mut Memory, started: Instant) -> Result<(), Refusal> {
        memory.people.see(self.seen.take(), started, self.settings.seen_for);
        let board = self.prices.now();
        if board.version != memory.price_version {
            memory.people.mark(&board.prices, self.settings.min_move);
            memory.price_version = board.version;
        }
        let stale = self.store.stale_people(LOOK).await?;
        let perhaps_more = stale.len() >= LOOK;
        let mut line = memory.people.line(stale, perhaps_more, started);
        // Nodes that do the same people do them in another order.
        line.others.shuffle(&mut rand::rng());
        let left = self.walk(memory, &board, line, started).await?;
        self.metrics.forecasts_due.set(i64::try_from(left).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Goes through the line until the time is over; how many are left.
    async fn walk(
        &self,
        memory: &mut Memory,
        board: &PriceBoard,
        line: Line,
        started: Instant,
    ) -> Result<usize, Refusal> {
        let mut left = line.total();
        let budget = self.settings.interval;
        // However many were seen, the others get a step of each turn.
        for mut people in [&line.seen[..], &line.others[..]] {
            let mut is_owed = true;
            while !people.is_empty() && (is_owed || started.elapsed() < budget) {
                let (next, rest) = people.split_at(memory.stride.people().min(people.len()));
                let step = Instant::now();
                if let Err(why) = self.step(memory, board, next).await {
                    // One of them may be the reason: whoever it is, half of them is tried until they are alone.
                    memory.stride.failed(next.len());
                    let [alone] = next else { continue };
                    memory.people.set_aside(alone, Instant::now() + ASIDE);
                    return Err(why);
                }
                (people, left, is_owed) = (rest, left - next.len(), false);
                actix_rt::time::sleep(step.elapsed() * (SHARE - 1)).await;
            }
        }
        Ok(left)
    }

    /// Computes and keeps the forecasts of some people.
    async fn step(
        &self,
        memory: &mut Memory,
        board: &PriceBoard,
        people: &[UserId],
    ) -> Result<(), Refusal> {
        let started = Instant::now();
        let grounds = self.store.grounds(people.to_vec()).await?;
        let mut foreseen = Vec::with_capacity(grounds.len());
        let mut used = HashMap::with_capacity(people.len());
        for grounds in grounds {
            let computed = compute(&grounds, board);
            self.count("unchanged", computed.unchanged);
            used.insert(grounds.user.clone(), computed.used);
            if !computed.summaries.is_empty() {
                let (user, generation) = (grounds.user, grounds.generation);
                foreseen.push(Foreseen { user, generation, summaries: computed.summaries });
            }
        }
        let overtaken = self.keep(foreseen, board.version).await?;
        for user in people.iter().filter(|user| !overtaken.contains(*user)) {
            memory.people.computed(user, used.remove(user).unwrap_or_default(), started);
        }
        memory.stride.took(people.len(), started.elapsed());
        Ok(())
    }

    /// Keeps what was computed. Whose is not kept, since they changed something meanwhile: it is their turn once more.
    async fn keep(
        &self,
        foreseen: Vec<Foreseen>,
        price_version: i64,
    ) -> Result<HashSet<UserId>, Refusal> {
        let of: Vec<(UserId, usize)> =
            foreseen.iter().map(|one| (one.user.clone(), one.summaries.len())).collect();
        let kept = self.store.keep_foreseen(foreseen, price_version, Moment::now()).await?;
        let mut overtaken = HashSet::new();
        for (user, forecasts) in of {
            match kept.contains(&user) {
                true => self.count("kept", forecasts),
                false => {
                    self.count("overtaken", forecasts);
                    overtaken.insert(user);
                }
            }
        }
        Ok(overtaken)
    }

    fn count(&self, outcome: &str, forecasts: usize) {
        self.metrics.forecasts_computed_total.of(outcome).inc_by(forecasts as u64);
    }
}

impl Actor for Forecaster {
    type Context = Context<Self>;

    /// Also after a fall, which drops the timer or the message that would have gone on.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_later(self.work.settings.interval, |this, ctx| this.turn(ctx.address()));
    }
}

impl Supervised for Forecaster {}

impl Handler<Turned> for Forecaster {
    type Result = ();

    fn handle(&mut self, Turned { number, turn }: Turned, ctx: &mut Self::Context) {
        if number != self.turns {
            return;
        }
        let interval = self.work.settings.interval;
        let rest = match turn {
            Turn::Done => {
                if std::mem::take(&mut self.complained) {
                    log::info!("forecasts are computed again");
                }
                interval
            }
            Turn::Broken(why) => {
                self.complain(&why);
                interval.max(AFTER_FAILURE)
            }
            Turn::Fell => {
                self.complain(&"their computing fell");
                interval.max(AFTER_FAILURE)
            }
        };
        ctx.run_later(rest, |this, ctx| this.turn(ctx.address()));
    }
}
