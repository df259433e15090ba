//! People who watch what they hold: sockets in `dashboard:#user`, and how old a new price is when its holdings arrive.
//!
//! What they are told is held against what anybody sees, so that who is told nothing is found out.

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::Deserialize;

use super::{
    figures::Figures,
    news::{Held, News, Watcher},
};
use crate::{
    domain::moment::Moment,
    load::{
        Failure,
        clock::Clock,
        connection::Member,
        hearing::{Message, Refusal, Subscribed},
        histogram::Histogram,
        swarm::{Ear, Manner, Swarm},
        target::Target,
    },
    protocol::Position,
};

/// The longest wait of one turn.
const TURN: Duration = Duration::from_millis(20);
/// Connections on their way in at a time.
const HANDSHAKES: usize = 64;
/// How often it is looked who is behind, in nanoseconds.
const LOOK: u64 = 500_000_000;
/// Who is behind for longer is an error, in nanoseconds.
const LATE: u64 = 10_000_000_000;

/// What anybody has seen.
pub type Known = Arc<Mutex<News>>;

/// Watchers on a thread of their own.
pub struct Watchers {
    /// What they should know by and by.
    pub known: Known,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Watched, Failure>>,
}

/// What came of it.
#[derive(Default)]
pub struct Watched {
    /// From the observation of a price to whoever is told what it is worth to them: of each message with new prices.
    pub ages: Histogram,
    pub figures: Figures,
}

/// A message.
#[derive(Deserialize)]
struct Told<'a> {
    r#type: &'a str,
    #[serde(default)]
    holdings: Vec<Held>,
}

struct Watching {
    watchers: Vec<Watcher>,
    known: Known,
    watched: Watched,
}

impl Watchers {
    /// Lets the first people of `target` watch, whose numbers begin with 1.
    pub fn start(target: Target, watchers: usize, clock: Clock) -> Result<Self, Failure> {
        let (stop, known) = (Arc::new(AtomicBool::new(false)), Known::default());
        let (stopped, mine) = (stop.clone(), known.clone());
        let thread = std::thread::Builder::new().name("watchers".into());
        let thread = thread
            .spawn(move || watch(target, watchers, clock, mine, &stopped))
            .map_err(|e| Failure(format!("can't start a thread for watchers: {e}")))?;
        Ok(Self { known, stop, thread })
    }

    /// Nobody watches any more, as soon as all were told what anybody knows by now, or too late.
    pub fn end(self) -> Watched {
        self.stop.store(true, Relaxed);
        let watched = self.thread.join();
        let watched = watched.unwrap_or_else(|_| Err(Failure("the watchers fell".into())));
        watched.unwrap_or_else(|Failure(why)| {
            let mut watched = Watched::default();
            watched.figures.error(format!("nobody could watch: {why}"));
            watched
        })
    }
}

fn watch(
    target: Target,
    watchers: usize,
    clock: Clock,
    known: Known,
    stop: &AtomicBool,
) -> Result<Watched, Failure> {
    let mut swarm = Swarm::new(Rc::new(target), Manner::Client, clock, HANDSHAKES)?;
    for user in 1..=watchers {
        swarm.add(Member { user, room: Some(user) });
    }
    let watchers = vec![Watcher::default(); watchers];
    let mut watching = Watching { watchers, known, watched: Watched::default() };
    let (mut looked, mut stopped) = (0, None);
    loop {
        swarm.turn(TURN, &mut watching)?;
        let now = clock.now();
        if now.saturating_sub(looked) > LOOK {
            looked = now;
            watching.look(now);
        }
        if stop.load(Relaxed) {
            let since = *stopped.get_or_insert(now);
            // Who is behind now is late by then, and that was looked at.
            if watching.all_know() || now - since > LATE + 4 * LOOK {
                break;
            }
        }
    }
    let never = watching.watchers.iter().filter(|one| !one.is_in).count();
    for _ in 0..never {
        watching.watched.figures.error("a watcher never came in".into());
    }
    for (words, times) in &swarm.ends {
        for _ in 0..*times {
            watching.watched.figures.error(format!("a watcher was sent away: {words}"));
        }
    }
    Ok(watching.watched)
}

impl Watching {
    fn hear(&mut self, who: usize, data: &[u8], now: Moment) {
        let Some(watcher) = self.watchers.get_mut(who) else { return };
        let told: Told<'_> = match serde_json::from_slice(data) {
            Ok(told) => told,
            Err(why) => {
                return self.watched.figures.wrong(format!("no part of a dashboard: {why}"));
            }
        };
        if told.r#type != "holdings" {
            return;
        }
        if let Some(oldest) = watcher.hear(&told.holdings, &mut lock(&self.known)) {
            let micros = now.micros().saturating_sub(oldest.micros());
            self.watched.ages.record(u64::try_from(micros).unwrap_or(0).saturating_mul(1_000));
        }
    }

    fn look(&mut self, now: u64) {
        let known = lock(&self.known);
        for watcher in &mut self.watchers {
            if watcher.is_late(&known, now, LATE) {
                let words = "a watcher was not told for 10 s what others know";
                self.watched.figures.error(words.into());
            }
        }
    }

    fn all_know(&self) -> bool {
        let known = lock(&self.known);
        self.watchers.iter().all(|one| one.is_in && !one.is_behind(&known))
    }
}

fn lock(known: &Known) -> MutexGuard<'_, News> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ear for Watching {
    fn position(&self, _who: usize) -> Option<Position> {
        None
    }

    fn joined(&mut self, who: usize, _room: usize, granted: &Subscribed<'_>) {
        if let Some(watcher) = self.watchers.get_mut(who) {
            watcher.is_in = true;
        }
        for message in &granted.publications {
            self.hear(who, message.data, Moment::now());
        }
    }

    fn delivered(&mut self, who: usize, message: Message<'_>, _now: u64) {
        self.hear(who, message.data, Moment::now());
    }

    fn answered(&mut self, _who: usize, _id: u32, _outcome: Result<(), Refusal<'_>>, _now: u64) {}

    /// It is among the ends of the swarm.
    fn gone(&mut self, _who: usize) {}
}

#[cfg(test)]
mod tests {
    use super::{
        super::news::tests::{at, items},
        *,
    };
    use crate::domain::portfolio::id::TokenId;

    #[test]
    fn the_age_of_a_new_price_is_counted_and_what_is_no_part_is_wrong() {
        let token = TokenId::new();
        let watchers = vec![Watcher::default(); 2];
        let mut watching =
            Watching { watchers, known: Known::default(), watched: Watched::default() };
        let mut hear = |who, kind: &str, second, now| {
            let items = items(&[(&token, second)]);
            let message = format!(r#"{{"type":"{kind}","generation":1,"holdings":{items}}}"#);
            watching.hear(who, message.as_bytes(), at(now));
            watching.watched.ages.quantiles().map(|ages| ages.max)
        };
        assert_eq!([hear(0, "holdings", 5, 9), hear(1, "holdings", 5, 9)], [None, None]);
        assert_eq!(hear(0, "forecast", 30, 31), None);
        assert_eq!(hear(0, "holdings", 30, 31), Some(1_000.0));
        watching.hear(1, b"garbage", at(40));
        assert_eq!(watching.watched.figures.wrong, 1);
        assert!(!watching.all_know(), "the other one does not know it");
    }
}
