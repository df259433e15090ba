//! Random histories: every store gives the same answers to the same questions as memory does.

use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{Fixture, Lane, append, channel, keyed};
use crate::realtime::journal::{Append, Appended, Cursor, Direction, Page, Settled, Version};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(usize, u8, Option<u8>, Option<u64>)>),
    Read(usize, Direction, usize, usize),
    Remove(usize),
    Trim,
    Settle,
    Pass(u64),
    Keep(u64),
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn step() -> impl Strategy<Value = Step> {
    let one = (0..3usize, 0..3u8, prop::option::of(0..3u8), prop::option::of(0..4u64));
    let direction = prop_oneof![
        (0..20u64).prop_map(Direction::After),
        prop::option::of(0..20u64).prop_map(Direction::Before)
    ];
    prop_oneof![
        4 => prop::collection::vec(one, 0..6).prop_map(Step::Append),
        4 => (0..3usize, direction, 0..6usize, 0..4usize)
            .prop_map(|(channel, direction, limit, bytes)| Step::Read(channel, direction, limit, bytes)),
        1 => (0..3usize).prop_map(Step::Remove),
        2 => Just(Step::Trim),
        1 => Just(Step::Settle),
        2 => (1..1_000u64).prop_map(Step::Pass),
        1 => (0..8u64).prop_map(Step::Keep),
    ]
}

/// One store, and what a test sees of it; epochs without the generation, which differs.
struct Side {
    it: Fixture,
    lane: Lane,
    cursor: Cursor,
}

impl Side {
    fn new(it: Fixture) -> Self {
        it.world.keep(|retention| {
            retention.size = 8;
            retention.ttl = Duration::from_secs(400);
            retention.meta_ttl = Duration::from_secs(900);
        });
        Self { lane: Lane::new(&it.journal), it, cursor: Cursor::default() }
    }

    async fn take(&mut self, step: &Step) -> String {
        match step {
            Step::Append(appends) => {
                let appends = appends.iter().map(|(channel, data, key, version)| {
                    let (name, data) = (NAMES[*channel], data.to_string());
                    let plain = match key {
                        Some(key) => keyed(name, &data, "api", &key.to_string()),
                        None => append(name, &data),
                    };
                    let version = version.map(|number| Version { number, epoch: String::new() });
                    Append { version, ..plain }
                });
                results(&self.lane.append(appends.collect()).await)
            }
            Step::Read(name, direction, limit, bytes) => {
                shown(&self.it.page(NAMES[*name], *direction, *limit, *bytes).await)
            }
            Step::Remove(name) => {
                format!("{:?}", self.it.journal.remove(&channel(NAMES[*name])).await)
            }
            Step::Trim => {
                self.it.trim().await;
                String::new()
            }
            Step::Settle => match self.it.journal.settle(self.lane.writer, self.lane.seq).await {
                Ok(Settled::Happened(appended)) => results(&appended),
                // Writer and batch 0, or forgotten: both sides the same, in their own words.
                Ok(Settled::Never) => "never".into(),
                Err(_) => "unavailable".into(),
            },
            Step::Pass(seconds) => {
                self.it.world.pass(Duration::from_secs(*seconds));
                String::new()
            }
            Step::Keep(size) => {
                // Never more again: a store may or may not still have what it stopped to show.
                self.it.world.keep(|retention| retention.size = retention.size.min(*size));
                String::new()
            }
        }
    }

    async fn changed(&mut self) -> Vec<String> {
        let changes = self.it.journal.changes(self.cursor.clone()).await.expect("changes");
        self.cursor = changes.cursor;
        let mut names: Vec<_> = changes.heads.iter().map(|(name, _)| name.to_string()).collect();
        names.sort();
        names
    }
}

fn life(epoch: &str) -> &str {
    epoch.split('.').nth(1).expect("generation.life")
}

fn results(results: &[Appended]) -> String {
    let one = |appended: &Appended| match appended {
        Appended::New(at) => format!("new {} {}", life(at.epoch.as_str()), at.offset),
        Appended::Duplicate(at) => format!("duplicate {} {}", life(at.epoch.as_str()), at.offset),
        Appended::KeyReused => "reused".into(),
        Appended::Superseded(at) => format!("superseded {} {}", life(at.epoch.as_str()), at.offset),
    };
    results.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn shown(page: &Page) -> String {
    format!("{} {} {:?}", life(page.epoch.as_str()), page.top, page.publications)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn memory_and_sqlite_tell_the_same_story(steps in prop::collection::vec(step(), 1..40)) {
        same_story(Fixture::sqlite, &steps);
    }

    #[test]
    fn memory_and_postgres_tell_the_same_story(steps in prop::collection::vec(step(), 1..40)) {
        same_story(Fixture::postgres, &steps);
    }
}

fn same_story(other: fn() -> Fixture, steps: &[Step]) {
    actix_rt::System::new().block_on(async {
        let (mut memory, mut other) = (Side::new(Fixture::memory()), Side::new(other()));
        for (n, step) in steps.iter().enumerate() {
            if matches!(step, Step::Settle) && memory.lane.seq == 0 {
                continue;
            }
            assert_eq!(memory.take(step).await, other.take(step).await, "step {n}: {step:?}");
            for name in NAMES {
                let (left, right) = (memory.it.all(name).await, other.it.all(name).await);
                assert_eq!(shown(&left), shown(&right), "{name} after step {n}: {step:?}");
            }
            assert_eq!(memory.changed().await, other.changed().await, "step {n}: {step:?}");
        }
    });
}
