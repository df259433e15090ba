//! Reads that wait together are asked together, and nobody gets another one's page.

use super::Scene;
use crate::realtime::journal::{
    Direction, Range,
    contract::fixture::{Lane, append, channel},
};

/// As many rooms ask at once when a node starts again.
#[actix::test]
async fn readers_who_wait_together_get_each_their_own_page() {
    let it = Scene::new();
    let mut lane = Lane::new(&it.journal);
    let channels: Vec<_> = (0..100).map(|number| format!("room {number}")).collect();
    for (number, channel) in channels.iter().enumerate().skip(1) {
        let said = (0..=number % 5).map(|said| append(channel, &format!("{number}.{said}")));
        lane.append(said.collect()).await;
    }
    let range = |direction, limit| Range { direction, limit, max_bytes: 100 };
    let asked: Vec<_> = channels
        .iter()
        .flat_map(|name| {
            let ranges = [
                range(Direction::After(0), 0),
                range(Direction::After(1), 2),
                range(Direction::Before(None), 3),
                range(Direction::After(0), 1000),
            ];
            ranges.map(|range| (channel(name), range))
        })
        .collect();
    let together = asked.iter().map(|(channel, range)| it.journal.read(channel, *range));
    let together = futures_util::future::join_all(together).await;
    for ((channel, range), page) in asked.iter().zip(together) {
        let alone = it.journal.read(channel, *range).await;
        assert_eq!(page, alone, "{channel:?} {range:?}");
    }
}
