//! Asks for prices on behalf of the whole cluster, in the background.
//!
//! One node at a time does it: who has the lease in the database. It asks each half minute, from one beginning to the
//! next, for what anybody holds or plans for, a hundred tokens a call, and writes what it believes under the number of its
//! lease, so that one which stood still meanwhile writes nothing old. A node alone on its file needs no lease.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::ArbiterHandle;
use rand::RngExt;

use super::{
    pace::Pace,
    quotes::{NoQuotes, Provider, Quotes, Wanted, judge},
    rota::{Rota, Round},
};
use crate::{
    domain::{
        decimal::Decimal,
        portfolio::{Refusal, id::TokenId},
        store::{self, Fence, Observed, Outbox, Store},
    },
    fail_point, fail_point_async,
    platform::metrics::Metrics,
    supervisor::turns::{self, Work},
};

/// How often it looks whether it has the lease, and whether a round is due.
const TURN: Duration = Duration::from_secs(1);

/// How long the lease lasts: with a turn more, another node goes on within 10 s of its holder's death. Longer than a
/// call may take.
const LASTS: Duration = Duration::from_secs(8);

/// After a round that the database did not keep.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Tokens of a round, at most: a hundred calls.
const MOST: usize = 10_000;

/// Makes the provider on the thread that asks it.
pub type MakeProvider = Box<dyn Fn() -> Box<dyn Provider> + Send>;

/// The work of asking.
pub struct Refresher {
    store: Arc<Store>,
    outbox: Arc<dyn Outbox>,
    provider: Box<dyn Provider>,
    me: String,
    metrics: Arc<Metrics>,
    pace: Pace,
    rota: Rota,
    /// The last token of the round before, if there were more: the next one begins behind it.
    behind: Option<TokenId>,
    interval: Duration,
    /// When the next round is due.
    due: Instant,
    complained: bool,
}

/// What came of a turn.
enum Turn {
    /// Another node does it, or nothing was due.
    Idle,
    /// All that was wanted was asked for, or a first part while the provider is on trial.
    Round,
    Unanswered(NoQuotes),
    /// Another node does it by now: what came here is not kept.
    Lost,
    /// The database did not do its part.
    Broken(Refusal),
    /// Whether it has the lease is not known: nobody was asked.
    Unknown(Refusal),
}

impl Refresher {
    /// Starts on a thread. `me` tells this run of this node from all others.
    pub fn start(
        (store, outbox): (Arc<Store>, Arc<dyn Outbox>),
        make: MakeProvider,
        (me, interval): (String, Duration),
        metrics: Arc<Metrics>,
        arbiter: &ArbiterHandle,
    ) {
        turns::start(arbiter, move || Self {
            store,
            outbox,
            provider: make(),
            me,
            metrics,
            pace: Pace::default(),
            rota: Rota::default(),
            behind: None,
            interval,
            due: Instant::now(),
            complained: false,
        });
    }

    async fn attempt(&mut self) -> Turn {
        let fence = match self.lease().await {
            Ok(Some(fence)) if self.due <= Instant::now() => fence,
            Ok(_) => return Turn::Idle,
            Err(why) => return Turn::Unknown(why),
        };
        let round = self.round(fence).await.unwrap_or_else(|instead| instead);
        let outcome = match &round {
            Turn::Round | Turn::Idle => "answered",
            Turn::Unanswered(_) => "unanswered",
            Turn::Lost | Turn::Broken(_) | Turn::Unknown(_) => "not_kept",
        };
        self.metrics.price_rounds_total.of(outcome).inc();
        round
    }

    /// None: another node has it. Some(None): none is needed.
    async fn lease(&self) -> Result<Option<Option<Fence>>, Refusal> {
        // Two believe that it is theirs.
        fail_point!("lease.ignored", Ok(Some(None)));
        if !self.store.is_shared() {
            return Ok(Some(None));
        }
        Ok(self.store.lease_prices(&self.me, LASTS).await?.map(Some))
    }

    async fn round(&mut self, fence: Option<Fence>) -> Result<Turn, Turn> {
        let wanted = self.store.wanted_prices(self.behind, MOST).await.map_err(Turn::Broken)?;
        let (is_first, is_all) = (self.behind.is_none(), wanted.len() < MOST);
        self.behind = if is_all { None } else { wanted.last().map(|one| one.token) };
        if is_first && !is_all {
            log::warn!(
                "{MOST} tokens or more are held or planned for: they take turns, and their prices grow old"
            );
        }
        // While it does not answer, one call finds out whether it is back.
        let calls = if self.pace.is_open() { 1 } else { usize::MAX };
        let mut round = self.rota.round(wanted, calls, Instant::now());
        let asked = self.ask_all(fence, &mut round).await;
        let learnt = self.rota.learn(round, Instant::now());
        for number in learnt.iter().flatten() {
            log::warn!("the provider takes no call with token {number}: it is asked for apart");
        }
        asked?;
        learnt.map(|_| Turn::Round).map_err(|why| Turn::Unanswered(NoQuotes::Rejected(why)))
    }

