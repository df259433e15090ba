//! CSV files as people have them.

use super::{
    super::{
        Refusal,
        import::{HEADER, Names, entries, read},
        transaction::Kind,
    },
    *,
};

const HEAD: &str = "Date,Symbol,Type,Quantity,Price,Amount,Notes\n";

/// The only row of a file, or what is wrong with it.
fn only(row: &str) -> Result<Entry, String> {
    let btc = token("BTC");
    let (rows, mut bad) = read(format!("{HEAD}{row}\n").as_bytes()).unwrap();
    let mut good = entries(rows, &Names::of([&btc]), &mut bad);
    match bad.pop() {
        Some(bad) => Err(bad.reason),
        None => Ok(good.pop().unwrap().1),
    }
}

#[test]
fn a_file_with_a_byte_order_mark_quotes_and_windows_line_ends_is_read() {
    let file = "\u{feff}date,SYMBOL,Type,Quantity,Price,Amount,Notes\r\n\
        2026-01-31,BTC,Buy,2,2000,,\"first, \"\"small\"\"\"\r\n\
        2026-02-01T10:00:00+01:00, btc ,transfer out,\"1\",,,\"two\r\nlines\"\r\n\
        2026-02-02,BTC,sell,0.5,1,3500.25,\r\n";
    let btc = token("BTC");
    let (rows, mut bad) = read(file.as_bytes()).unwrap();
    let good = entries(rows, &Names::of([&btc]), &mut bad);
    assert_eq!(bad, []);
    let lines: Vec<u64> = good.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 5], "the second one is two lines long");
    let said: Vec<_> = good
        .iter()
        .map(|(_, e)| (e.kind, e.amount, e.occurred_at.to_string(), e.notes.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            (Kind::Buy, d("4000"), "2026-01-31T00:00:00Z".into(), Some("first, \"small\"")),
            (Kind::TransferOut, d("0"), "2026-02-01T09:00:00Z".into(), Some("two\r\nlines")),
            (Kind::Sell, d("3500.25"), "2026-02-02T00:00:00Z".into(), None),
        ]
    );
}

#[test]
fn each_bad_row_says_what_was_expected() {
    for (row, expected) in [
        ("2026-01-31,BTC,buy,1,1", "7 fields, got 5"),
        ("31.01.2026,BTC,buy,1,1,1,", "Date: expected a time like"),
        ("2026-01-31,,buy,1,1,1,", "Symbol: expected"),
        ("2026-01-31,B\0TC,buy,1,1,1,", "Symbol: expected one without control characters"),
        ("2026-01-31,ETH,buy,1,1,1,", "Symbol: expected a token that is known here, got \"ETH\""),
        ("2026-01-31,BTC,gift,1,1,1,", "Type: expected one of buy, sell, transfer_in"),
        (
            "2026-01-31,BTC,\u{43a}\u{443}\u{43f}\u{438}\u{442}\u{44c},1,1,1,",
            "Type: expected one of",
        ),
        ("2026-01-31,BTC,buy,\u{0661},1,1,", "Quantity: expected a decimal"),
        ("2026-01-31,BTC,buy,\"1,5\",1,1,", "Quantity: expected a decimal"),
        ("2026-01-31,BTC,buy,1e3,1,1,", "without an exponent"),
        ("2026-01-31,BTC,buy,NaN,1,1,", "Quantity: expected a decimal"),
        ("2026-01-31,BTC,buy,-1,1,1,", "quantity: expected more than 0, got -1"),
        ("2026-01-31,BTC,buy,0,1,1,", "quantity: expected more than 0"),
        ("2026-01-31,BTC,buy,,1,1,", "Quantity: expected a decimal like 12.5"),
        ("2026-01-31,BTC,buy,1,,,", "Amount: expected an amount or a price"),
        (
            "2026-01-31,BTC,buy,99999999999999999999,99999999999999999999,,",
            "Price: the result has more",
        ),
        ("2026-01-31,BTC,buy,1,,-5,", "amount: expected 0 or more"),
        ("2026-01-31,BTC,buy,1,abc,5,", "Price: expected a decimal"),
        ("2026-01-31,BTC,buy,1,NaN,5,", "Price: expected a decimal"),
        ("2026-01-31,BTC,buy,1,-5,5,", "Price: expected 0 or more, got -5"),
        ("2026-01-31,BTC,buy,1,-5,,", "Price: expected 0 or more, got -5"),
        ("0000-01-01T00:00:00+23:59,BTC,buy,1,,5,", "Date: expected a time that is in the years"),
    ] {
        let refused = only(row).unwrap_err();
        assert!(refused.contains(expected), "{row}: {refused}");
    }
    assert!(only("2026-01-31,BTC,reward,1,,,").is_ok());
    assert!(only("2026-01-31,#1,buy,1,,7,").is_ok());
    assert_eq!(only("2026-01-31,BTC,buy,2,0,7,").unwrap().amount, d("7"), "it may hold fees");
    let latin = [HEAD.as_bytes(), b"2026-01-31,BTC,buy,1,1,1,caf\xe9\n"].concat();
    assert_eq!(read(&latin).unwrap().1[0].reason, "Notes: expected UTF-8");
}

