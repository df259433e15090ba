//! What is drawn, and that it comes into a database as if people had entered it one by one.

use std::{cell::Cell, path::PathBuf, sync::Arc};

use super::{
    filling::{Failed, Filled, Filling},
    market::{Coin, TOKENS, market},
    person::{DEALS, HELD, Listed, draw},
    user,
    veteran::{self, draw_veteran},
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            forecast::{Forecast, NewForecast},
            holding::Holding,
            id::TokenId,
            portfolios::{NewPortfolio, Portfolio},
        },
        store::{Listed as Planned, NewPerson, Page, Store, Wanted},
    },
    ids::UserId,
    platform::database::Database,
};

/// What a person's dashboard is made of.
struct Dashboard {
    portfolios: Vec<Portfolio>,
    holdings: Vec<Holding>,
    strategies: Vec<Planned>,
    forecasts: Vec<Forecast>,
}

/// A store in a file that goes with it.
struct Scratch {
    store: Arc<Store>,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-seed-{}.db", uuid::Uuid::new_v4()));
        let database = Arc::new(Database::open(&path).expect("a database"));
        Self { store: Arc::new(Store::sqlite(database).expect("threads")), path }
    }

    async fn fill(&self, seed: u64, people: u64) -> Result<Filled, Failed> {
        Filling { store: self.store.clone(), seed, people, veteran: false }.run(|_| ()).await
    }

    async fn dashboard(&self, number: u64) -> Dashboard {
        self.dashboard_of(&user(number)).await
    }

    async fn dashboard_of(&self, user: &UserId) -> Dashboard {
        let all = Wanted { portfolios: true, holdings: true, strategies: true, forecasts: true };
        let read = self.store.parts(user, all).await.expect("a dashboard").value;
        Dashboard {
            portfolios: read.portfolios.expect("portfolios"),
            holdings: read.holdings.expect("holdings"),
            strategies: read.strategies.expect("strategies"),
            forecasts: read.forecasts.expect("forecasts"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.path.display()));
        }
    }
}

/// All that a person has, without what differs from database to database: ids and the order of holdings.
async fn contents(it: &Scratch, number: u64) -> Vec<String> {
    let user = user(number);
    let all = it.dashboard(number).await;
    let mut said: Vec<String> = Vec::new();
    for portfolio in &all.portfolios {
        let (name, default) = (&portfolio.name, portfolio.is_default);
        said.push(format!("{name} {default} {:?}", portfolio.description));
        let page = Page::first(200);
        let deals = it.store.transactions(&user, portfolio.id, page).await.expect("deals").value;
        for deal in deals {
            let entry = deal.entry;
            let (kind, quantity, amount) = (entry.kind, entry.quantity, entry.amount);
            said.push(format!("{kind:?} {quantity} for {amount} at {}", entry.occurred_at));
        }
    }
    let mut holdings: Vec<String> = all
        .holdings
        .iter()
        .map(|one| {
            format!("{} {} {:?}", one.portfolio == all.portfolios[0].id, one.token.symbol, one.fold)
        })
        .collect();
    holdings.sort();
    said.extend(holdings);
    for listed in &all.strategies {
        let (strategy, steps) =
            it.store.strategy(&user, listed.strategy.id).await.expect("a strategy").value;
        said.push(format!(
            "{} {} {}",
            strategy.name,
            strategy.base_quantity,
            strategy.status.as_str()
        ));
        said.extend(steps.iter().map(|step| format!("{:?} {}", step.target, step.target_price)));
    }
    for forecast in &all.forecasts {
        let applied = forecast.applied.len();
        said.push(format!("{} {applied} {:?}", forecast.name, forecast.summary));
    }
    said
}

#[actix::test]
async fn the_same_seed_leaves_the_same_contents_and_another_one_others() {
    let [one, again, other] = [(); 3].map(|()| Scratch::new());
    for (it, seed) in [(&one, 7), (&again, 7), (&other, 8)] {
        it.fill(seed, 12).await.expect("it is filled");
    }
    for number in [1, 12] {
        assert_eq!(contents(&one, number).await, contents(&again, number).await);
        assert_ne!(contents(&one, number).await, contents(&other, number).await);
    }
    assert_ne!(contents(&one, 1).await, contents(&one, 2).await);
    let (prices, more) =
        (one.store.prices_since(0).await.expect("prices").0, again.store.prices_since(0).await);
    let sorted = |prices: &crate::domain::portfolio::token::Prices| {
        let mut sorted: Vec<Decimal> = prices.values().map(|price| price.price).collect();
        sorted.sort_unstable();
        sorted
    };
    assert_eq!(prices.len(), TOKENS);
    assert_eq!(sorted(&prices), sorted(&more.expect("prices").0));
}

