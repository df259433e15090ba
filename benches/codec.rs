//! What a message costs: read off a frame, written to one, told as a delta.

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fanfare::{
    ids::Channel,
    protocol::{
        ClientInfo, Command, Encoding, Payload, Publication, Push, Request, delta,
        push::{Event, Form},
    },
};

const BOTH: [(&str, Encoding); 2] = [("json", Encoding::Json), ("protobuf", Encoding::Protobuf)];

/// A chat message of about 200 bytes.
fn message() -> Payload {
    let text =
        "See you at the station at nine, bring the tickets and something to read. ".repeat(2);
    Payload::json(format!(r#"{{"text":"{text}","sent":1714060800123,"kind":"text"}}"#).into())
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode a publish");
    for (name, encoding) in BOTH {
        let request = Request::Publish { channel: "chat:room-1".into(), data: message() };
        let command = Command { id: 77, request };
        let frame = encoding.command(&command).expect("JSON data");
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                encoding.commands(black_box(&frame).clone()).for_each(|it| drop(black_box(it)))
            })
        });
    }
}

fn encode(c: &mut Criterion) {
    let info = ClientInfo {
        user: "2694".into(),
        client: "f6d1a4a0-6a55-4c1f-8c0b-1d6f3d4e5b6a".into(),
        conn_info: Payload::json(Bytes::from_static(br#"{"name":"Ana"}"#)),
        ..Default::default()
    };
    let info = Some(Arc::new(info));
    let publication = Publication { data: message(), info, offset: 5124, ..Default::default() };
    let publication = Arc::new(publication);
    let mut group = c.benchmark_group("encode a push");
    for (name, form) in [("", Form::Plain), (", escaped", Form::Full)] {
        let event = Event::Publication { publication: publication.clone(), epoch: None, form };
        let push = Push { channel: Channel::trusted("chat:room-1"), event };
        for (encoding_name, encoding) in BOTH {
            group.bench_function(format!("{encoding_name}{name}"), |b| {
                b.iter(|| encoding.push(black_box(&push)))
            });
        }
    }
}

fn tell_as_delta(c: &mut Criterion) {
    let from: String =
        (0..64).map(|n| format!(r#"{{"id":{n},"price":{}.25}},"#, n * 7919)).collect();
    let from = &from[..2048.min(from.len())];
    let to = from.replace("7919.25", "7920.75").replace("158380.25", "158381.00");
    let mut group = c.benchmark_group("delta");
    group.throughput(Throughput::Bytes(to.len() as u64));
    group.bench_function("2 KiB, two changes", |b| {
        b.iter(|| delta::fossil(black_box(from.as_bytes()), black_box(to.as_bytes())))
    });
    let other: String =
        from.bytes().map(|byte| char::from(33 + byte.wrapping_mul(31) % 90)).collect();
    group.bench_function("2 KiB, nothing in common", |b| {
        b.iter(|| delta::fossil(black_box(other.as_bytes()), black_box(to.as_bytes())))
    });
}

criterion_group!(benches, decode, encode, tell_as_delta);
criterion_main!(benches);
