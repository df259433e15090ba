//! A CSV cut into records: as everybody cuts it, except where a quote is not closed.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*, sample::select};

use super::super::records::Records;

/// As the library reads it to the end.
fn plainly(file: &[u8]) -> Vec<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).from_reader(file);
    reader.into_byte_records().map(Result::unwrap).collect()
}

proptest! {
    #[test]
    fn records_are_those_of_the_library(pieces in vec(select(&["\"", "\"", ",", "\n", "\r\n", "\r", "a", " ", "\u{e9}"]), 0..40)) {
        // Closed, if it was open: nothing is refused.
        let file = pieces.concat();
        for file in [format!("{file}\n"), format!("{file}\"\n")] {
            let records: Vec<_> = Records::new(file.as_bytes(), usize::MAX).map(|(_, record)| record).collect();
            match records.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(records) => prop_assert_eq!(records, plainly(file.as_bytes())),
                Err(reason) => prop_assert!(reason.contains("before the file ends"), "{}", reason),
            }
        }
    }

    #[test]
    fn every_line_is_in_one_record_or_begins_one_that_is_refused(lines in vec("[a,\"]{0,12}", 0..30), columns in 1..5usize) {
        let file = lines.join("\n");
        let mut next = 1;
        let mut missed = Vec::new();
        for (line, record) in Records::new(file.as_bytes(), columns) {
            missed.extend(next..line);
            // A record has as many lines as line breaks in its fields, and one.
            let breaks = record.map_or(0, |record| record.as_slice().iter().filter(|byte| **byte == b'\n').count());
            next = line + 1 + breaks as u64;
        }
        prop_assert!(missed.iter().all(|line| lines[*line as usize - 1].is_empty()), "{:?}: {:?}", lines, missed);
    }
}

#[test]
fn a_quote_behind_a_byte_order_mark_begins_a_field() {
    let records: Vec<_> = Records::new("\u{feff}\"a\nb\",c\nd,e".as_bytes(), 3).collect();
    assert_eq!(records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(records[0].1, Ok(csv::ByteRecord::from(vec!["a\nb", "c"])));
}

#[test]
fn four_megabytes_of_quotes_are_read_in_no_time() {
    let size = 4 << 20;
    for (name, begins, line) in [
        ("each line opens one", "", "\"a\n"),
        ("each line closes one and opens another", "", "a\",\"\n"),
        ("all in one line behind lines that are open", "a\",\"\n", "b"),
        ("one record of two columns", "\"", "\n"),
    ] {
        let begins = begins.repeat(1_000);
        let file = format!("{begins}{}", line.repeat(size / line.len()));
        let began = Instant::now();
        // More than the rows that are looked at of any file.
        let records = Records::new(file.as_bytes(), 7).take(1_000).count();
        assert!(records > 0);
        assert!(began.elapsed() < Duration::from_secs(20), "{name}: {:?}", began.elapsed());
    }
}

#[test]
fn a_text_that_goes_on_for_longer_than_any_row_is_refused_with_its_first_line() {
    let file = format!("a,\"b\n{}", "c\n".repeat(20_000));
    let mut records = Records::new(file.as_bytes(), 2);
    let (line, record) = records.next().unwrap();
    let reason = record.unwrap_err();
    assert!(reason.contains("not closed within 16 KiB"), "{reason}");
    assert_eq!((line, records.next().map(|(line, _)| line)), (1, Some(2)));
    // In one line it is nobody's but its own, however long.
    let file = format!("a,\"{}\"\nb,c", "d".repeat(1 << 20));
    assert!(
        Records::new(file.as_bytes(), 2).all(|(_, record)| record.is_ok_and(|one| one.len() == 2))
    );
}
