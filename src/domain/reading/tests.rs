//! What is read through the cache is what the store has, whichever levels are on, and at once.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            forecast::{Forecast, Summary},
            id::{ForecastId, PortfolioId, StrategyId, TokenId},
            portfolios::NewPortfolio,
            strategy::{Status, Strategy},
        },
        store::{Listed, NewToken},
    },
    platform::{
        cache::{Shared, SharedOptions, Value},
        database::Database,
        metrics::Labels,
        redis_client,
        scratch::Redis,
    },
};

const LIVES: Lives = Lives {
    portfolios: Duration::from_secs(300),
    holdings: Duration::from_secs(120),
    strategies: Duration::from_secs(300),
    forecasts: Duration::from_secs(600),
};

/// Nodes with one store, each with other levels, and one clock.
struct Scene {
    store: Arc<Store>,
    nodes: Vec<Reading>,
    now: Arc<AtomicU64>,
    path: std::path::PathBuf,
}

impl Drop for Scene {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.path.display()));
        }
    }
}

impl Scene {
    /// A node for each: bytes of memory, and whether Redis is on.
    fn new(levels: &[(usize, bool)], redis: Option<&Redis>) -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-{}.db", uuid::Uuid::new_v4()));
        let store = Arc::new(Store::sqlite(Arc::new(Database::open(&path).unwrap())).unwrap());
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let node = |(memory, shared): &(usize, bool)| {
            let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
            let shared = redis.filter(|_| *shared).map(|redis| {
                let second = Duration::from_secs(1);
                let redis = redis_client::Options::parse(&redis.url(), None, second, second);
                let options = SharedOptions {
                    redis: redis.unwrap(),
                    prefix: "test".into(),
                    deadline: second,
                    largest: 1 << 20,
                };
                Shared::new(options, FORMAT, metrics.clone())
            });
            let clock = now.clone();
            let clock: crate::platform::cache::Clock = Arc::new(move || clock.load(SeqCst));
            let levels = Options { memory: *memory, shared, clock };
            Reading::start(store.clone(), LIVES, levels, metrics).unwrap()
        };
        Self { nodes: levels.iter().map(node).collect(), store, now, path }
    }

    /// All nodes say what the store says, in the generation that it has.
    async fn agree(&self, user: &UserId) {
        let all = Wanted { portfolios: true, holdings: true, strategies: true, forecasts: true };
        let right = self.store.parts(user, all).await.unwrap();
        for node in &self.nodes {
            let present = node.present(user).await.unwrap();
            let view = node.view(user, &Which::ALL, present).await.unwrap();
            assert_eq!(view.generation, right.generation);
            assert_eq!(Some(view.portfolios()), right.value.portfolios.as_deref());
            assert_eq!(Some(view.holdings()), right.value.holdings.as_deref());
            assert_eq!(Some(view.strategies()), right.value.strategies.as_deref());
            assert_eq!(Some(view.forecasts()), right.value.forecasts.as_deref());
        }
    }
}

fn named(name: u8) -> NewPortfolio {
    NewPortfolio { name: name.to_string(), description: None, is_default: name.is_multiple_of(2) }
}

#[test]
fn whatever_is_written_every_node_reads_it_at_once_whichever_levels_are_on() {
    let redis = Redis::start(&[]).unwrap();
    let system = actix::System::new();
    let mut runner = TestRunner::new(ProptestConfig { cases: 8, ..ProptestConfig::default() });
    // What is done: 0..8 writes, 8 time passes, 9 Redis forgets.
    let deeds = proptest::collection::vec((0u8..10, 0u8..4, 0usize..2), 1..24);
    let ran = runner.run(&deeds, |deeds| {
        system.block_on(async {
            let levels =
                [(1 << 20, true), (1 << 20, false), (0, true), (0, false), (1 << 20, true)];
            let it = Scene::new(&levels, Some(&redis));
            let people = [UserId::new("ana"), UserId::new("bo")];
            redis.ask(&["FLUSHALL"]).unwrap();
            for (what, name, who) in deeds {
                let user = &people[who];
                match what {
                    0..4 => drop(
                        it.store.create_portfolio(user, named(name), None, Moment::now()).await,
                    ),
                    4..8 => {
                        let all = it.store.overview(user).await.unwrap().value.0;
                        if let Some(one) = all.get(usize::from(name)) {
                            it.store.delete_portfolio(user, one.id).await.unwrap();
                        }
                    }
                    8 => drop(it.now.fetch_add(50_000 * u64::from(name + 1), SeqCst)),
                    _ => drop(redis.ask(&["FLUSHALL"]).unwrap()),
                }
                it.agree(&people[0]).await;
                it.agree(&people[1]).await;
            }
        });
        Ok(())
    });
    ran.unwrap();
}

#[actix_web::test]
async fn a_summary_that_was_kept_is_seen_at_once_and_only_forecasts_are_read_anew() {
    use crate::domain::portfolio::forecast::NewForecast;
    let it = Scene::new(&[(1 << 20, false), (1 << 20, false)], None);
    let ana = UserId::new("ana");
    let portfolio =
        it.store.create_portfolio(&ana, named(0), None, Moment::now()).await.unwrap().value;
    let new = NewForecast {
        portfolio_id: portfolio,
        name: "f".into(),
        applied: Default::default(),
        notes: None,
    };
    let from = it.store.create_forecast(&ana, new, None, Moment::now()).await.unwrap();
    it.agree(&ana).await;
    let kept = it.store.keep_summary(&ana, &from, Summary::default(), 1, Moment::now()).await;
    assert_eq!(kept, Ok(true));
    let before = it.nodes[1].last(&ana, &Which::ALL).unwrap();
    it.now.fetch_add(1_000, SeqCst);
    it.agree(&ana).await;
    let after = it.nodes[1].last(&ana, &Which::ALL).unwrap();
    assert_eq!(before.as_of(Which::Holdings), after.as_of(Which::Holdings));
    assert!(before.as_of(Which::Forecasts) < after.as_of(Which::Forecasts));
}

