//! Deltas hold for whatever they are made of, and hostile ones do no harm.

use proptest::{collection::vec, prelude::*};

use super::*;

const MOST: usize = 1 << 20;

#[test]
fn a_small_change_in_a_long_text_makes_a_short_delta() {
    let from = "a line that stays as it is\n".repeat(80);
    let to = format!("{}changed{}", &from[..1000], &from[1010..]);
    let delta = fossil(from.as_bytes(), to.as_bytes()).unwrap();
    assert!(delta.len() < 60, "{delta:?}");
    assert_eq!(apply(from.as_bytes(), &delta, MOST).unwrap(), to.as_bytes());
}

#[test]
fn a_delta_of_another_implementation_is_read() {
    let from = br#"{"price":1,"name":"an instrument with a long name","when":"2024-01-01"}"#;
    let to = br#"{"price":2,"name":"an instrument with a long name","when":"2024-01-02"}"#;
    let delta = b"17\nA:{\"price\":2v@A,3:2\"}2a3WXQ;";
    assert_eq!(apply(from, delta, MOST).unwrap(), to);
}

#[test]
fn there_is_no_delta_where_it_would_not_be_smaller() {
    let long = [7; 100];
    assert_eq!(fossil(b"", &long), None);
    assert_eq!(fossil(&long, b""), None);
    assert_eq!(fossil(b"{\"a\":1}", b"{\"a\":1}"), None);
    let other: Vec<u8> = (0..100).collect();
    assert_eq!(fossil(&long, &other), None);
}

#[test]
fn a_change_inside_a_letter_is_told_in_whole_letters() {
    // Both letters begin with the same byte, so the longest copies end in the middle of one.
    let from = format!("{}\u{e9}{}", "a".repeat(40), "b".repeat(40));
    let to = format!("{}\u{e8}{}", "a".repeat(40), "b".repeat(40));
    let delta = fossil(from.as_bytes(), to.as_bytes()).unwrap();
    assert!(std::str::from_utf8(&delta).is_ok(), "{delta:?}");
    assert_eq!(apply(from.as_bytes(), &delta, MOST).unwrap(), to.as_bytes());
}

#[test]
fn hostile_deltas_are_refused_in_bounded_memory() {
    use BadDelta::*;
    let table: [(&[u8], BadDelta); 16] = [
        (b"", Malformed),
        (b"\n", Malformed),
        (b"4", Malformed),
        (b"4\n", Malformed),
        (b"4\n4", Malformed),
        (b"4\n4:abc", Malformed),
        (b"4\n4@0", Malformed),
        (b"4\n4@0;", Malformed),
        (b"4\n4!0,", Malformed),
        (b"4\n~~~~~~:", Malformed),
        (b"4\n~~~~~~~~~~~~:", Malformed),
        (b"4\n4@3~~~~~,", BeyondSource),
        (b"4\n4@8,", BeyondSource),
        (b"3~~~~~\n8@0,8@0,", TooLong),
        (b"4\n4:abcd1:e", TooLong),
        (b"4\n2:ab0;", OtherTarget),
    ];
    for (delta, expected) in table {
        assert_eq!(apply(b"12345678", delta, MOST), Err(expected), "{delta:?}");
    }
    let bomb = [b"3~~~~~\n".as_slice(), &b"8@0,".repeat(1000)].concat();
    assert_eq!(apply(b"12345678", &bomb, 4000), Err(TooLong));
}

/// Two payloads of which the second was made from pieces of the first and some news.
fn similar() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let pieces = vec((any::<prop::sample::Index>(), 0..200usize, vec(any::<u8>(), 0..20)), 0..12);
    (vec(any::<u8>(), 0..600), pieces).prop_map(|(from, pieces)| {
        let mut to = Vec::new();
        for (start, length, news) in pieces {
            let start = start.index(from.len() + 1);
            to.extend_from_slice(&from[start..from.len().min(start + length)]);
            to.extend(news);
        }
        (from, to)
    })
}

proptest! {
    #[test]
    fn what_was_told_as_a_delta_is_read_back((from, to) in similar()) {
        if let Some(delta) = fossil(&from, &to) {
            prop_assert!(delta.len() < to.len());
            prop_assert_eq!(apply(&from, &delta, to.len()).unwrap(), to);
        }
    }

    #[test]
    fn bytes_of_few_kinds_are_read_back_too(from in vec(0..2u8, 0..400), to in vec(0..2u8, 0..400)) {
        if let Some(delta) = fossil(&from, &to) {
            prop_assert_eq!(apply(&from, &delta, to.len()).unwrap(), to);
        }
    }

    #[test]
    fn a_delta_between_texts_is_text(from in "[a\u{e8}\u{e9}\u{20ac}\u{1f600}]{0,200}", head in 0..200usize, news in "\\PC{0,8}") {
        let letters: Vec<char> = from.chars().collect();
        let head = head.min(letters.len());
        let to: String = letters[..head].iter().copied().chain(news.chars()).chain(letters[head..].iter().copied()).collect();
        if let Some(delta) = fossil(from.as_bytes(), to.as_bytes()) {
            prop_assert!(std::str::from_utf8(&delta).is_ok());
            prop_assert_eq!(apply(from.as_bytes(), &delta, to.len()).unwrap(), to.as_bytes());
        }
    }

    #[test]
    fn no_bytes_make_apply_panic_or_exceed(from in vec(any::<u8>(), 0..64), delta in "[0-9~]{1,2}\n([0-9A-Z~]{1,6}[@:;,]{0,2}[0-9]{0,3}){0,12}") {
        if let Ok(target) = apply(&from, delta.as_bytes(), 100) {
            prop_assert!(target.len() <= 100);
        }
    }
}
