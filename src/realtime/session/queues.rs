//! Which connection has to go for what waits for it, or for what waits for all. Pure.
//!
//! While all queues together are over their limit, each connection whose socket takes nothing has an equal share of
//! that limit, and goes when it is over it. Somebody always is, so the fullest go first, and the queues come back to
//! about their limit however many they are. A connection that reads goes for nobody else's sake, whatever waits for
//! the next turn of writing.

/// How much may wait, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// For one connection.
    pub one: usize,
    /// For all together.
    pub all: usize,
}

/// What waits on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Bytes for all connections.
    pub waiting: i64,
    /// Connections whose sockets do not take what waits for them.
    pub stalled: usize,
}

impl Limits {
    /// Whether a connection for which `waiting` bytes wait has to go.
    pub fn are_exceeded(self, waiting: usize, is_stalled: bool, load: Load) -> bool {
        let is_full = usize::try_from(load.waiting).is_ok_and(|all| all > self.all);
        waiting > self.one || (is_stalled && is_full && waiting > self.all / load.stalled.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { one: 1000, all: 4000 };

    #[test]
    fn who_goes() {
        for (all, stalled, waiting, is_stalled, goes) in [
            // Its own limit holds always.
            (0, 0, 1000, false, false),
            (0, 0, 1001, false, true),
            // There is room for all.
            (4000, 40, 1000, true, false),
            // There is not: a share is 100.
            (4001, 40, 101, true, true),
            (4001, 40, 100, true, false),
            // It reads.
            (4001, 40, 1000, false, false),
            // Counted in an order of its own.
            (-1, 0, 1000, true, false),
        ] {
            let load = Load { waiting: all, stalled };
            let over = LIMITS.are_exceeded(waiting, is_stalled, load);
            assert_eq!(over, goes, "{load:?} {waiting} {is_stalled}");
        }
    }

    #[test]
    fn however_many_freeze_their_queues_stay_near_the_limit() {
        for frozen in [1, 3, 10, 100, 10_000] {
            let mut load = Load { waiting: 0, stalled: frozen };
            let (mut queues, mut most) = (vec![Some(0); frozen], 0);
            for n in 0..frozen * 300 {
                // Uneven: some channels say more than others.
                let who = (n * n + n) % frozen;
                let Some(waiting) = &mut queues[who] else { continue };
                *waiting += 7;
                load.waiting += 7;
                if LIMITS.are_exceeded(*waiting, true, load) {
                    load.waiting -= *waiting as i64;
                    load.stalled -= 1;
                    queues[who] = None;
                }
                most = most.max(load.waiting);
            }
            assert!(most <= 2 * LIMITS.all as i64, "{frozen}: {most}");
        }
    }
}
