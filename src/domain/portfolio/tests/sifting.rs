//! Which rows of a file are entered, beside what is there: against a slow second opinion.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{fold::Stop, sifting::sift, transaction::Kind},
    *,
};

/// Entries of one token; new ones are marked.
type Rows = Vec<(Entry, bool)>;

fn row(kind: Kind, quantity: &str, new: bool) -> (Entry, bool) {
    (entry(TokenId::new(), kind, quantity, "1"), new)
}

fn marked(rows: &Rows) -> Vec<(&Entry, bool)> {
    rows.iter().map(|(entry, new)| (entry, *new)).collect()
}

/// The places of what is refused.
fn refused(rows: &Rows) -> Vec<usize> {
    let mut places: Vec<usize> =
        sift(Fold::default(), &marked(rows)).into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

fn can_follow(rows: &Rows, out: &[usize]) -> bool {
    let left = rows.iter().enumerate().filter(|(place, _)| !out.contains(place));
    let mut left = left.map(|(_, (entry, _))| entry);
    left.try_fold(Fold::default(), |fold, entry| fold.then(entry).ok()).is_some()
}

/// Row by row: what goes is let in if all that is there and comes can still follow.
fn slow(rows: &Rows) -> Vec<usize> {
    let goes = |place: &usize| rows[*place].1 && rows[*place].0.kind.is_outflow();
    let mut out: Vec<usize> = (0..rows.len()).filter(goes).collect();
    for place in out.clone() {
        let with: Vec<usize> = out.iter().copied().filter(|other| *other != place).collect();
        if can_follow(rows, &with) {
            out = with;
        }
    }
    out
}

#[test]
fn a_row_that_fits_is_entered_though_one_before_it_does_not() {
    let rows = vec![
        row(Kind::Buy, "5", false),
        row(Kind::Sell, "3", true),
        row(Kind::Sell, "2.5", true),
        row(Kind::Sell, "2.2", false),
    ];
    let refused = sift(Fold::default(), &marked(&rows));
    assert_eq!(refused, [(1, Stop::NotEnough { held: d("2.8") })]);
}

#[test]
fn of_rows_that_take_too_much_together_the_last_is_to_blame() {
    let mut rows = vec![row(Kind::Buy, "5", false)];
    rows.extend((0..3).map(|_| row(Kind::Sell, "1", true)));
    rows.push(row(Kind::Sell, "3", false));
    assert_eq!(refused(&rows), [3]);
    // What comes later, but before the older one, makes up for it.
    rows.insert(4, row(Kind::Buy, "1", true));
    assert!(refused(&rows).is_empty());
}

#[test]
fn a_row_that_makes_a_figure_too_large_is_refused_and_others_are_not() {
    let most = "99999999999999999999";
    let rows = vec![
        row(Kind::Buy, "1", false),
        row(Kind::Buy, most, true),
        row(Kind::Sell, "0.5", true),
        row(Kind::Buy, most, true),
        row(Kind::Sell, "0.5", false),
    ];
    assert_eq!(refused(&rows), [1]);
    let before = vec![row(Kind::Buy, most, true), row(Kind::Buy, "1", false)];
    assert_eq!(sift(Fold::default(), &marked(&before)), [(0, Stop::TooLarge)]);
}

fn rows(quantities: Vec<Decimal>) -> impl Strategy<Value = Rows> {
    let quantity = select(quantities);
    let one = (select(vec![Kind::Buy, Kind::Sell, Kind::TransferOut]), quantity, any::<bool>());
    vec(one, 1..30).prop_map(|all| {
        let token = TokenId::new();
        let entry =
            |(kind, quantity, new)| (Entry { quantity, ..entry(token, kind, "1", "1") }, new);
        let mut rows: Rows = all.into_iter().map(entry).collect();
        // What is there can follow by itself.
        let new = |rows: &Rows| -> Vec<usize> { (0..rows.len()).filter(|n| rows[*n].1).collect() };
        while !can_follow(&rows, &new(&rows)) {
            let last = rows.iter().rposition(|(_, new)| !new).unwrap_or_default();
            rows.remove(last);
        }
        rows
    })
}

proptest! {
    #[test]
    fn rows_are_sifted_as_one_by_one(rows in rows(["0.5", "1", "1.5", "2", "7"].map(d).to_vec())) {
        prop_assert_eq!(refused(&rows), slow(&rows));
    }

    #[test]
    fn what_is_let_in_can_follow_however_large_its_figures(
        rows in rows(["0.000000000000000001", "1", "5", "49999999999999999999", "99999999999999999999"].map(d).to_vec())
    ) {
        prop_assert!(can_follow(&rows, &refused(&rows)));
    }
}
