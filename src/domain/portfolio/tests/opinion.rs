//! The fold and the forecast once more, slow and obvious: fractions of whole numbers, rounded where the page says so.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{
        fold::Stop,
        forecast::{Plan, forecast},
        id::{StrategyId, TokenId},
        token::Prices,
        transaction::Kind,
    },
    *,
};

/// A fraction; the denominator is more than 0.
#[derive(Clone, Debug)]
struct Ratio(BigInt, BigInt);

impl Ratio {
    fn of(decimal: Decimal) -> Self {
        let text = decimal.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = u32::try_from(fraction.len()).unwrap();
        Self(format!("{whole}{fraction}").parse().unwrap(), BigInt::from(10).pow(digits))
    }

    fn plus(&self, other: &Self) -> Self {
        Self(&self.0 * &other.1 + &other.0 * &self.1, &self.1 * &other.1)
    }

    fn minus(&self, other: &Self) -> Self {
        self.plus(&Self(-&other.0, other.1.clone()))
    }

    fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0, &self.1 * &other.1)
    }

    fn over(&self, other: &Self) -> Self {
        match other.0 < BigInt::ZERO {
            true => Self(-&self.0 * &other.1, -&self.1 * &other.0),
            false => Self(&self.0 * &other.1, &self.1 * &other.0),
        }
    }

    /// Half-even, at 18 digits.
    fn rounded(&self) -> Self {
        let one = BigInt::from(10).pow(18);
        let (units, by) = (&self.0 * &one, &self.1);
        let floor = {
            let cut = &units / by;
            if &cut * by > units { cut - 1 } else { cut }
        };
        let twice_rest = (&units - &floor * by) * 2;
        let up = &twice_rest > by || &twice_rest == by && &floor % 2 != BigInt::ZERO;
        Self(if up { floor + 1 } else { floor }, one)
    }

    fn is(&self, decimal: Decimal) -> bool {
        let other = Self::of(decimal);
        &self.0 * &other.1 == &other.0 * &self.1
    }
}

fn number(n: i64) -> Ratio {
    Ratio(n.into(), 1.into())
}

/// Quantity, invested, realized; or which entry can't follow.
fn slow_fold(entries: &[Entry]) -> Result<[Ratio; 3], usize> {
    let [mut q, mut invested, mut realized] = [number(0), number(0), number(0)];
    for (n, entry) in entries.iter().enumerate() {
        let (quantity, amount) = (Ratio::of(entry.quantity), Ratio::of(entry.amount));
        match entry.kind {
            Kind::Buy | Kind::TransferIn | Kind::Staking | Kind::Reward => {
                q = q.plus(&quantity);
                invested = invested.plus(&amount);
            }
            Kind::Sell | Kind::TransferOut => {
                if quantity.minus(&q).0 > BigInt::ZERO {
                    return Err(n);
                }
                let cost = invested.times(&quantity).over(&q).rounded();
                q = q.minus(&quantity);
                invested = invested.minus(&cost);
                if entry.kind == Kind::Sell {
                    realized = realized.plus(&amount.minus(&cost));
                }
            }
        }
    }
    Ok([q, invested, realized])
}

fn quantity() -> impl Strategy<Value = Decimal> {
    // Few digits, so that things are sold out, and many, so that there is something to round.
    let few = (1i64..5).prop_map(|n| Decimal::whole(n).over(Decimal::whole(2)).unwrap());
    let many = (1i64..=i64::MAX)
        .prop_map(|n| Decimal::whole(n).over(Decimal::whole(3_000_000_000_007)).unwrap());
    prop_oneof![few, many]
}

fn amount() -> impl Strategy<Value = Decimal> {
    prop_oneof![Just(Decimal::ZERO), quantity()]
}

prop_compose! {
    fn transactions()(
        all in vec((select(Kind::ALL.to_vec()), quantity(), amount()), 1..40)
    ) -> Vec<Entry> {
        let token_id = TokenId::new();
        let entry = |(kind, quantity, amount)| Entry {
            token_id, kind, quantity, amount, occurred_at: Moment::default(), notes: None,
        };
        all.into_iter().map(entry).collect()
    }
}

/// The same without what can't follow.
fn possible(mut entries: Vec<Entry>) -> Vec<Entry> {
    while let Err(n) = slow_fold(&entries) {
        entries.remove(n);
    }
    entries
}