#[actix::test]
async fn each_person_has_what_was_promised() {
    let it = Scratch::new();
    let heard = Cell::new(0);
    let filling = Filling { store: it.store.clone(), seed: 3, people: 15, veteran: false };
    let filled = filling.run(|people| heard.set(heard.get() + people)).await.expect("it is filled");
    assert_eq!((filled, heard.get()), (Filled { new: 15, known: 0 }, 15));
    for number in 1..=15 {
        let all = it.dashboard(number).await;
        assert_eq!((all.portfolios.len(), all.holdings.len()), (2, 2 * HELD));
        assert!(all.holdings.iter().all(|one| one.fold.quantity.is_positive()));
        assert_eq!((all.strategies.len(), all.forecasts.len()), (5, 10));
        assert!(all.forecasts.iter().all(|one| !one.stale && one.summary.is_some()));
        assert!(all.forecasts.iter().any(|one| !one.applied.is_empty()));
        let page = Page::first(200);
        let deals = it.store.transactions(&user(number), all.portfolios[0].id, page).await;
        assert_eq!(deals.expect("deals").value.len(), HELD * DEALS);
    }
    assert!(it.dashboard(16).await.portfolios.is_empty());
}

#[actix::test]
async fn a_filling_that_was_cut_is_gone_on_with_and_other_peoples_things_stay() {
    let it = Scratch::new();
    it.fill(1, 11).await.expect("it is filled");
    let before = contents(&it, 11).await;
    let filled = it.fill(1, 25).await.expect("it is filled");
    assert_eq!(filled, Filled { new: 14, known: 11 });
    assert_eq!(contents(&it, 11).await, before);
    let refused = it.fill(2, 30).await.expect_err("another seed drew them").to_string();
    assert!(refused.contains("person-1 ") && refused.contains("seed 2"), "{refused}");
    assert!(it.dashboard(26).await.portfolios.is_empty());

    let taken = Scratch::new();
    let own = NewPortfolio { name: "mine".into(), description: None, is_default: false };
    let made = taken.store.create_portfolio(&user(3), own, None, Moment::default()).await;
    made.expect("a portfolio");
    assert!(
        matches!(taken.fill(1, 5).await, Err(Failed::Taken { user, .. }) if user == "person-3")
    );
    assert_eq!(taken.dashboard(3).await.portfolios.len(), 1);
}

/// Makes every call that a person would.
async fn enter(store: &Store, person: NewPerson, now: Moment) {
    let user = &person.user;
    let (mut portfolios, mut strategies) = (Vec::new(), Vec::new());
    for (new, deals) in person.portfolios {
        let id = store.create_portfolio(user, new, None, now).await.expect("a portfolio").value;
        store.add_transactions(user, id, deals, None, now).await.expect("transactions");
        portfolios.push(id);
    }
    for new in person.strategies {
        let token = new.token_id;
        let id = store.create_strategy(user, new, None, now).await.expect("a strategy").value;
        strategies.push((token, id));
    }
    for new in person.forecasts {
        let applied = new.applied.iter().map(|n| strategies[*n]).collect();
        let portfolio_id = portfolios[new.portfolio];
        let new = NewForecast { portfolio_id, name: new.name, applied, notes: None };
        store.create_forecast(user, new, None, now).await.expect("a forecast");
    }
}