    /// What has come is kept call by call: it is as good when a later one fails.
    async fn ask_all(&mut self, fence: Option<Fence>, round: &mut Round) -> Result<(), Turn> {
        while let Some(call) = round.next_call() {
            // A round may take longer than the lease lasts.
            if self.lease().await.map_err(Turn::Broken)? != Some(fence) {
                return Err(Turn::Lost);
            }
            let asked = call.iter().map(|one| (one.provider_id, one.price)).collect();
            let quotes = match self.ask(&asked).await {
                Ok(quotes) => quotes,
                Err(NoQuotes::Rejected(why)) => {
                    round.refused(call, why);
                    continue;
                }
                Err(why) => {
                    self.rota.failed(&call);
                    return Err(Turn::Unanswered(why));
                }
            };
            round.answered(&call);
            // It stands still behind the last look at its clock.
            fail_point_async!("price.answered");
            let judged = judge(&asked, &quotes);
            for lie in judged.lies.values() {
                self.metrics.price_lies_total.of(lie.as_str()).inc();
            }
            let price =
                |one: &store::WantedPrice| Some((one.token, *judged.prices.get(&one.provider_id)?));
            self.keep(fence, call.iter().filter_map(price).collect()).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, wanted: &Wanted) -> Result<Quotes, NoQuotes> {
        let since = Instant::now();
        self.metrics.price_calls_total.inc();
        let quotes = self.provider.quotes(wanted).await?;
        // Who stood still meanwhile would call old prices new ones.
        if since.elapsed() > LASTS {
            let why = "what it answered was not looked at in time".to_owned();
            return Err(NoQuotes::Unavailable(why));
        }
        Ok(quotes)
    }

    async fn keep(
        &self,
        fence: Option<Fence>,
        prices: HashMap<TokenId, Decimal>,
    ) -> Result<(), Turn> {
        if prices.is_empty() {
            return Ok(());
        }
        let count = prices.len() as u64;
        loop {
            let kept = self.store.observe_prices(fence, prices.clone(), self.outbox.clone()).await;
            let Observed { fired, more, .. } = kept.map_err(Turn::Broken)?.ok_or(Turn::Lost)?;
            self.metrics.alerts_fired_total.inc_by(fired as u64);
            if !more {
                break;
            }
        }
        self.metrics.prices_observed_total.inc_by(count);
        Ok(())
    }

    /// When the next round is due after one that began then, and what is to be said of this one.
    fn conclude(&mut self, turn: Turn, began: Instant) {
        let now = Instant::now();
        match turn {
            Turn::Idle => {}
            Turn::Lost => log::info!("another node asks for prices by now"),
            Turn::Round => {
                // One call too few while it was on trial: the others follow at once.
                self.due = if self.pace.is_open() { now } else { began + self.interval };
                self.pace.answered();
                if std::mem::take(&mut self.complained) {
                    log::info!("prices are fresh again");
                }
            }
            Turn::Unanswered(why) => {
                let dice = rand::rng().random_range(0.0..=1.0);
                self.due = now + self.pace.failed(&why, self.interval, dice);
                self.complain(&why);
            }
            // The provider need not be asked again each second because the database is slow.
            Turn::Broken(why) => {
                self.due = self.due.max(now + AFTER_FAILURE);
                self.complain(&why);
            }
            // Nor need it wait: a holder that died in a transaction keeps the lease's row locked for some seconds.
            Turn::Unknown(why) => self.complain(&why),
        }
    }

    fn complain(&mut self, why: &dyn std::fmt::Display) {
        // Once, until it goes well again.
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!("prices grow old: {why}");
        }
    }
}

impl Work for Refresher {
    const NAME: &'static str = "prices";

    fn first(&self) -> Duration {
        TURN
    }

    async fn turn(&mut self) -> Duration {
        let began = Instant::now();
        let turn = self.attempt().await;
        self.conclude(turn, began);
        // It looks whether it has the lease in between, and begins in time if it has.
        match self.due.saturating_duration_since(Instant::now()) {
            Duration::ZERO => TURN,
            rest => rest.min(TURN),
        }
    }
}