prop_compose! {
    /// Targets of at most 100 % together.
    fn targets()(
        all in vec((any::<bool>(), quantity(), 1u32..5), 1..6)
    ) -> Vec<Target> {
        let parts: u32 = all.iter().map(|(.., part)| part).sum();
        all.into_iter().map(|(percentage, target_value, part)| Target {
            target_kind: if percentage { TargetKind::Percentage } else { TargetKind::Price },
            target_value,
            // Rounded down, so that they are never more than 100 together.
            sell_percent: Decimal::HUNDRED
                .times_over(Decimal::whole(part.into()), Decimal::whole(parts.into()))
                .unwrap()
                .minus("0.000000000000000001".parse().unwrap())
                .unwrap(),
        }).collect()
    }
}

proptest! {
    #[test]
    fn the_fold_comes_to_what_fractions_come_to(entries in transactions()) {
        match (slow_fold(&entries), resume(Checkpoint::default(), placed(&entries))) {
            (Ok([q, invested, realized]), Ok(folded)) => {
                let fold = folded.end.fold;
                prop_assert!(q.is(fold.quantity));
                prop_assert!(invested.is(fold.invested));
                prop_assert!(realized.is(fold.realized));
                prop_assert!(!fold.quantity.is_zero() || fold.invested.is_zero());
            }
            (Err(slow), Err((fast, Stop::NotEnough { .. }))) => prop_assert_eq!(slow, fast),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_fold_that_is_resumed_comes_to_the_same(entries in transactions(), cut in any::<prop::sample::Index>()) {
        let entries = possible(entries);
        let all = placed(&entries);
        let whole = resume(Checkpoint::default(), all.iter().copied()).unwrap();
        let cut = cut.index(all.len() + 1);
        let first = resume(Checkpoint::default(), all[..cut].iter().copied()).unwrap();
        let both = resume(first.end, all[cut..].iter().copied()).unwrap();
        prop_assert_eq!(both.end, whole.end);
    }

    #[test]
    fn a_forecast_comes_to_what_fractions_come_to(
        held in vec((transactions(), prop::option::of(targets()), prop::option::of(quantity())), 1..4)
    ) {
        let (mut holdings, mut plans, mut prices) = (Vec::new(), BTreeMap::new(), Prices::new());
        let mut slow = [number(0), number(0), number(0)];
        for (entries, targets, price) in held {
            let fold = fold(&possible(entries));
            let holding = Holding { fold, ..holding("T", "0", "0") };
            let id = holding.token.id;
            prices.extend(price.map(|price| (id, Price { price, observed_at: Moment::default() })));
            plans.extend(targets.clone().map(|targets| (id, Plan { strategy: StrategyId::new(), targets })));
            holdings.push(holding);
            if fold.quantity.is_zero() {
                continue;
            }
            let (q, invested) = (Ratio::of(fold.quantity), Ratio::of(fold.invested));
            let average = invested.over(&q).rounded();
            let (mut sold, mut collected) = (number(0), number(0));
            for target in targets.iter().flatten() {
                let value = Ratio::of(target.target_value);
                let at = match target.target_kind {
                    TargetKind::Price => value,
                    TargetKind::Percentage => average.times(&number(1).plus(&value.over(&number(100)))),
                };
                let sell = q.times(&Ratio::of(target.sell_percent)).over(&number(100));
                collected = collected.plus(&sell.times(&at));
                sold = sold.plus(&sell);
            }
            let worth = price.map_or(average, Ratio::of);
            let remaining = match targets {
                Some(_) => q.minus(&sold).times(&worth).rounded(),
                None => invested.clone(),
            };
            slow = [slow[0].plus(&invested), slow[1].plus(&collected.rounded()), slow[2].plus(&remaining)];
        }
        let (_, summary) = forecast(&holdings, &plans, &prices).unwrap();
        let [invested, collected, remaining] = slow;
        let profit = collected.plus(&remaining).minus(&invested);
        prop_assert!(invested.is(summary.invested));
        prop_assert!(collected.is(summary.collected));
        prop_assert!(remaining.is(summary.remaining_value));
        prop_assert!(profit.is(summary.profit));
        let percent = match invested.0 == BigInt::ZERO {
            true => number(0),
            false => profit.times(&number(100)).over(&invested).rounded(),
        };
        prop_assert!(percent.is(summary.return_percent));
    }
}
