//! Which fault is done when: each alone, then in pairs, with quiet windows between. Follows from the seed alone.

use std::fmt;

use super::{
    dice::Dice,
    kind::{ALL, Kind, Part},
    record::{Nanos, SECOND},
};

/// What a run is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub seed: u64,
    pub slots: Vec<Slot>,
    /// When publishing ends.
    pub end: Nanos,
}

/// One time at which something breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    pub at: Nanos,
    /// One, or two that overlap.
    pub acts: Vec<Act>,
    /// When everybody is to be back.
    pub over: Nanos,
}

/// One fault of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Act {
    pub kind: Kind,
    pub node: Option<u8>,
    /// From when it is there until it is healed.
    pub lasts: Nanos,
    /// After the beginning of its slot.
    pub after: Nanos,
}

/// What a plan is drawn for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub seed: u64,
    pub seconds: u64,
    pub nodes: u8,
    /// Whether the binary under test has failpoints.
    pub failpoints: bool,
    /// Exactly these, in this order, one after the other; empty: whatever fits.
    pub kinds: Vec<Kind>,
}

/// Before the first fault: a quiet window.
const WARM_UP: Nanos = 3 * SECOND;
/// What clients have to come back in, and to go home.
const RECOVERY: Nanos = 13 * SECOND / 2;
/// After the last one, for the last words.
const TAIL: Nanos = 2 * SECOND;
/// A run that is shorter than this is hasty: only short faults, short windows.
const HASTY: u64 = 180;

impl Plan {
    /// Draws a plan.
    pub fn draw(wish: &Wish) -> Self {
        let mut dice = Dice::new(wish.seed);
        let end = wish.seconds * SECOND;
        let hasty = wish.seconds < HASTY;
        let (longest, quiet) = if hasty { (1_000, 5 * SECOND / 4) } else { (u64::MAX, 5 * SECOND) };
        let asked = !wish.kinds.is_empty();
        let mut alone: Vec<Kind> = match asked {
            true => wish.kinds.clone(),
            false => ALL.iter().copied().filter(|kind| is_possible(*kind, wish, longest)).collect(),
        };
        if !asked {
            dice.shuffle(&mut alone);
        }
        let all = alone.clone();
        let mut plan = Self { seed: wish.seed, slots: Vec::new(), end };
        let mut at = WARM_UP;
        // A hasty run takes what fits; a long one goes on in pairs.
        let mut alone = alone.into_iter();
        let mut promoted = 0;
        loop {
            let next = alone.next();
            let acts = match next {
                Some(kind) => vec![act(kind, wish, &mut dice, longest)],
                None if asked || hasty => break,
                None => pair(&all, promoted > 1, wish, &mut dice),
            };
            let over =
                at + acts.iter().map(|act| act.after + act.lasts).max().unwrap_or(0) + RECOVERY;
            if over + TAIL > end {
                break;
            }
            promoted += acts.iter().filter(|act| act.kind == Kind::PostgresPromote).count();
            plan.slots.push(Slot { at, acts, over });
            at = over + quiet;
        }
        plan
    }
}

fn is_possible(kind: Kind, wish: &Wish, longest: u64) -> bool {
    let shortest = kind.durations().iter().min().copied().unwrap_or(0);
    let is_there = wish.nodes > 1 || kind.can_be_done_to_one_node();
    is_there && (wish.failpoints || kind.failpoint().is_none()) && shortest <= longest
}

fn act(kind: Kind, wish: &Wish, dice: &mut Dice, longest: u64) -> Act {
    let fitting: Vec<u64> = kind.durations().iter().copied().filter(|ms| *ms <= longest).collect();
    let lasts = dice.one_of(&fitting).or(kind.durations().first()).copied().unwrap_or(0);
    let node = kind.has_a_node().then(|| dice.below(wish.nodes.into()) as u8);
    Act { kind, node, lasts: lasts * (SECOND / 1000), after: 0 }
}