#[actix::test]
async fn who_is_founded_has_what_their_own_calls_would_have_left() {
    let [founded, called] = [(); 2].map(|()| Scratch::new());
    founded.fill(5, 2).await.expect("it is filled");
    let coins = market(5);
    let tokens: Vec<_> = coins.iter().map(|coin| coin.token.clone()).collect();
    called.store.put_tokens(tokens).await.expect("tokens");
    let names: Vec<String> =
        coins.iter().map(|coin| format!("#{}", coin.token.provider_id)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let known = called.store.tokens_called(&names).await.expect("tokens");
    let id = |coin: &Coin| -> TokenId {
        known.iter().find(|one| one.provider_id == coin.token.provider_id).expect("a token").id
    };
    let listed: Vec<Listed<'_>> = coins.iter().map(|coin| Listed { id: id(coin), coin }).collect();
    for number in [1, 2] {
        let person = draw(5, number, &listed).expect("a person");
        enter(&called.store, person, Moment::default()).await;
        let [mut one, mut other] =
            [contents(&founded, number).await, contents(&called, number).await];
        // Nobody has looked at a forecast that was entered: it has no summary yet.
        for said in [&mut one, &mut other] {
            said.iter_mut().for_each(|line| {
                let end = line.find(" Some(Summary").or(line.find(" None")).unwrap_or(line.len());
                line.truncate(end);
            });
        }
        assert_eq!(one, other);
        assert!(founded.store.generation(&user(number)).await.is_ok_and(|one| one > 0));
    }
}

#[actix::test]
async fn the_veteran_has_twelve_years_of_it_and_comes_once() {
    let it = Scratch::new();
    let fill = || Filling { store: it.store.clone(), seed: 1, people: 1, veteran: true };
    for new in [1, 0] {
        assert_eq!(fill().run(|_| ()).await.expect("it is filled").new, new);
    }
    let user = veteran::veteran();
    let all = it.dashboard_of(&user).await;
    assert_eq!(all.portfolios.len(), 2);
    assert_eq!((all.strategies.len(), all.forecasts.len()), (5, 10));
    assert_eq!(all.holdings.len(), veteran::HELD);
    assert!(all.forecasts.iter().all(|one| !one.stale && one.summary.is_some()));
    let first = all.portfolios[0].id;
    let (mut count, mut after) = (0, None);
    loop {
        let page = Page { after, limit: 200 };
        let deals = it.store.transactions(&user, first, page).await.expect("deals").value;
        count += deals.len();
        let Some(last) = deals.last() else { break };
        after = Some(last.place());
    }
    assert_eq!(count, veteran::DEALS);
}

#[test]
fn the_veterans_transactions_span_twelve_years() {
    let coins = market(1);
    let listed: Vec<Listed<'_>> =
        coins.iter().map(|coin| Listed { id: TokenId::new(), coin }).collect();
    let drawn = draw_veteran(1, &listed).expect("a person");
    let deals = &drawn.portfolios[0].1;
    let micros = |at: Option<&crate::domain::portfolio::transaction::Entry>| {
        at.map_or(0, |deal| deal.occurred_at.micros())
    };
    let years = (micros(deals.last()) - micros(deals.first())) / 1_000_000 / 86_400 / 365;
    assert!(deals.is_sorted_by_key(|deal| deal.occurred_at) && years == 11, "{years}");
}

#[test]
fn no_target_is_reached_before_prices_move() {
    let coins = market(1);
    let listed: Vec<Listed<'_>> =
        coins.iter().map(|coin| Listed { id: TokenId::new(), coin }).collect();
    for number in 1..=200 {
        for strategy in draw(1, number, &listed).expect("a person").strategies {
            let it = listed.iter().find(|one| one.id == strategy.token_id).expect("its token");
            let first = strategy.steps[0].target.price(strategy.reference_price).expect("a price");
            let now = it.coin.price().expect("a price");
            assert!(first > now.times("1.1".parse().expect("a decimal")).expect("a price"));
            assert!(strategy.checked().is_ok());
        }
    }
}

#[test]
fn the_market_has_500_tokens_and_each_is_somebodys() {
    let coins = market(1);
    let mut numbers: Vec<i64> = coins.iter().map(|coin| coin.token.provider_id).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((coins.len(), numbers.len()), (TOKENS, TOKENS));
    assert!(coins.iter().all(|coin| coin.price().is_ok_and(Decimal::is_positive)));
    let listed: Vec<Listed<'_>> =
        coins.iter().map(|coin| Listed { id: TokenId::new(), coin }).collect();
    let mut held: Vec<TokenId> = Vec::new();
    for number in 1..=1_000 {
        let person = draw(1, number, &listed).expect("a person");
        held.extend(
            person.portfolios.iter().flat_map(|(_, deals)| deals).map(|deal| deal.token_id),
        );
    }
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), TOKENS);
}
