//! Who lives, who is heard, who has done what: as tables.

use super::*;
use crate::ids::WriterId;

const LEASE: Duration = Duration::from_secs(10);

/// Seconds after the start.
struct World {
    start: Instant,
    peers: Peers,
}

impl World {
    fn new(shards: usize) -> Self {
        let start = Instant::now();
        let mut peers = Peers::new(NodeId::new(), LEASE, start);
        peers.shards(Shards(shards), start);
        Self { start, peers }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn beat(&mut self, run: NodeId, beat: Beat, seconds: f64) -> bool {
        let now = self.at(seconds);
        self.peers.beat(run, beat, NodeId::new(), now)
    }

    fn heard(&mut self, run: NodeId, shard: usize, seconds: f64) {
        let now = self.at(seconds);
        self.peers.heard(Heard { run, shard }, now);
    }

    /// The feed is read each half second.
    fn read(&mut self, from: f64, to: f64) {
        let mut seconds = from;
        while seconds <= to {
            let now = self.at(seconds);
            self.peers.read(true, now);
            seconds += 0.5;
        }
    }

    fn look(&mut self, seconds: f64) -> Outlook {
        let now = self.at(seconds);
        self.peers.look(now)
    }
}

fn trusting(name: &str) -> Beat {
    let info = Info { name: name.into(), ..Info::default() };
    Beat { info, trusts: true, ..Beat::default() }
}

fn unheard(name: &str, shard: usize) -> Reason {
    Reason::Unheard { name: name.into(), shard }
}

#[test]
fn a_live_run_has_to_be_heard_on_every_shard() {
    let mut world = World::new(2);
    let run = NodeId::new();
    assert_eq!(world.look(9.0).bridge, Bridge::Trusted, "nobody else is there");
    world.beat(run, trusting("b"), 10.0);
    assert_eq!(world.look(12.9).bridge, Bridge::Trusted, "it has just come");
    world.heard(run, 0, 12.5);
    let degraded = world.look(13.1);
    assert_eq!(degraded.bridge, Bridge::Degraded(vec![unheard("b", 1)]));
    assert!(degraded.hurry && !world.peers.say(Info::default(), world.at(13.1)).trusts);
    world.heard(run, 1, 13.2);
    let well = world.look(13.3);
    assert_eq!((well.bridge, well.hurry), (Bridge::Trusted, false));
    assert!(world.peers.say(Info::default(), world.at(13.3)).trusts);
    world.heard(run, 1, 15.0);
    assert_eq!(world.look(16.0).bridge, Bridge::Degraded(vec![unheard("b", 0)]));
}

#[test]
fn a_run_that_does_not_trust_its_side_makes_both_hurry_and_neither_for_ever() {
    let mut world = World::new(1);
    let run = NodeId::new();
    world.beat(run, Beat { trusts: false, ..trusting("b") }, 1.0);
    world.heard(run, 0, 1.0);
    let outlook = world.look(2.0);
    assert_eq!(outlook.bridge, Bridge::Degraded(vec![Reason::Distrusted { name: "b".into() }]));
    assert!(outlook.hurry);
    // Or two that distrust each other for distrusting would never stop.
    assert!(world.peers.say(Info::default(), world.at(2.0)).trusts);
    world.beat(run, trusting("b"), 3.0);
    assert!(!world.look(3.5).hurry);
}

#[test]
fn without_a_bridge_one_hurries_for_others_only() {
    let mut world = World::new(0);
    let alone = world.look(1.0);
    assert_eq!((alone.bridge, alone.hurry), (Bridge::Absent, false));
    world.beat(NodeId::new(), Beat { trusts: false, ..trusting("b") }, 2.0);
    let two = world.look(2.0);
    assert_eq!((two.bridge, two.hurry, two.live.len()), (Bridge::Absent, true, 1));
    assert!(!world.peers.say(Info::default(), world.at(2.0)).trusts);
}

#[test]
fn another_number_of_shards_begins_anew() {
    let mut world = World::new(1);
    let run = NodeId::new();
    world.beat(run, trusting("b"), 0.0);
    world.heard(run, 0, 4.0);
    world.heard(run, 7, 4.0);
    let now = world.at(5.0);
    world.peers.shards(Shards(2), now);
    assert_eq!(world.look(7.9).bridge, Bridge::Trusted);
    let both = vec![unheard("b", 0), unheard("b", 1)];
    assert_eq!(world.look(8.0).bridge, Bridge::Degraded(both));
}

#[test]
fn a_silent_run_is_dead_after_a_lease_and_told_once() {
    let mut world = World::new(0);
    let run = NodeId::new();
    world.read(0.0, 1.0);
    world.beat(run, trusting("b"), 1.0);
    world.read(1.5, 10.5);
    assert_eq!(world.look(10.9).died, []);
    assert_eq!(world.look(11.0).died, [run]);
    let after = world.look(11.1);
    assert_eq!((after.died, after.live), (vec![], vec![]));
}

#[test]
fn nobody_dies_while_the_observer_could_not_read() {
    // (until when it read, whether it failed after that, from when it read again, when the other one is dead)
    for (until, failed, again, dead) in [(3.0, true, 3.5, 13.5), (3.0, false, 9.0, 19.0)] {
        let mut world = World::new(0);
        let run = NodeId::new();
        world.read(0.0, until);
        world.beat(run, trusting("b"), 0.5);
        if failed {
            world.peers.read_failed();
            assert_eq!(world.look(100.0).died, [], "as long as it can't read");
        }
        world.read(again, dead - 0.5);
        assert_eq!(world.look(dead - 0.1).died, [], "{until} {failed}");
        assert_eq!(world.look(dead).died, [run], "{until} {failed}");
    }
}

#[test]
fn who_is_heard_on_the_bridge_is_not_dead() {
    let mut world = World::new(2);
    let run = NodeId::new();
    world.beat(run, trusting("b"), 0.0);
    world.read(0.0, 19.0);
    world.heard(run, 1, 9.0);
    assert_eq!(world.look(18.9).died, []);
    assert_eq!(world.look(19.0).died, [run]);
}

#[test]
fn who_says_good_bye_is_gone_at_once() {
    let mut world = World::new(1);
    let run = NodeId::new();
    world.beat(run, trusting("b"), 0.0);
    world.peers.farewell(run);
    let outlook = world.look(5.0);
    assert_eq!((outlook.died, outlook.bridge), (vec![run], Bridge::Trusted));
}

#[test]
fn who_was_declared_dead_and_lives_takes_another_name() {
    let (mut here, mut there) = (World::new(0), World::new(0));
    let (me, it) = (here.peers.me(), there.peers.me());
    here.read(0.0, 1.0);
    here.beat(it, trusting("b"), 0.5);
    here.read(1.5, 12.0);
    assert_eq!(here.look(12.0).died, [it]);
    let said = here.peers.say(Info::default(), here.at(12.0));
    assert!(there.beat(me, said.clone(), 12.5), "it hears of its death");
    let renamed = there.peers.me();
    assert!(renamed != it && !there.beat(me, said, 13.0), "once");
    let said = there.peers.say(Info::default(), there.at(13.0));
    assert_eq!(said.voice, Some(it), "on the bridge it is who it was");
    here.beat(renamed, said, 13.0);
    assert_eq!(here.look(13.0).live.len(), 1);
    let later = here.peers.say(Info::default(), here.at(80.0));
    assert!(later.buried.contains(&it));
    here.read(13.0, 90.0);
    here.look(90.0);
    assert!(here.peers.say(Info::default(), here.at(90.0)).buried.contains(&renamed));
    assert!(
        !here.peers.say(Info::default(), here.at(90.0)).buried.contains(&it),
        "and is forgotten"
    );
}

fn place(writer: u128, seq: u64) -> Place {
    Place { writer: WriterId(uuid::Uuid::from_u128(writer)), seq }
}

#[test]
fn what_a_run_asked_is_done_when_every_live_run_has_read_it() {
    let mut world = World::new(0);
    let (me, b, c) = (world.peers.me(), NodeId::new(), NodeId::new());
    let passed = |at| Beat { passed: [(me, at)].into(), ..trusting("x") };
    world.peers.writes(place(1, 0).writer);
    world.beat(b, trusting("b"), 0.0);
    world.beat(c, passed(place(1, 6)), 0.0);
    let asked = place(1, 7);
    assert_eq!((world.peers.lagging(asked), world.peers.count()), (3, 3));
    let now = world.at(1.0);
    world.peers.noted(me, asked);
    world.peers.read(false, now);
    assert_eq!(world.peers.lagging(asked), 3, "a part of the look was left out");
    world.peers.read(true, now);
    world.beat(b, passed(asked), 1.0);
    assert_eq!((world.peers.lagging(asked), world.peers.lagging(place(1, 6))), (1, 0));
    world.peers.farewell(c);
    assert_eq!(world.peers.lagging(asked), 0, "who is gone need not");
}

#[test]
fn a_note_of_a_later_writer_stands_behind_all_of_those_before_and_no_other_does() {
    let mut world = World::new(0);
    let (me, b) = (world.peers.me(), NodeId::new());
    for writer in [3, 1] {
        world.peers.writes(place(writer, 0).writer);
    }
    world.peers.noted(me, place(1, 1));
    let now = world.at(0.0);
    world.peers.read(true, now);
    for (at, lags) in [(place(3, 8), 1), (place(3, 9), 0), (place(1, 1), 0), (place(2, 99), 1)] {
        world.beat(b, Beat { passed: [(me, at)].into(), ..trusting("b") }, 0.0);
        assert_eq!(world.peers.lagging(place(3, 9)), lags, "{at:?}");
    }
    world.beat(b, Beat { passed: [(me, place(3, 99))].into(), ..trusting("b") }, 0.0);
    assert_eq!(world.peers.lagging(place(1, 1)), 1);
}
