//! How many messages of a room are still on their way to somebody. Pure.

/// Where the slowest seat of a room stands.
#[derive(Default)]
pub struct Progress {
    sent: usize,
    /// Nobody will hear them: refused, or sent on a connection that ended before the answer.
    given_up: usize,
    /// How many seats were told what stands at each place, from the room's first one.
    told: Vec<u64>,
    /// Places of which every seat was told.
    everywhere: usize,
}

impl Progress {
    /// One more message was sent.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// One that was sent will not be waited for. Should it come all the same, the window is one wider.
    pub fn given_up(&mut self) {
        self.given_up += 1;
    }

    /// One more seat was told what stands at the `index`-th place of a room with so many seats.
    pub fn told(&mut self, index: usize, seats: u64) {
        if self.told.len() <= index {
            self.told.resize(index + 1, 0);
        }
        self.told[index] += 1;
        while self.told.get(self.everywhere).is_some_and(|told| *told >= seats) {
            self.everywhere += 1;
        }
    }

    /// Messages that somebody waits for.
    pub fn under_way(&self) -> usize {
        self.sent.saturating_sub(self.given_up + self.everywhere)
    }
}
