//! Computes forecasts in the background: those of people who were seen first, with their writes before their prices.
//!
//! Each node does the people whom it saw, and of the others those that stay stale, in random order: it needs no lease,
//! and that two do the same is harmless, since what is kept follows from the generation and the prices alone. It runs on
//! a thread that carries no sockets, and rests after each step: who waits for the machine or the database hardly notices.

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::ArbiterHandle;
use rand::seq::SliceRandom;

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
    fail_point,
    ids::UserId,
    platform::{metrics::Metrics, settings::Forecasting},
    supervisor::turns::{self, Work},
    work::prices::KnownPrices,
};

/// People with a stale forecast that one look finds, at most.
const LOOK: usize = 1_000;

/// The part of a turn in which it computes; in the rest of it others have the machine and the database.
const SHARE: u32 = 5;

/// After a turn that the database did not take part in.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Somebody whose step failed, though they were alone in it, or whose computation fell is left out for so long.
const ASIDE: Duration = Duration::from_secs(60);

/// The work of computing.
pub struct Forecaster {
    store: Arc<Store>,
    prices: Arc<KnownPrices>,
    seen: Arc<Seen>,
    settings: Forecasting,
    metrics: Arc<Metrics>,
    people: People,
    /// Of the prices that people were marked by last.
    price_version: i64,
    stride: Stride,
    complained: bool,
}

impl Forecaster {
    /// Starts on a thread, which is to carry no sockets.
    pub fn start(
        (store, prices): (Arc<Store>, Arc<KnownPrices>),
        seen: Arc<Seen>,
        settings: Forecasting,
        metrics: Arc<Metrics>,
        arbiter: &ArbiterHandle,
    ) {
        turns::start(arbiter, move || Self {
            store,
            prices,
            seen,
            settings,
            metrics,
            people: People::new(seen::MOST),
            price_version: 0,
            stride: Stride::default(),
            complained: false,
        });
    }

    async fn attempt(&mut self, started: Instant) -> Result<(), Refusal> {
        self.people.see(self.seen.take(), started, self.settings.seen_for);
        let board = self.prices.now();
        if board.version != self.price_version {
            self.people.mark(&board.prices, self.settings.min_move);
            self.price_version = board.version;
        }
        let stale = self.store.stale_people(LOOK).await?;
        let perhaps_more = stale.len() >= LOOK;
        let mut line = self.people.line(stale, perhaps_more, started);
        // Nodes that do the same people do them in another order.
        line.others.shuffle(&mut rand::rng());
        let left = self.walk(&board, line, started).await?;
        self.metrics.forecasts_due.set(i64::try_from(left).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Goes through the line until the time is over; how many are left.
    async fn walk(
        &mut self,
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
                let (next, rest) = people.split_at(self.stride.people().min(people.len()));
                let step = Instant::now();
                if let Err(why) = self.step(board, next).await {
                    // One of them may be the reason: whoever it is, half of them is tried until they are alone.
                    self.stride.failed(next.len());
                    let [alone] = next else { continue };
                    self.people.set_aside(alone, Instant::now() + ASIDE);
                    return Err(why);
                }
                (people, left, is_owed) = (rest, left - next.len(), false);
                actix_rt::time::sleep(step.elapsed() * (SHARE - 1)).await;
            }
        }
        Ok(left)
    }

    /// Computes and keeps the forecasts of some people.
    async fn step(&mut self, board: &PriceBoard, people: &[UserId]) -> Result<(), Refusal> {
        let started = Instant::now();
        let grounds = self.store.grounds(people.to_vec()).await?;
        let mut foreseen = Vec::with_capacity(grounds.len());
        let mut used = HashMap::with_capacity(people.len());
        let mut fallen = HashSet::new();
        for grounds in grounds {
            // Whose computation falls takes nothing from the others, and is tried again later.
            let Ok(computed) = catch_unwind(AssertUnwindSafe(|| {
                fail_point!("forecasts.compute");
                compute(&grounds, board)
            })) else {
                log::error!("the forecasts of a person could not be computed: it panicked");
                self.people.set_aside(&grounds.user, Instant::now() + ASIDE);
                fallen.insert(grounds.user);
                continue;
            };
            self.count("unchanged", computed.unchanged);
            used.insert(grounds.user.clone(), computed.used);
            if !computed.summaries.is_empty() {
                let (user, generation) = (grounds.user, grounds.generation);
                foreseen.push(Foreseen { user, generation, summaries: computed.summaries });
            }
        }
        let overtaken = self.keep(foreseen, board.version).await?;
        let is_done = |user: &&UserId| !overtaken.contains(*user) && !fallen.contains(*user);
        for user in people.iter().filter(is_done) {
            self.people.computed(user, used.remove(user).unwrap_or_default(), started);
        }
        self.stride.took(people.len(), started.elapsed());
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

impl Work for Forecaster {
    const NAME: &'static str = "forecasts";

    fn first(&self) -> Duration {
        self.settings.interval
    }

    async fn turn(&mut self) -> Duration {
        let started = Instant::now();
        let turned = self.attempt(started).await;
        self.metrics.forecast_turn_seconds.observe(started.elapsed().as_secs_f64());
        let was_well = !std::mem::replace(&mut self.complained, turned.is_err());
        match turned {
            Ok(()) => {
                if !was_well {
                    log::info!("forecasts are computed again");
                }
                self.settings.interval
            }
            Err(why) => {
                // Once, until it goes well again.
                if was_well {
                    log::warn!("forecasts grow old: {why}");
                }
                self.settings.interval.max(AFTER_FAILURE)
            }
        }
    }
}
