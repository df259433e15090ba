//! The tables of `docs/PROTOCOL.md` say what the code says.

use crate::protocol::{Close, Refusal, refusal::Unsubscribed};

const PAGE: &str = include_str!("../../../docs/PROTOCOL.md");

/// The rows of the page that begin with a code: the code, its words, and the mark beside them.
fn rows() -> Vec<(u32, &'static str, &'static str)> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some((cells.next()?.parse().ok()?, cells.next()?, cells.next()?))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn every_code_is_on_the_page_with_its_words_and_whether_to_come_back() {
    let refusals = Refusal::ALL.iter().map(|it| {
        let mark = if it.temporary { "again" } else { "" };
        (it.code, &*it.message, mark)
    });
    let closes = Close::ALL.iter().map(|it| {
        let mark = if it.comes_back() { "" } else { "stays away" };
        (u32::from(it.code), &*it.reason, mark)
    });
    let known: Vec<_> = refusals.chain(closes).collect();
    let rows = rows();
    for row in &known {
        assert!(rows.contains(row), "not in docs/PROTOCOL.md: {row:?}");
    }
    let ends = [Unsubscribed::BY_SERVER, Unsubscribed::INSUFFICIENT_STATE, Unsubscribed::EXPIRED];
    for end in &ends {
        assert!(rows.iter().any(|row| row.0 == end.code && row.1 == end.reason), "{end:?}");
    }
    assert_eq!(rows.len(), known.len() + ends.len(), "codes on the page that nobody says");
}
