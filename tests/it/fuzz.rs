//! The harnesses of the fuzz targets over their corpus, and over much that is nearly like it.
//!
//! `make fuzz` goes on from there, guided by coverage. What it finds goes into `fuzz/corpus/` under a name that says
//! what it is.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use fanfare::{
    protocol::{Encoding, fuzz::commands},
    realtime::session::fuzz::frames,
};
use rand::{RngExt, rngs::ThreadRng, seq::IndexedRandom};

/// Inputs that are made for each target.
const MADE: usize = 20_000;
/// Longer ones are cut.
const LONGEST: usize = 4096;

#[test]
fn no_frame_of_json_commands_is_misread() {
    run("json", |bytes| commands(Encoding::Json, bytes));
}

#[test]
fn no_frame_of_protobuf_commands_is_misread() {
    run("protobuf", |bytes| commands(Encoding::Protobuf, bytes));
}

#[test]
fn no_bytes_of_a_socket_are_misread() {
    run("frames", frames);
}

#[track_caller]
fn run(target: &str, harness: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let corpus: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus")
        .map(|entry| fs::read(entry.expect("a corpus").path()).expect("an input"))
        .collect();
    assert!(corpus.len() >= 6, "only {} inputs in {}", corpus.len(), folder.display());
    let mut rng = rand::rng();
    let made = (0..MADE).map(|_| near(&corpus, &mut rng));
    for input in corpus.iter().cloned().chain(made) {
        if catch_unwind(AssertUnwindSafe(|| harness(&input))).is_err() {
            panic!("this input for the target {target} was misread: {}", input.escape_ascii());
        }
    }
}

/// An input of the corpus with a few mistakes.
fn near(corpus: &[Vec<u8>], rng: &mut ThreadRng) -> Vec<u8> {
    let mut input = corpus.choose(rng).expect("it is not empty").clone();
    for _ in 0..rng.random_range(1..=4) {
        spoil(&mut input, corpus, rng);
    }
    input.truncate(LONGEST);
    input
}

fn spoil(input: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut ThreadRng) {
    const TELLING: [u8; 16] =
        [0, 1, 9, b'\n', b' ', b'"', b',', b'0', b'\\', b'{', b'}', 0x7f, 0x80, 0x81, 0x88, 0xff];
    let from = rng.random_range(0..=input.len());
    let to = rng.random_range(from..=input.len().min(from + 64));
    match rng.random_range(0..6) {
        0 if from < input.len() => input[from] ^= 1 << rng.random_range(0..8),
        1 if from < input.len() => input[from] = rng.random(),
        2 => input.insert(from, *TELLING.choose(rng).expect("it is not empty")),
        3 => drop(input.drain(from..to)),
        4 => {
            let twice = input[from..to].to_vec();
            input.splice(to..to, twice);
        }
        _ => {
            let other = corpus.choose(rng).expect("it is not empty");
            let cut = rng.random_range(0..=other.len());
            input.truncate(from);
            input.extend(&other[cut..]);
        }
    }
}
