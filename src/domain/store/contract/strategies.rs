//! Strategies, their steps, and what is armed of them.

use super::fixture::{Fixture, d, second};
use crate::domain::{
    portfolio::{
        alert::BEFORE,
        strategy::{Change, NewStep, StepState},
    },
    store::{Arm, Page},
};

pub async fn a_strategy_comes_back_with_its_steps(it: Fixture) {
    let id = it.planned(&it.ana).await;
    let (strategy, steps) = it.second.strategy(&it.ana, id).await.unwrap().value;
    assert_eq!((strategy.base_quantity, strategy.token_id), (d("5"), it.btc));
    let figures: Vec<_> =
        steps.iter().map(|step| (step.target_price, step.sell_quantity, step.state)).collect();
    assert_eq!(
        figures,
        [(d("1550"), d("1.25"), StepState::Pending), (d("3600"), d("2.5"), StepState::Pending)]
    );
    let listed = it.store.strategies(&it.ana, Page::first(10)).await.unwrap().value;
    assert_eq!((listed.len(), listed[0].done, listed[0].steps), (1, 0, 2));
    let mut unknown = it.strategy(&[("1", "1")]);
    unknown.token_id = crate::domain::portfolio::id::TokenId::new();
    let refused = it.store.create_strategy(&it.ana, unknown, None, second(0)).await.unwrap_err();
    assert!(refused.to_string().starts_with("token_id: "), "{refused}");
}

pub async fn steps_that_stay_keep_what_is_not_said_about_them(it: Fixture) {
    let id = it.planned(&it.ana).await;
    let steps = it.store.strategy(&it.ana, id).await.unwrap().value.1;
    let step = |n: usize, state| NewStep { id: Some(steps[n].id), target: steps[n].target, state };
    let to = |steps| Change { steps: Some(steps), ..Change::default() };
    let done = to(vec![step(0, Some(StepState::Done)), step(1, None)]);
    let after = it.store.change_strategy(&it.ana, id, done, second(7)).await.unwrap().value.1;
    assert_eq!(
        (after[0].id, after[0].state, after[0].triggered_at),
        (steps[0].id, StepState::Done, Some(second(7)))
    );
    assert_eq!(it.store.strategies(&it.ana, Page::first(10)).await.unwrap().value[0].done, 1);
    let kept = to(vec![step(0, None), NewStep { id: None, ..step(1, None) }]);
    let after = it.store.change_strategy(&it.ana, id, kept, second(9)).await.unwrap().value.1;
    assert_eq!((after[0].state, after[0].triggered_at), (StepState::Done, Some(second(7))));
    assert_ne!(after[1].id, steps[1].id);
    for wrong in [
        vec![step(1, None)],
        vec![step(0, None), NewStep { target: after[1].target, ..step(0, None) }],
    ] {
        let refused =
            it.store.change_strategy(&it.ana, id, to(wrong), second(9)).await.unwrap_err();
        assert!(
            refused.to_string().contains("].id: expected the id of one of its steps"),
            "{refused}"
        );
    }
    it.store.delete_strategy(&it.ana, id).await.unwrap();
    assert_eq!(it.count("strategies") + it.count("strategy_steps"), 0);
}

pub async fn alerts_are_armed_step_by_step(it: Fixture) {
    let id = it.planned(&it.ana).await;
    let before = it.store.armed(&it.ana, id).await.unwrap().value;
    assert!(before.iter().all(|armed| armed.before_percent == Some(BEFORE) && armed.reached));
    let arm = Arm { step_id: before[1].step_id, before_percent: None, reached: false };
    let after = it.store.arm(&it.ana, id, vec![arm.clone()]).await.unwrap().value;
    assert_eq!(after[0], before[0]);
    assert_eq!((after[1].before_percent, after[1].reached), (None, false));
    for wrong in ["0", "100", "-1"] {
        let arm = Arm { before_percent: Some(d(wrong)), ..arm.clone() };
        assert_eq!(it.store.arm(&it.ana, id, vec![arm]).await.unwrap_err().code(), "invalid_field");
    }
    assert_eq!(
        it.store.arm(&it.ana, id, vec![arm.clone(), arm]).await.unwrap_err().code(),
        "invalid_field"
    );
}

pub async fn a_step_fires_each_kind_once(it: Fixture) {
    let id = it.planned(&it.ana).await;
    let step = it.store.armed(&it.ana, id).await.unwrap().value[0].step_id;
    let fire = |alert: &str, kind: &str| {
        format!(
            "insert into alerts (id, owner, strategy, step, token, kind, target_price, price, fired_at) \
             values ('{alert}', 'ana', '{id}', '{step}', '{}', '{kind}', '1550', '1551', 1) \
             on conflict (step, kind) do nothing",
            it.btc
        )
    };
    let ids: Vec<String> =
        (0..3).map(|_| crate::domain::portfolio::id::AlertId::new().to_string()).collect();
    it.sql(&fire(&ids[0], "target_reached"));
    it.sql(&fire(&ids[1], "target_reached"));
    it.sql(&fire(&ids[2], "before_target"));
    let fired = it.store.alerts(&it.ana, Page::first(10)).await.unwrap().value;
    let fired: Vec<_> = fired.iter().map(|alert| alert.id.to_string()).collect();
    assert_eq!(fired, [ids[2].clone(), ids[0].clone()]);
}
