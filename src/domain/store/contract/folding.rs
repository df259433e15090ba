//! The holding of a token is the fold of its transactions, however they came to be.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::fixture::{Fixture, second};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{
        Refusal,
        fold::{Checkpoint, Fold, STRIDE, resume},
        id::TransactionId,
        transaction::{Change, Entry, Kind, Place, Transaction},
    },
    store::{
        Page,
        folding::{Touched, tails},
    },
};

/// The fold of all transactions of a token, from the beginning.
fn fold_of(all: &[Transaction], it: &Fixture) -> Option<Fold> {
    let mut all: Vec<_> = all.iter().filter(|one| one.entry.token_id == it.btc).collect();
    all.sort_by_key(|one| one.place());
    let placed = all.iter().map(|one| (one.place(), &one.entry));
    (!all.is_empty()).then(|| resume(Checkpoint::default(), placed).unwrap().end.fold)
}

pub async fn any_order_of_changes_comes_to_the_fold_of_what_is_there(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let mut random = StdRng::seed_from_u64(4);
    let mut done = 0;
    for round in 0..60 {
        let at = |random: &mut StdRng| random.random_range(0..200);
        let entry = |random: &mut StdRng| Entry {
            token_id: if random.random_bool(0.9) { it.btc } else { it.eth },
            kind: Kind::ALL[random.random_range(0..6)],
            quantity: Decimal::whole(random.random_range(1..50)).over(Decimal::whole(7)).unwrap(),
            amount: Decimal::whole(random.random_range(0..1_000)),
            occurred_at: second(at(random)),
            notes: None,
        };
        let all =
            it.store.transactions(&it.ana, portfolio, Page::first(10_000)).await.unwrap().value;
        let some = |random: &mut StdRng| all[random.random_range(0..all.len())].id;
        let outcome = match random.random_range(0..4) {
            _ if all.is_empty() || round % 10 == 0 => {
                // Enough for checkpoints, in any order of time.
                let many =
                    (0..100).map(|_| Entry { kind: Kind::Buy, ..entry(&mut random) }).collect();
                it.add(&it.ana, portfolio, many).await.map(drop)
            }
            0 => it.store.delete_transaction(&it.ana, some(&mut random)).await.map(drop),
            1 => {
                let id = some(&mut random);
                let Entry { token_id, kind, quantity, amount, occurred_at, .. } =
                    entry(&mut random);
                let change = Change {
                    token_id: Some(token_id),
                    kind: Some(kind),
                    quantity: Some(quantity),
                    amount: Some(amount),
                    occurred_at: Some(occurred_at),
                    notes: None,
                };
                it.store.change_transaction(&it.ana, id, change).await.map(drop)
            }
            _ => {
                let few = (0..random.random_range(1..4)).map(|_| entry(&mut random)).collect();
                it.add(&it.ana, portfolio, few).await.map(drop)
            }
        };
        match outcome {
            Ok(()) => done += 1,
            Err(Refusal::NotEnough { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        let all =
            it.second.transactions(&it.ana, portfolio, Page::first(10_000)).await.unwrap().value;
        assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold_of(&all, &it), "round {round}");
    }
    assert!(done > 20, "only {done} changes were possible");
    assert!(it.count("holding_checkpoints") > 0);
}

pub async fn one_more_at_the_end_reads_nothing_and_one_in_the_middle_goes_on_from_there(
    it: Fixture,
) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let total: i64 = 14_400;
    for from in (0..total).step_by(1_000) {
        let many =
            (from..total.min(from + 1_000)).map(|n| it.entry(Kind::Buy, "1", "2", n)).collect();
        it.add(&it.ana, portfolio, many).await.unwrap();
    }
    assert_eq!(it.count("holding_checkpoints"), total / STRIDE as i64);
    let tail = |at: Moment| {
        let touched =
            Touched::from([(it.btc, Place { occurred_at: at, id: TransactionId::new() })]);
        let (btc, store, user) = (it.btc, it.store.clone(), it.ana.clone());
        async move {
            let read = store.read(&user, move |session| {
                Box::pin(async move { tails(session, portfolio, &touched).await })
            });
            let mut tails = read.await.unwrap().value;
            let tail = tails.remove(&btc).unwrap();
            (tail.from.count as i64, tail.following.len() as i64)
        }
    };
    assert_eq!(tail(second(total)).await, (total, 0));
    let (from, following) = tail(second(total / 2)).await;
    assert_eq!(from + following, total);
    assert_eq!(from, total / 2 / STRIDE as i64 * STRIDE as i64);
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Sell, "1", "5", total / 2)]).await.unwrap();
    let held = it.held(&it.ana, portfolio, it.btc).await.unwrap();
    assert_eq!((held.quantity, held.realized), (Decimal::whole(total - 1), Decimal::whole(3)));
}
