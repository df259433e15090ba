//! What is refused, and whether the refusal says where.

use super::{
    super::{
        Refusal,
        fold::{STRIDE, Stop},
        id::TokenId,
        portfolios::NewPortfolio,
        strategy::{Change, NewStrategy, Status},
        transaction::Kind,
    },
    *,
};

fn strategy(steps: &[Target]) -> NewStrategy {
    NewStrategy {
        token_id: TokenId::new(),
        name: "exit".into(),
        base_quantity: d("5"),
        reference_price: d("1200"),
        status: Status::Draft,
        notes: None,
        steps: steps.iter().copied().map(step).collect(),
    }
}

fn field(refused: Result<NewStrategy, Refusal>) -> String {
    match refused {
        Err(Refusal::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_strategy_that_can_not_be_carried_out_is_refused_with_its_place() {
    assert!(strategy(&[at("1550", "25"), percent("200", "75")]).checked().is_ok());
    for (steps, place) in [
        (vec![], "steps"),
        (vec![at("1", "1"); 7], "steps"),
        (vec![at("1550", "25"), percent("200", "75.000000000000000001")], "steps"),
        (vec![at("1550", "0")], "steps[0].sell_percent"),
        (vec![at("1550", "-1")], "steps[0].sell_percent"),
        (vec![at("1550", "100.1")], "steps[0].sell_percent"),
        (vec![at("0", "1")], "steps[0].target_value"),
        (vec![at("1550", "1"), at("1550", "1")], "steps[1].target_value"),
        // 1200 and 10 percent are less than 1550.
        (vec![at("1550", "1"), percent("10", "1")], "steps[1].target_value"),
    ] {
        assert_eq!(field(strategy(&steps).checked()), place);
    }
    assert_eq!(
        field(NewStrategy { base_quantity: d("0"), ..strategy(&[at("1", "1")]) }.checked()),
        "base_quantity"
    );
    assert_eq!(
        field(NewStrategy { name: "  ".into(), ..strategy(&[at("1", "1")]) }.checked()),
        "name"
    );
}

#[test]
fn a_change_is_checked_like_a_new_strategy() {
    let it = strategy(&[percent("10", "60"), percent("20", "40")]).checked().unwrap();
    let steps = [percent("10", "60"), percent("20", "41")].map(step).to_vec();
    let change = Change { steps: Some(steps), ..Change::default() };
    assert_eq!(field(it.clone().changed(change)), "steps");
    let fine: Change = serde_json::from_str(r#"{"status": "active", "notes": null}"#).unwrap();
    assert_eq!(fine.notes, Some(None));
    assert_eq!(it.changed(fine).unwrap().status, Status::Active);
}

#[test]
fn unknown_fields_are_refused_by_name() {
    let refused = |wrong: Result<(), serde_json::Error>| wrong.unwrap_err().to_string();
    let portfolio = serde_json::from_str::<NewPortfolio>(r#"{"name": "a", "colour": 1}"#);
    assert!(refused(portfolio.map(drop)).contains("colour"));
    let step = r#"{"target_kind": "price", "target_value": "1", "sell_percent": "1", "colour": 1}"#;
    assert!(refused(serde_json::from_str::<NewStep>(step).map(drop)).contains("colour"));
}

#[test]
fn quantities_are_more_than_nothing_and_amounts_not_less() {
    let of = TokenId::new();
    for (quantity, amount, place) in
        [("0", "1", "quantity"), ("-1", "1", "quantity"), ("1", "-0.1", "amount")]
    {
        match entry(of, Kind::Buy, quantity, amount).checked() {
            Err(Refusal::Invalid { field, .. }) => assert_eq!(field, place),
            other => panic!("{other:?}"),
        }
    }
    let noted = Entry { notes: Some("a\0b".into()), ..entry(of, Kind::Buy, "1", "1") };
    assert!(matches!(noted.checked(), Err(Refusal::Invalid { field, .. }) if field == "notes"));
}

#[test]
fn selling_more_than_is_held_stops_there_and_says_what_is_held() {
    let of = TokenId::new();
    let entries = [
        entry(of, Kind::Buy, "2", "1"),
        entry(of, Kind::Sell, "1.5", "1"),
        entry(of, Kind::TransferOut, "0.6", "0"),
    ];
    let stopped = resume(Checkpoint::default(), placed(&entries));
    assert_eq!(stopped, Err((2, Stop::NotEnough { held: d("0.5") })));
}

#[test]
fn what_gets_too_large_stops_the_fold() {
    let most = "99999999999999999999";
    let entries = vec![entry(TokenId::new(), Kind::Buy, most, "1"); 2];
    assert_eq!(resume(Checkpoint::default(), placed(&entries)), Err((1, Stop::TooLarge)));
}

#[test]
fn an_average_price_that_is_no_figure_stops_the_fold() {
    let of = TokenId::new();
    let stops = |entries: &[Entry]| resume(Checkpoint::default(), placed(entries)).err();
    let dust = |amount: &str| entry(of, Kind::Buy, "0.000000000000000001", amount);
    assert_eq!(stops(&[dust("100")]), Some((0, Stop::TooLarge)));
    assert_eq!(stops(&[dust("99.999999999999999999")]), None);
    assert_eq!(stops(&[entry(of, Kind::Buy, "1", "1"), dust("100")]), None);
    let most = "99999999999999999999.999999999999999999";
    assert_eq!(stops(&[entry(of, Kind::Buy, "1", most)]), None);
    assert_eq!(
        stops(&[entry(of, Kind::Buy, "0.999999999999999999", most)]),
        Some((0, Stop::TooLarge))
    );
}

#[test]
fn checkpoints_are_left_at_every_stride() {
    let entries = vec![entry(TokenId::new(), Kind::Reward, "1", "0"); 2 * STRIDE as usize + 3];
    let folded = resume(Checkpoint::default(), placed(&entries)).unwrap();
    let counts: Vec<_> = folded.on_the_way.iter().map(|checkpoint| checkpoint.count).collect();
    assert_eq!((counts, folded.end.count), (vec![STRIDE, 2 * STRIDE], 2 * STRIDE + 3));
}
