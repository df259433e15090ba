//! Which store keeps the durable channels, and how its work shows in the metrics.

use std::sync::Arc;

use super::Failed;
use crate::{
    domain::{
        self,
        store::{Replica, Store},
    },
    platform::{
        database::{Database, OpenError},
        metrics::Metrics,
        postgres::ConnectError,
        settings::Settings,
    },
    realtime::{
        barred::{BarStore, PostgresBars, SqliteBars},
        journal::{
            Journal, RetentionOf,
            postgres::{Connections, PostgresJournal},
            sqlite::{Alongside, SqliteJournal},
            system_clock,
            writer::Observer,
        },
    },
};

/// What outlives a node: its publications, who is barred, and what people own.
pub(super) struct Stores {
    pub journal: Arc<dyn Journal>,
    pub bars: Arc<dyn BarStore>,
    pub portfolios: Arc<Store>,
    /// For what is published together with them, if the journal is in the same file.
    pub alongside: Option<Alongside>,
}

/// The journal of durable channels, and what lies beside it: in PostgreSQL if there is one, else in a file.
pub(super) fn open(
    settings: &Settings,
    retention: RetentionOf,
    metrics: &Arc<Metrics>,
) -> Result<Stores, Failed> {
    let Some(options) = settings.postgres.options() else {
        let because = |why: OpenError| Failed::because(why.to_string());
        let database = Arc::new(Database::open(&settings.journal_path()).map_err(because)?);
        let journal = SqliteJournal::on(database.clone(), retention, system_clock());
        let journal = Arc::new(journal.map_err(because)?);
        let alongside = Some(journal.alongside());
        let portfolios = Arc::new(Store::sqlite(database.clone()).map_err(because)?);
        let bars = Arc::new(SqliteBars::new(database));
        return Ok(Stores { journal, bars, portfolios, alongside });
    };
    let options =
        options.map_err(|bad| Failed::because(format!("postgres.url: expected {bad}")))?;
    let connections = Connections {
        appending: settings.postgres.append_connections,
        reading: settings.postgres.read_connections,
        wait: settings.postgres.pool_timeout,
    };
    let failed = |why: ConnectError| {
        let unfit = matches!(why, ConnectError::Unfit { .. });
        Failed { why: why.to_string(), unfit }
    };
    let journal = PostgresJournal::open(options.clone(), connections, retention).map_err(failed)?;
    let bars = PostgresBars::new(options.clone()).map_err(failed)?;
    let most = settings.postgres.portfolio_connections;
    let connections = domain::store::Connections { most, wait: settings.postgres.pool_timeout };
    let mut portfolios = Store::postgres(options, connections).map_err(failed)?;
    if let Some(replica) = replica(settings, metrics)? {
        portfolios = portfolios.read_from(replica);
    }
    Ok(Stores {
        journal: Arc::new(journal),
        bars: Arc::new(bars),
        portfolios: Arc::new(portfolios),
        alongside: None,
    })
}

/// Who takes reads of people's data off PostgreSQL. It need not be there yet.
fn replica(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Option<Replica>, Failed> {
    let set = &settings.database;
    let Some(options) = set.options(settings.postgres.connect_timeout) else { return Ok(None) };
    let bad = |bad| Failed::because(format!("database.replica_url: expected {bad}"));
    let (most, deadline) = (set.replica_connections, set.replica_deadline);
    Replica::new(options.map_err(bad)?, most, deadline, metrics.clone())
        .map(Some)
        .map_err(|why| Failed::because(why.to_string()))
}

/// Lets the metrics see how the journal does.
pub(super) fn observer(metrics: &Arc<Metrics>) -> Observer {
    let [size, took, refused, unknown] = [(); 4].map(|()| metrics.clone());
    Observer {
        batch_size: Box::new(move |n| size.journal_batch_size.observe(n as f64)),
        commit_seconds: Box::new(move |s| took.journal_commit_seconds.observe(s)),
        refused: Box::new(move || refused.journal_failures_total.of("refused").inc()),
        unknown: Box::new(move || unknown.journal_failures_total.of("unknown").inc()),
    }
}
