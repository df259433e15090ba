//! What a room costs: one message to 10,000 members of a worker, and 300 missed ones for a member that returns.

use std::{cell::Cell, hint::black_box, rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fanfare::{
    ids::Channel,
    protocol::{ClientInfo, Encoding, Epoch, Payload, Position, Publication},
    realtime::{
        journal::Page,
        room::{
            Limits,
            broadcast::Broadcast,
            catch_up::{Source, merge},
            members::{Member, Members},
            ring::Ring,
            seat::{Notice, Seat, SeatId, Wishes},
        },
    },
};

const MEMBERS: u64 = 10_000;
const LIMITS: Limits = Limits { publications: 300, bytes: 512 * 1024 };

/// A connection that only counts.
struct Counter {
    encoding: Encoding,
    bytes: Cell<usize>,
}

impl Seat for Counter {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn push(&self, message: Bytes) {
        self.bytes.set(self.bytes.get() + message.len());
    }

    fn push_shared(&self, weighed: Bytes) {
        self.push(weighed);
    }

    fn push_recovered(&self, message: Bytes) {
        self.push(message);
    }

    fn notice(&self, _: Notice) {}

    fn due(&self) {}

    fn is_open(&self) -> bool {
        true
    }
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::new("bench.0"), offset }
}

/// About 200 bytes.
fn said(offset: u64) -> Arc<Publication> {
    let text = "See you at the station at nine, bring something to read. ".repeat(3);
    let data = Payload::json(format!(r#"{{"text":"{text}","n":{offset}}}"#).into());
    Arc::new(Publication { data, offset, ..Publication::default() })
}

fn broadcast(offset: u64) -> Broadcast {
    let channel = Channel::trusted("chat:room-1");
    Broadcast::new(channel, said(offset), &at(0).epoch, None, Instant::now())
}

/// Every third speaks Protobuf.
fn crowd() -> Members {
    let mut members = Members::default();
    let wishes = Wishes { positioned: true, ..Wishes::default() };
    for n in 0..MEMBERS {
        let encoding = if n % 3 == 0 { Encoding::Protobuf } else { Encoding::Json };
        let seat = Rc::new(Counter { encoding, bytes: Cell::new(0) });
        let info = Arc::new(ClientInfo::default());
        members.enter(SeatId::new(0, n), Member::new(seat, 1, info, at(0), &wishes, false));
    }
    members
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan out");
    group.throughput(Throughput::Elements(MEMBERS));
    let (mut members, mut offset, scales) = (crowd(), 0, Arc::default());
    group.bench_function("to 10,000 members of a worker", |b| {
        b.iter_batched(
            || {
                offset += 1;
                broadcast(offset)
            },
            |next| members.deliver(black_box(&next), &scales),
            BatchSize::PerIteration,
        )
    });
}

fn catch_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("catch up");
    group.throughput(Throughput::Elements(300));
    let publications = (1..=200).map(said).collect();
    let page = Page { epoch: at(0).epoch, top: 200, publications };
    let mut ring = Ring::new(1 << 20);
    (150..=300).for_each(|offset| ring.push(Arc::new(broadcast(offset))));
    let source = Source { page: &page, after: 0, is_fresh: true };
    group.bench_function("300, from a page and the ring", |b| {
        b.iter(|| merge(&at(300), black_box(&ring), &at(0), source, LIMITS))
    });
}

criterion_group!(benches, fan_out, catch_up);
criterion_main!(benches);
