//! Several copies and the one bucket behind them, with answers that come late, or never.

use proptest::prelude::*;

use super::*;

/// What Redis keeps, and the script does there.
#[derive(Default)]
struct One {
    owed: Bucket,
    left: u64,
}

impl One {
    fn charge(&mut self, told: Told, limit: Limit, now: Micros) -> Heard {
        let sum = self.owed.owed(limit, now) + told.taken;
        let owed = if told.left == self.left { sum.min(told.owed) } else { sum };
        self.owed = Bucket::default();
        self.owed.owed(limit, now);
        self.owed.add(owed);
        self.left += 1;
        Heard { owed, left: self.left }
    }
}

#[derive(Default, Clone)]
struct Node {
    copy: Shared,
    /// The charge arrives at the first time, its answer at the second.
    under_way: Option<(Micros, Micros, Told)>,
    answer: Option<Heard>,
}

impl Node {
    /// What Redis does, and what comes back, up to now.
    fn turn(&mut self, one: &mut One, limit: Limit, now: Micros) {
        let Some((there, back, told)) = self.under_way else { return };
        if self.answer.is_none() && there <= now {
            self.answer = Some(one.charge(told, limit, now));
        }
        if back <= now {
            self.copy.answered(self.answer.take());
            self.under_way = None;
        }
    }

    fn take(&mut self, limit: Limit, now: Micros, delay: Micros) -> bool {
        let there = self.copy.wait(limit, now).is_none();
        if there {
            self.copy.spend();
        }
        if let Some(told) = self.copy.to_tell(limit, now) {
            self.under_way = Some((now + delay, now + 2 * delay, told));
        }
        there
    }
}

fn limit(rate: usize, burst: usize) -> Limit {
    Limit::new(rate, burst).expect("a rate")
}

proptest! {
    #[test]
    fn a_node_alone_gives_what_it_would_without_redis(
        rate in 1..100_000usize,
        burst in 1..200usize,
        steps in prop::collection::vec((0..20_000u64, 0..50_000u64), 1..400),
    ) {
        let limit = limit(rate, burst);
        let (mut node, mut one, mut alone) = (Node::default(), One::default(), Bucket::default());
        let mut now = 0;
        for (step, delay) in steps {
            now += step;
            node.turn(&mut one, limit, now);
            prop_assert_eq!(node.take(limit, now, delay), alone.take(limit, now).is_ok());
        }
    }

    #[test]
    fn many_nodes_give_the_limit_a_portion_each_and_what_falls_into_a_round_trip(
        nodes in 2..6usize,
        rate in 1..5_000usize,
        burst in 10..200usize,
        delay in 0..2_000u64,
        longest in 1..4_000u64,
        steps in prop::collection::vec((any::<u64>(), 0..6usize), 200..1_500),
    ) {
        let limit = limit(rate, burst);
        let mut all = vec![Node::default(); nodes];
        let mut one = One::default();
        let (mut now, mut given, mut in_flight) = (0, 0u64, 0u64);
        for (step, who) in steps {
            now += step % longest;
            for node in &mut all {
                node.turn(&mut one, limit, now);
            }
            let node = &mut all[who % nodes];
            let flies = node.under_way.is_some();
            let there = node.take(limit, now, delay);
            given += u64::from(there);
            in_flight += u64::from(there && flies);
        }
        let allowed = limit.most() + now * limit.rate();
        let portions = nodes as u64 * (limit.most() / PORTION + 2 * TOKEN);
        // On its way back an answer grows old, by what the rate gives meanwhile.
        let old = nodes as u64 * limit.rate() * (2 * delay + longest);
        prop_assert!(given * TOKEN <= allowed + portions + old + in_flight * TOKEN, "{given} by {now}");
    }
}

#[test]
fn what_others_took_is_heard_with_the_first_portion() {
    let hundred = limit(1, 100);
    let (mut ana, mut bo, mut one) = (Node::default(), Node::default(), One::default());
    let take = |node: &mut Node, one: &mut One| {
        node.turn(one, hundred, 0);
        node.take(hundred, 0, 0)
    };
    assert_eq!((0..200).filter(|_| take(&mut ana, &mut one)).count(), 100);
    assert_eq!((0..200).filter(|_| take(&mut bo, &mut one)).count(), 10);
}

#[test]
fn who_goes_at_the_full_rate_on_two_nodes_is_held_to_it_on_both_together() {
    let ten = limit(10, 20);
    let mut one = One::default();
    let mut nodes = [Node::default(), Node::default()];
    let mut given = 0;
    for now in (0..60 * TOKEN).step_by(100_000) {
        for node in &mut nodes {
            node.turn(&mut one, ten, now);
            given += u64::from(node.take(ten, now, 500));
        }
    }
    // A minute of ten a second, and the burst.
    assert!((600..=630).contains(&given), "{given}");
}

#[test]
fn who_is_not_answered_goes_on_and_does_not_pay_twice() {
    let ten = limit(10, 10);
    let mut copy = Shared::default();
    for _ in 0..10 {
        assert_eq!(copy.wait(ten, 0), None);
        copy.spend();
        if copy.to_tell(ten, 0).is_some() {
            copy.answered(None);
        }
    }
    assert_eq!(copy.wait(ten, 0), Some(Duration::from_millis(100)));
    assert_eq!(copy.wait(ten, 100_000), None);
    assert_eq!(copy.to_tell(ten, 100_000), None, "it was told, as far as is known");
    assert!(!copy.is_idle(ten, 1_000_000));
    assert!(copy.is_idle(ten, 1_100_000));
}

#[test]
fn one_that_waits_for_an_answer_is_not_forgotten() {
    let one = limit(1, 1);
    let mut copy = Shared::default();
    copy.spend();
    let told = Told { taken: TOKEN, owed: TOKEN, left: 0 };
    assert_eq!(copy.to_tell(one, 0), Some(told));
    assert!(!copy.is_idle(one, 5_000_000));
    copy.answered(Some(Heard { owed: 0, left: 7 }));
    assert!(copy.is_idle(one, 5_000_000));
}
