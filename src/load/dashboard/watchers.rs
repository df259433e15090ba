//! People who watch what they hold: sockets in `dashboard:#user`, and how old a new price is when its holdings arrive.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    domain::moment::Moment,
    load::{
        Failure,
        clock::Clock,
        connection::Member,
        hearing::{Message, Refusal, Subscribed},
        histogram::{Histogram, Quantiles},
        swarm::{Ear, Manner, Swarm},
        target::Target,
    },
    protocol::Position,
};

/// The longest wait of one turn.
const TURN: Duration = Duration::from_millis(20);
/// Connections on their way in at a time.
const HANDSHAKES: usize = 64;
/// What a price is called that says when it was observed.
const OBSERVED: &[u8] = b"\"price_observed_at\":\"";

/// Watchers on a thread of their own.
pub struct Watchers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Histogram, Failure>>,
}

/// How old the newest price of each message was when it came.
struct Watching {
    /// The newest price that each has seen.
    seen: Vec<Moment>,
    ages: Histogram,
}

impl Watchers {
    /// Lets the first people of `target` watch, whose numbers begin with 1.
    pub fn start(target: Target, watchers: usize, clock: Clock) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("watchers".into());
        let thread = thread
            .spawn(move || watch(target, watchers, clock, &stopped))
            .map_err(|e| Failure(format!("can't start a thread for watchers: {e}")))?;
        Ok(Self { stop, thread })
    }

    /// Nobody watches any more. None if no new price came.
    pub fn end(self) -> Result<Option<Quantiles>, Failure> {
        self.stop.store(true, Relaxed);
        let watched = self.thread.join();
        let watched = watched.unwrap_or_else(|_| Err(Failure("the watchers fell".into())));
        watched.map(|ages| ages.quantiles())
    }
}

fn watch(
    target: Target,
    watchers: usize,
    clock: Clock,
    stop: &AtomicBool,
) -> Result<Histogram, Failure> {
    let mut swarm = Swarm::new(Rc::new(target), Manner::Client, clock, HANDSHAKES)?;
    for user in 1..=watchers {
        swarm.add(Member { user, room: Some(user) });
    }
    let seen = vec![Moment::default(); watchers];
    let mut watching = Watching { seen, ages: Histogram::default() };
    while !stop.load(Relaxed) {
        swarm.turn(TURN, &mut watching)?;
    }
    Ok(watching.ages)
}

impl Watching {
    fn hear(&mut self, who: usize, data: &[u8], now: Moment) {
        let (Some(newest), Some(seen)) = (newest(data), self.seen.get_mut(who)) else { return };
        // The first message is the state that stood before; and a write of their own shows prices that they know.
        let first = std::mem::replace(seen, newest.max(*seen));
        if first != Moment::default() && newest > first {
            let micros = now.micros().saturating_sub(newest.micros());
            self.ages.record(u64::try_from(micros).unwrap_or(0).saturating_mul(1_000));
        }
    }
}

/// When the newest price of a message was observed.
fn newest(data: &[u8]) -> Option<Moment> {
    let moment = |at: usize| {
        let text = data.get(at + OBSERVED.len()..)?;
        let end = memchr::memchr(b'"', text)?;
        std::str::from_utf8(&text[..end]).ok()?.parse::<Moment>().ok()
    };
    memchr::memmem::find_iter(data, OBSERVED).filter_map(moment).max()
}

impl Ear for Watching {
    fn position(&self, _who: usize) -> Option<Position> {
        None
    }

    fn joined(&mut self, who: usize, _room: usize, granted: &Subscribed<'_>) {
        for message in &granted.publications {
            self.hear(who, message.data, Moment::now());
        }
    }

    fn delivered(&mut self, who: usize, message: Message<'_>, _now: u64) {
        self.hear(who, message.data, Moment::now());
    }

    fn answered(&mut self, _who: usize, _id: u32, _outcome: Result<(), Refusal<'_>>, _now: u64) {}

    fn gone(&mut self, _who: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_new_price_is_counted_and_of_one_that_was_seen_it_is_not() {
        let at = |seconds: i64| Moment::from_micros((1_700_000_000 + seconds) * 1_000_000);
        let message = |seconds: &[i64]| {
            let item =
                |second: &i64| format!(r#"{{"price_observed_at":"{}","price":"1"}}"#, at(*second));
            let items: Vec<String> = seconds.iter().map(item).collect();
            format!(r#"{{"type":"holdings","items":[{}]}}"#, items.join(","))
        };
        let mut watching =
            Watching { seen: vec![Moment::default(); 2], ages: Histogram::default() };
        for (who, seconds, now) in
            [(0, &[5, 3][..], 9), (1, &[5], 9), (0, &[5, 4], 20), (1, &[], 20)]
        {
            watching.hear(who, message(seconds).as_bytes(), at(now));
        }
        assert_eq!(watching.ages.quantiles(), None);
        watching.hear(0, message(&[7, 30, 5]).as_bytes(), at(31));
        assert_eq!(watching.ages.quantiles().map(|ages| ages.max), Some(1_000.0));
        watching.hear(0, b"{}", at(40));
        watching.hear(1, message(&[9]).as_bytes(), at(9));
        assert_eq!(watching.ages.quantiles().map(|ages| ages.p50), Some(0.0));
    }
}
