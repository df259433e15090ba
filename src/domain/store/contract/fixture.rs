//! A store under test, twice on one database, with two people and two tokens.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesel::QueryResult;
use futures_util::future::BoxFuture;

use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            Refusal,
            alert::Alert,
            fold::Fold,
            id::{PortfolioId, StrategyId, TokenId, TransactionId},
            portfolios::NewPortfolio,
            strategy::{NewStep, NewStrategy, Status, Target, TargetKind},
            transaction::{Entry, Kind},
        },
        store::{Connections, NewToken, Open, Outbox, Store, Told},
    },
    ids::UserId,
    platform::{
        database::Database,
        postgres::Options,
        scratch::postgres::shared::{schema, sql},
    },
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(4);

pub fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A moment so many seconds after the tests' time begins.
pub fn second(n: i64) -> Moment {
    Moment::from_micros((1_700_000_000 + n) * 1_000_000)
}

pub struct Fixture {
    pub store: Arc<Store>,
    /// Another one on the same database, as another node has it.
    pub second: Arc<Store>,
    pub ana: UserId,
    pub bo: UserId,
    pub btc: TokenId,
    pub eth: TokenId,
    /// What was told of what fired.
    pub heard: Arc<Heard>,
    hand: Hand,
}

/// Hears what is told, once it is committed.
#[derive(Default)]
pub struct Heard {
    heard: Arc<Mutex<Vec<(UserId, Alert)>>>,
    refuses: AtomicBool,
}

impl Heard {
    /// What came since the last time.
    pub fn take(&self) -> Vec<(UserId, Alert)> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    /// From now on nothing can be told, or it can again.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }
}

impl Outbox for Heard {
    fn say<'a>(
        &'a self,
        _: Open<'a>,
        alerts: &'a [(UserId, Alert)],
    ) -> BoxFuture<'a, QueryResult<Told>> {
        Box::pin(async {
            if self.refuses.load(Ordering::Relaxed) {
                return Err(diesel::result::Error::NotFound);
            }
            let (heard, alerts) = (self.heard.clone(), alerts.to_vec());
            Ok(Box::new(move || heard.lock().unwrap().extend(alerts)) as Told)
        })
    }
}

/// A way past the store.
enum Hand {
    File(Arc<Database>, PathBuf),
    Url(String),
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-{}.db", uuid::Uuid::new_v4()));
        let database = Arc::new(Database::open(&path).expect("a database"));
        let store = || Arc::new(Store::sqlite(database.clone()).expect("threads"));
        Self::of(store(), store(), Hand::File(database.clone(), path)).await
    }

    pub async fn postgres() -> Self {
        let url = schema();
        let store = || {
            let options = Options::parse(&url, PATIENCE, PATIENCE).expect("an address");
            let store = Store::postgres(options, Connections { most: 4, wait: PATIENCE });
            Arc::new(store.expect("a database"))
        };
        Self::of(store(), store(), Hand::Url(url.clone())).await
    }

    async fn of(store: Arc<Store>, second: Arc<Store>, hand: Hand) -> Self {
        let token = |symbol: &str, name: &str, provider_id| NewToken {
            symbol: symbol.into(),
            name: name.into(),
            provider_id,
            logo_url: None,
        };
        let tokens = vec![token("BTC", "Bitcoin", 1), token("ETH", "Ethereum", 1027)];
        store.put_tokens(tokens).await.unwrap();
        let found = store.tokens_called(&["BTC", "ETH"]).await.unwrap();
        let id = |symbol| found.iter().find(|token| token.symbol == symbol).unwrap().id;
        let (btc, eth) = (id("BTC"), id("ETH"));
        let (ana, bo, heard) = (UserId::new("ana"), UserId::new("bo"), Arc::default());
        Self { store, second, ana, bo, btc, eth, heard, hand }
    }

    /// Whether this is SQLite.
    pub fn is_file(&self) -> bool {
        matches!(self.hand, Hand::File(..))
    }

    /// Says something to the database.
    pub fn sql(&self, text: &str) {
        match &self.hand {
            Hand::Url(url) => drop(sql(url, text)),
            Hand::File(database, _) => {
                let mut connection = database.connect().unwrap();
                diesel::connection::SimpleConnection::batch_execute(&mut connection, text).unwrap();
            }
        }
    }

    /// How many rows a query says there are.
    pub fn count(&self, from: &str) -> i64 {
        let text = format!("select count(*) as count from {from}");
        match &self.hand {
            Hand::Url(url) => sql(url, &text).parse().unwrap(),
            Hand::File(database, _) => {
                let mut connection = database.connect().unwrap();
                let counted = diesel::dsl::sql::<diesel::sql_types::BigInt>(&text);
                diesel::RunQueryDsl::get_result(counted, &mut connection).unwrap()
            }
        }
    }

    /// The lines of a query's plan, by a planner that is not told what to like.
    pub fn plan(&self, query: &str) -> Vec<String> {
        match &self.hand {
            Hand::Url(url) => sql(url, &format!("explain {query}"))
                .lines()
                .map(|line| line.trim().to_owned())
                .collect(),
            Hand::File(database, _) => {
                #[derive(diesel::QueryableByName)]
                struct Line {
                    #[diesel(sql_type = diesel::sql_types::Text)]
                    detail: String,
                }
                let mut connection = database.connect().unwrap();
                let explain = diesel::sql_query(format!("explain query plan {query}"));
                let lines: Vec<Line> = diesel::RunQueryDsl::load(explain, &mut connection).unwrap();
                lines.into_iter().map(|line| line.detail).collect()
            }
        }
    }

    pub async fn portfolio(&self, user: &UserId, name: &str) -> PortfolioId {
        let new = NewPortfolio { name: name.into(), description: None, is_default: false };
        self.store.create_portfolio(user, new, None, second(0)).await.unwrap().value
    }

    /// Bought, sold ... at a second.
    pub fn entry(&self, kind: Kind, quantity: &str, amount: &str, at: i64) -> Entry {
        Entry {
            token_id: self.btc,
            kind,
            quantity: d(quantity),
            amount: d(amount),
            occurred_at: second(at),
            notes: None,
        }
    }

    pub async fn add(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        entries: Vec<Entry>,
    ) -> Result<Vec<TransactionId>, Refusal> {
        let added = self.store.add_transactions(user, portfolio, entries, None, second(0)).await;
        added.map(|stored| stored.value)
    }

    /// What a portfolio holds of a token, if anything ever was.
    pub async fn held(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        token: TokenId,
    ) -> Option<Fold> {
        let (_, held) = self.store.holdings(user, portfolio).await.unwrap().value;
        held.into_iter().find(|one| one.token.id == token).map(|one| one.fold)
    }

    pub fn strategy(&self, steps: &[(&str, &str)]) -> NewStrategy {
        let step = |(target, sell): &(&str, &str)| NewStep {
            id: None,
            target: Target {
                target_kind: TargetKind::Price,
                target_value: d(target),
                sell_percent: d(sell),
            },
            state: None,
        };
        NewStrategy {
            token_id: self.btc,
            name: "exit".into(),
            base_quantity: d("5"),
            reference_price: d("1200"),
            status: Status::Active,
            notes: None,
            steps: steps.iter().map(step).collect(),
        }
    }

    pub async fn planned(&self, user: &UserId) -> StrategyId {
        let new = self.strategy(&[("1550", "25"), ("3600", "50")]);
        self.store.create_strategy(user, new, None, second(0)).await.unwrap().value
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let Hand::File(_, path) = &self.hand else { return };
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
    }
}