/// The entries of a file in which nothing is wrong, each with its line.
fn all(file: &str) -> Vec<(u64, Entry)> {
    let (rows, mut bad) = read(file.as_bytes()).unwrap();
    let good = entries(rows, &Names::of([&token("BTC")]), &mut bad);
    assert_eq!(bad, []);
    good
}

/// Lines of rows that were read, and lines and reasons of those that were not.
fn sorted(file: &str) -> (Vec<u64>, Vec<(u64, String)>) {
    let (rows, bad) = read(file.as_bytes()).unwrap();
    let bad = bad.into_iter().map(|bad| (bad.line, bad.reason));
    (rows.iter().map(|row| row.line).collect(), bad.collect())
}

const ROW: &str = "2026-01-31,BTC,buy,1,1,1,fine\n";
const UNCLOSED: &str = "2026-01-31,BTC,buy,1,1,1,\"oops\n";

#[test]
fn a_quote_that_is_not_closed_takes_its_own_row_only() {
    for (name, file, good, wrong) in [
        ("rows behind it", format!("{ROW}{UNCLOSED}{}", ROW.repeat(30)), 31, &[3][..]),
        ("many", format!("{ROW}{UNCLOSED}{}", ROW.repeat(500)), 501, &[3]),
        ("nothing behind it", format!("{ROW}{UNCLOSED}"), 1, &[3]),
        ("no line end", format!("{ROW}{}", UNCLOSED.trim_end()), 1, &[3]),
        ("empty lines", format!("{ROW}{UNCLOSED}\n\n{ROW}"), 2, &[3]),
        ("several of them", format!("{UNCLOSED}{ROW}{UNCLOSED}{UNCLOSED}{ROW}"), 2, &[2, 4, 5]),
        (
            "closed by a later one",
            format!("{UNCLOSED}{ROW}2026-01-31,BTC,buy,1,1,1,\"fine\"\n"),
            2,
            &[2],
        ),
        (
            "closed by a note of two lines",
            format!("{UNCLOSED}2026-01-31,BTC,buy,1,1,1,\"two\nlines\"\n{ROW}"),
            2,
            &[2],
        ),
        (
            "all in quotes",
            format!(
                "\"2026-01-31\",\"BTC\",\"buy\",\"1\",\"1\",\"1\",\"oops\n{}",
                "\"2026-01-31\",\"BTC\",\"buy\",\"1\",\"1\",\"1\",\"\"\n".repeat(3)
            ),
            3,
            &[2],
        ),
        ("in another column", format!("2026-01-31,\"BTC,buy,1,1,1,\n{ROW}"), 1, &[2]),
        (
            "a bad row of too many fields",
            format!("{UNCLOSED}2026-01-31,BTC,buy,1,1,1,x,y\n{ROW}\""),
            1,
            &[2, 3, 5],
        ),
    ] {
        for end in ["\n", "\r\n", "\r"] {
            let (rows, bad) = sorted(&format!("\u{feff}{HEAD}{file}").replace('\n', end));
            let lines: Vec<u64> = bad.iter().map(|(line, _)| *line).collect();
            assert_eq!((rows.len(), &*lines), (good, wrong), "{name}, {end:?}: {bad:?}");
            assert!(bad[0].1.starts_with("the quote is not closed"), "{name}, {end:?}: {bad:?}");
        }
    }
    assert_eq!(sorted(&format!("{HEAD}\n\r\n{ROW}\n{ROW}")).0, [4, 6], "empty lines are lines");
    let (rows, bad) = sorted(&format!("{HEAD}{UNCLOSED}what it was\n{ROW}{ROW}"));
    assert_eq!(rows, [4, 5]);
    assert_eq!(
        bad,
        [
            (2, "the quote is not closed before line 4, which reads like a row: close it, or leave that line break out".into()),
            (3, "expected 7 fields, got 1".into())
        ]
    );
}

