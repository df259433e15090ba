//! How much memory a frame takes while it is read, whatever is in it.
//!
//! A test binary of its own: it counts what the whole process allocates.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bytes::Bytes;
use fanfare::protocol::{Encoding, delta};

/// What the current thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let held = HELD.get() + change;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: forwards to the system's allocator; the counters are plain cells that never allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes held at once while `work` ran, without those held before.
fn most(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work();
    (MOST.get() - before) as usize
}

const FRAME: usize = 64 * 1024;

/// Repeats a piece of text, numbered so that no two are alike, until a frame is full.
fn filled(open: &str, piece: impl Fn(usize) -> String, close: &str) -> Bytes {
    let mut frame = String::from(open);
    for number in 0.. {
        let piece = piece(number);
        if frame.len() + piece.len() + close.len() > FRAME {
            break;
        }
        frame.push_str(&piece);
    }
    frame.push_str(close);
    frame.into()
}

#[test]
fn reading_a_json_frame_takes_a_small_multiple_of_its_size() {
    let frames = [
        (
            "positions",
            6,
            filled(
                r#"{"id":1,"connect":{"subs":{"#,
                |n| format!(r#""{n:x}":{{"recover":true}},"#),
                r#""z":{}}}}"#,
            ),
        ),
        (
            "not recovering",
            1,
            filled(
                r#"{"id":1,"connect":{"subs":{"#,
                |n| format!(r#""{n:x}":{{}},"#),
                r#""z":{}}}}"#,
            ),
        ),
        ("nesting", 2, filled(r#"{"id":1,"publish":{"data":"#, |_| "[".into(), "")),
        ("unknown fields", 2, filled(r#"{"id":1"#, |n| format!(r#","{n:x}":[]"#), "}")),
        (
            "escapes",
            2,
            filled(r#"{"id":1,"presence":{"channel":""#, |_| r"\u0041".into(), r#""}}"#),
        ),
        ("commands", 1, filled("{}", |_| "\n{}".into(), "")),
        ("a long string", 2, filled(r#"{"id":1,"refresh":{"token":""#, |_| "x".into(), r#""}}"#)),
    ];
    for (name, multiple, frame) in frames {
        let held = most(|| Encoding::Json.commands(frame.clone()).for_each(drop));
        assert!(held <= multiple * FRAME, "{name}: {held} bytes");
    }
}

/// One message that repeats a field of a message in it, as often as a frame has room for.
fn repeated(path: &[u8], field: impl Fn(u16) -> Vec<u8>) -> Bytes {
    let mut message: Vec<u8> = (0..u16::MAX).flat_map(field).take(FRAME - 16).collect();
    for tag in path.iter().rev().map(Some).chain([None]) {
        let mut outer: Vec<u8> = tag.copied().into_iter().collect();
        let mut length = message.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.append(&mut message);
        message = outer;
    }
    message.into()
}

#[test]
fn reading_a_protobuf_frame_takes_a_small_multiple_of_its_size() {
    let key = |n: u16| [n as u8 & 0x7f, (n >> 7) as u8 & 0x7f, 0x41 + (n >> 14) as u8];
    let frames = [
        (
            "positions",
            12,
            repeated(&[0x22], |n| [&[0x1a, 9, 0x0a, 3][..], &key(n), &[0x12, 2, 0x18, 1]].concat()),
        ),
        ("the same again", 1, repeated(&[0x3a], |_| vec![0x12, 1, b'x'])),
        ("unknown fields", 1, repeated(&[], |_| vec![0xf8, 0x07, 0x01])),
        ("groups", 1, repeated(&[], |_| vec![0xfb, 0x07])),
        ("pongs", 1, vec![0; FRAME].into()),
        (
            "a length of 2^63",
            1,
            Bytes::from_static(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00"),
        ),
        ("data of 2^31 bytes", 1, Bytes::from_static(b"\x08\x3a\x06\x12\x80\x80\x80\x80\x08")),
    ];
    for (name, multiple, frame) in frames {
        let held = most(|| Encoding::Protobuf.commands(frame.clone()).for_each(drop));
        assert!(held <= multiple * FRAME, "{name}: {held} bytes");
    }
}

#[test]
fn applying_a_delta_takes_what_its_caller_allows() {
    let source = vec![b'x'; FRAME];
    let bomb = [b"3~~~~~\n".as_slice(), &b"F~~@0,".repeat(1000)].concat();
    let held = most(|| assert!(delta::apply(&source, &bomb, FRAME).is_err()));
    assert!(held <= 2 * FRAME, "{held} bytes");
    let within = [b"G00\n".as_slice(), &b"F~~@0,".repeat(1000)].concat();
    let held = most(|| assert!(delta::apply(&source, &within, FRAME).is_err()));
    assert!(held <= 2 * FRAME, "{held} bytes");
}