/// Two of different parts: what happens to one part twice at once is one fault.
fn pair(all: &[Kind], no_promotion: bool, wish: &Wish, dice: &mut Dice) -> Vec<Act> {
    // Whoever stands still for 15 s would fill the run.
    let fits = |kind: &&Kind| {
        **kind != Kind::NodePauseLong && !(no_promotion && **kind == Kind::PostgresPromote)
    };
    let of = |part: &dyn Fn(Part) -> bool| -> Vec<Kind> {
        all.iter().filter(fits).filter(|kind| part(kind.part())).copied().collect()
    };
    let firsts = of(&|_| true);
    let Some(first) = dice.one_of(&firsts) else { return Vec::new() };
    let mut first = act(*first, wish, dice, 6_000);
    let seconds = of(&|part| part != first.kind.part());
    let Some(second) = dice.one_of(&seconds) else { return vec![first] };
    let mut second = act(*second, wish, dice, 6_000);
    // A node gets to a failpoint while messages flow: before what carries them stands still, not after.
    if second.kind.needs(first.kind.part()) {
        std::mem::swap(&mut first, &mut second);
    }
    second.after = dice.below(first.lasts.max(SECOND / 2));
    vec![first, second]
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} slots in {} s", self.seed, self.slots.len(), self.end / SECOND)?;
        for slot in &self.slots {
            let acts: Vec<String> = slot.acts.iter().map(Act::to_string).collect();
            writeln!(f, "  {:>6.1} s  {}", slot.at as f64 / SECOND as f64, acts.join("; "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |nanos: Nanos| nanos as f64 / SECOND as f64;
        write!(f, "{}", self.kind.name())?;
        if let Some(node) = self.node {
            write!(f, " of node {node}")?;
        }
        if self.lasts > 0 {
            write!(f, " for {:.1} s", seconds(self.lasts))?;
        }
        if self.after > 0 {
            write!(f, ", {:.1} s later", seconds(self.after))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(seed: u64, seconds: u64) -> Wish {
        Wish { seed, seconds, nodes: 3, failpoints: true, kinds: Vec::new() }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan_and_another_another() {
        let plan = Plan::draw(&wish(7, 900));
        assert_eq!(plan, Plan::draw(&wish(7, 900)));
        assert_ne!(plan.slots, Plan::draw(&wish(8, 900)).slots);
        assert!(plan.to_string().starts_with("seed 7: "), "{plan}");
    }

    #[test]
    fn a_quarter_of_an_hour_has_every_fault_alone_and_some_in_pairs() {
        for seed in 0..50 {
            let plan = Plan::draw(&wish(seed, 900));
            let alone = |kind: &Kind| {
                plan.slots.iter().any(|slot| slot.acts.len() == 1 && slot.acts[0].kind == *kind)
            };
            assert!(ALL.iter().all(alone), "{plan}");
            let pairs = plan.slots.iter().filter(|slot| slot.acts.len() == 2);
            assert!(pairs.count() >= 8, "{plan}");
        }
    }

    #[test]
    fn no_node_is_to_die_of_a_commit_or_a_broadcast_while_there_is_none() {
        let stands_still = |slot: &Slot| {
            let broken = slot.acts[0].kind.part();
            let in_vain = |kind: Kind| match broken {
                Part::Postgres => kind.failpoint().is_some(),
                Part::Redis => kind == Kind::NodeSent,
                _ => false,
            };
            slot.acts.iter().any(|act| in_vain(act.kind))
        };
        assert!((0..50).all(|seed| !Plan::draw(&wish(seed, 900)).slots.iter().any(stands_still)));
    }

    #[test]
    fn a_minute_has_six_faults() {
        for seed in 0..50 {
            let plan = Plan::draw(&wish(seed, 60));
            assert!(plan.slots.len() >= 6, "{plan}");
            assert!(plan.slots.iter().all(|slot| slot.acts.len() == 1), "{plan}");
        }
    }

    #[test]
    fn slots_leave_time_to_come_back_and_quiet_windows() {
        for (seed, seconds) in [(1, 60), (2, 300), (3, 900)] {
            let plan = Plan::draw(&wish(seed, seconds));
            let mut quiet_since = 0;
            for slot in &plan.slots {
                assert!(slot.at >= quiet_since + SECOND, "{plan}");
                for act in &slot.acts {
                    assert!(slot.at + act.after + act.lasts + 5 * SECOND <= slot.over, "{plan}");
                    assert_eq!(act.node.is_some(), act.kind.has_a_node());
                    assert!(act.node.is_none_or(|node| node < 3));
                }
                quiet_since = slot.over;
            }
            assert!(quiet_since + TAIL <= plan.end, "{plan}");
        }
    }

    #[test]
    fn durations_lie_on_both_sides_of_thresholds() {
        let kinds =
            |seed| Plan::draw(&wish(seed, 900)).slots.into_iter().flat_map(|slot| slot.acts);
        let lasts: Vec<Nanos> = (0..20)
            .flat_map(kinds)
            .filter(|act| act.kind == Kind::RedisCut)
            .map(|act| act.lasts)
            .collect();
        assert!(lasts.iter().any(|lasts| *lasts < 3 * SECOND));
        assert!(lasts.iter().any(|lasts| *lasts > 3 * SECOND));
    }

    #[test]
    fn what_is_asked_for_is_done_in_that_order_and_nothing_else() {
        let kinds = vec![Kind::RedisCut, Kind::Nothing, Kind::NodeKill];
        let plan = Plan::draw(&Wish { kinds: kinds.clone(), ..wish(1, 120) });
        let drawn: Vec<Kind> = plan.slots.iter().map(|slot| slot.acts[0].kind).collect();
        assert_eq!(drawn, kinds);
        let without = Wish { failpoints: false, ..wish(1, 900) };
        let acts = |wish: &Wish| Plan::draw(wish).slots.into_iter().flat_map(|slot| slot.acts);
        assert!(acts(&without).all(|act| act.kind.failpoint().is_none()));
        let alone = Wish { nodes: 1, ..wish(1, 900) };
        assert!(acts(&alone).all(|act| matches!(act.kind.part(), Part::Node | Part::Postgres)));
    }
}
