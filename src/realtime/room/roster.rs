//! The connections of one worker thread and their deadlines: what hub and sessions of that thread share.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::{Duration, Instant},
};

use crate::ids::Channel;

use super::{
    seat::{Seat, SeatId, WorkerIndex},
    wheel::{Wheel, WorkerTime},
};

/// Never crosses threads; borrowed for the length of one call only.
pub struct Roster {
    worker: WorkerIndex,
    born: Instant,
    inner: RefCell<Inner>,
}

struct Inner {
    count: u64,
    seats: HashMap<SeatId, Rc<dyn Seat>>,
    wheel: Wheel<Sleeper>,
    /// Whose time has come and who was not woken yet.
    due: VecDeque<Sleeper>,
}

/// Who asked to be woken.
enum Sleeper {
    Seat(SeatId),
    Room(Channel),
}

impl Roster {
    /// An empty one.
    pub fn new(worker: WorkerIndex) -> Rc<Self> {
        Rc::new(Self {
            worker,
            born: Instant::now(),
            inner: RefCell::new(Inner {
                count: 0,
                seats: HashMap::new(),
                wheel: Wheel::new(Duration::ZERO),
                due: VecDeque::new(),
            }),
        })
    }

    /// Which worker thread this is.
    pub fn worker(&self) -> WorkerIndex {
        self.worker
    }

    /// An id for a new connection.
    pub fn next_id(&self) -> SeatId {
        let mut inner = self.inner.borrow_mut();
        inner.count += 1;
        SeatId::new(self.worker, inner.count)
    }

    /// A new connection.
    pub fn enter(&self, id: SeatId, seat: Rc<dyn Seat>) {
        self.inner.borrow_mut().seats.insert(id, seat);
    }

    /// A connection is gone.
    pub fn leave(&self, id: SeatId) {
        let gone = self.inner.borrow_mut().seats.remove(&id);
        drop(gone);
    }

    /// The connection of that id, if it is still there.
    pub fn seat(&self, id: SeatId) -> Option<Rc<dyn Seat>> {
        self.inner.borrow().seats.get(&id).cloned()
    }

    /// All connections.
    pub fn ids(&self) -> Vec<SeatId> {
        self.inner.borrow().seats.keys().copied().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.inner.borrow().seats.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The worker's clock.
    pub fn now(&self) -> WorkerTime {
        self.inner.borrow().wheel.now()
    }

    /// Asks for [`Seat::due`] at that time.
    pub fn wake(&self, id: SeatId, at: WorkerTime) {
        self.inner.borrow_mut().wheel.wake(Sleeper::Seat(id), at);
    }

    /// Files a room to be handed out by a tick after that time.
    pub(super) fn wake_room(&self, channel: Channel, after: Duration) {
        let mut inner = self.inner.borrow_mut();
        let at = inner.wheel.now() + after;
        inner.wheel.wake(Sleeper::Room(channel), at);
    }

    /// Once a turn, by the hub: wakes connections and rooms whose time has come, says how late it was.
    /// One that falls over its waking keeps nobody else asleep: they are woken by the next tick.
    pub(super) fn tick(&self, wake_room: impl Fn(Channel)) -> Duration {
        self.tick_at(self.born.elapsed(), wake_room)
    }

    fn tick_at(&self, real: Duration, wake_room: impl Fn(Channel)) -> Duration {
        let late = {
            let mut inner = self.inner.borrow_mut();
            let (due, late) = inner.wheel.tick(real);
            inner.due.extend(due);
            late
        };
        while let Some(sleeper) = self.next_due() {
            match sleeper {
                Sleeper::Seat(id) => {
                    if let Some(seat) = self.seat(id) {
                        seat.due();
                    }
                }
                Sleeper::Room(channel) => wake_room(channel),
            }
        }
        late
    }

    fn next_due(&self) -> Option<Sleeper> {
        self.inner.borrow_mut().due.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind},
    };

    use super::*;
    use crate::realtime::room::wheel::TURN;

    #[test]
    fn one_that_falls_over_its_waking_keeps_nobody_else_asleep() {
        let roster = Roster::new(0);
        for channel in ["a", "b", "c"] {
            roster.wake_room(Channel::trusted(channel), Duration::ZERO);
        }
        let woken = Cell::new(0);
        let wake = |_| {
            woken.set(woken.get() + 1);
            assert_ne!(woken.get(), 1, "the first falls");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| roster.tick_at(TURN, wake))).is_err());
        roster.tick_at(TURN, wake);
        assert_eq!(woken.get(), 3);
    }
}