#[actix_web::test]
async fn the_last_that_is_known_is_of_one_generation_or_nothing() {
    let it = Scene::new(&[(1 << 20, false)], None);
    let (node, ana) = (&it.nodes[0], UserId::new("ana"));
    assert!(node.last(&ana, &Which::ALL).is_none());
    it.agree(&ana).await;
    it.now.fetch_add(9_000, SeqCst);
    let last = node.last(&ana, &Which::ALL).unwrap();
    assert_eq!((last.generation, last.age(it.now.load(SeqCst))), (0, Duration::from_secs(9)));
    it.store.create_portfolio(&ana, named(0), None, Moment::now()).await.unwrap();
    let present = node.present(&ana).await.unwrap();
    node.view(&ana, &[Which::Portfolios], present).await.unwrap();
    assert!(node.last(&ana, &Which::ALL).is_none(), "parts of two generations are no answer");
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    "019b0000-0000-7000-8000-000000000000".parse().unwrap()
}

/// Of each kind one, with all that it may have.
fn samples() -> [(Which, Kept); 4] {
    use crate::domain::portfolio::{
        fold::Fold, holding::Holding, portfolios::Portfolio, token::Token,
    };
    let (at, one) = (Moment::from_micros(1_700_000_000_000_001), Decimal::ONE);
    let (portfolio, token) = (id::<PortfolioId>(), id::<TokenId>());
    [
        (
            Which::Portfolios,
            Kept::Portfolios(vec![Portfolio {
                id: portfolio,
                name: "n".into(),
                description: Some("d".into()),
                is_default: true,
                created_at: at,
                updated_at: at,
            }]),
        ),
        (
            Which::Holdings,
            Kept::Holdings(vec![Holding {
                portfolio,
                token: Token {
                    id: token,
                    symbol: "S".into(),
                    name: "n".into(),
                    provider_id: 1,
                    logo_url: Some("l".into()),
                },
                fold: Fold {
                    quantity: one,
                    invested: "0.000000000000000001".parse().unwrap(),
                    realized: one,
                },
            }]),
        ),
        (
            Which::Strategies,
            Kept::Strategies(vec![Listed {
                strategy: Strategy {
                    id: id::<StrategyId>(),
                    token_id: token,
                    name: "n".into(),
                    base_quantity: one,
                    reference_price: one,
                    status: Status::Active,
                    notes: Some("o".into()),
                    created_at: at,
                    updated_at: at,
                },
                done: 1,
                steps: 2,
            }]),
        ),
        (
            Which::Forecasts,
            Kept::Forecasts(vec![Forecast {
                id: id::<ForecastId>(),
                portfolio_id: portfolio,
                name: "n".into(),
                applied: [(token, id::<StrategyId>())].into(),
                notes: Some("o".into()),
                created_at: at,
                updated_at: at,
                stale: false,
                summary: Some(Summary::default()),
                computed_at: Some(at),
            }]),
        ),
    ]
}

#[test]
fn what_is_kept_comes_back_as_it_was() {
    for (which, kept) in samples() {
        let bytes = kept.encode().unwrap();
        assert_eq!(Kept::decode(which.name(), &bytes).as_ref(), Some(&kept));
        assert_eq!(Kept::decode("other", &bytes), None);
        assert_eq!(Kept::decode(which.name(), b"{}"), None);
        assert!(kept.weight() > bytes.len() / 4, "{which:?}");
    }
}

/// If this fails, raise `FORMAT` and the digest with it: versions of the program that run side by side must not read each
/// other's values.
#[test]
fn another_shape_has_another_format() {
    use sha2::{Digest, Sha256};
    let written: Vec<u8> =
        samples().iter().filter_map(|(_, kept)| kept.encode()).flatten().collect();
    let digest = Sha256::digest(&written).into_iter().take(6).map(|byte| format!("{byte:02x}"));
    let text = String::from_utf8(written).unwrap();
    assert_eq!((FORMAT, digest.collect::<String>().as_str()), (1, "818390c01b5a"), "{text}");
}

#[actix_web::test]
async fn names_of_tokens_are_kept_no_longer_than_their_holdings() {
    use crate::domain::portfolio::transaction::{Entry, Kind};
    let it = Scene::new(&[(1 << 20, false)], None);
    let ana = UserId::new("ana");
    let token = |name: &str| NewToken {
        symbol: "BTC".into(),
        name: name.into(),
        provider_id: 1,
        logo_url: None,
    };
    it.store.put_tokens(vec![token("old")]).await.unwrap();
    let btc = it.store.tokens_called(&["BTC"]).await.unwrap()[0].id;
    let portfolio =
        it.store.create_portfolio(&ana, named(0), None, Moment::now()).await.unwrap().value;
    let bought = Entry {
        token_id: btc,
        kind: Kind::Buy,
        quantity: Decimal::ONE,
        amount: Decimal::ONE,
        occurred_at: Moment::from_micros(1),
        notes: None,
    };
    it.store.add_transactions(&ana, portfolio, vec![bought], None, Moment::now()).await.unwrap();
    it.agree(&ana).await;
    it.store.put_tokens(vec![token("new")]).await.unwrap();
    it.now.fetch_add(250_000, SeqCst);
    it.agree(&ana).await;
}