#[test]
fn a_note_of_several_lines_is_one() {
    for note in [
        "two\nlines",
        "two\r\nlines, with a comma",
        "\n\n\nfar below",
        "he said \"\"buy\"\"\nand, so, I, did, that,",
        "1,2,3,4,5,6,7,8\nand back",
    ] {
        let file = format!("{HEAD}2026-01-31,BTC,buy,1,1,1,\"{note}\"\n{ROW}");
        let entries = all(&file);
        assert_eq!(entries[1].0, 3 + note.matches('\n').count() as u64);
        assert_eq!(entries[0].1.notes.as_deref(), Some(note.replace("\"\"", "\"").trim()));
    }
    // 2,000 characters are the most that a note has, of up to 4 bytes each.
    let long = format!("\u{1f600}\n{}", "\u{1f600}".repeat(1_998));
    let file = format!("{HEAD}2026-01-31,BTC,buy,1,1,1,\"{long}\"\n");
    assert_eq!(all(&file)[0].1.notes, Some(long));
}

#[test]
fn a_symbol_of_two_tokens_has_to_say_which() {
    let one = token("BTC");
    let other = Token { provider_id: 2, ..token("BTC") };
    let file = format!("{HEAD}2026-01-31,BTC,buy,1,1,1,\n2026-01-31,#2,buy,1,1,1,\n");
    let (rows, mut bad) = read(file.as_bytes()).unwrap();
    let good = entries(rows, &Names::of([&one, &other]), &mut bad);
    assert_eq!(bad[0].line, 2);
    assert!(bad[0].reason.contains("#1, #2"), "{}", bad[0].reason);
    assert_eq!(good[0].1.token_id, other.id);
}

#[test]
fn a_file_that_is_none_is_refused_whole() {
    let row = "2026-01-31,BTC,buy,1,1,1,\n";
    for file in [
        String::new(),
        HEAD.into(),
        "Datum,Symbol,Typ,Menge,Preis,Betrag,Notiz\n".into(),
        row.into(),
        format!("{HEAD}{}", row.repeat(1_001)),
        format!("{},\"Notes\n{row}", HEAD.trim_end().trim_end_matches(",Notes")),
    ] {
        assert!(
            matches!(read(file.as_bytes()), Err(Refusal::Invalid { field, .. }) if field == "file")
        );
    }
    assert_eq!(read(format!("{HEAD}{}", row.repeat(1_000)).as_bytes()).unwrap().0.len(), 1_000);
    assert_eq!(HEADER.join(",") + "\n", HEAD);
}
