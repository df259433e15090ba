//! Which store keeps the durable channels, and how its work shows in the metrics.

use std::sync::Arc;

use super::Failed;
use crate::{
    platform::{metrics::Metrics, postgres::ConnectError, settings::Settings},
    realtime::journal::{
        Journal, RetentionOf,
        postgres::{Connections, PostgresJournal},
        sqlite::SqliteJournal,
        writer::Observer,
    },
};

/// The journal of durable channels: in PostgreSQL if there is one, else in a file.
pub(super) fn open(
    settings: &Settings,
    retention: RetentionOf,
) -> Result<Arc<dyn Journal>, Failed> {
    let Some(options) = settings.postgres.options() else {
        return match SqliteJournal::open(&settings.journal_path(), retention) {
            Ok(journal) => Ok(Arc::new(journal)),
            Err(why) => Err(Failed::because(why.to_string())),
        };
    };
    let options =
        options.map_err(|bad| Failed::because(format!("postgres.url: expected {bad}")))?;
    let connections = Connections {
        appending: settings.postgres.append_connections,
        reading: settings.postgres.read_connections,
        wait: settings.postgres.pool_timeout,
    };
    match PostgresJournal::open(options, connections, retention) {
        Ok(journal) => Ok(Arc::new(journal)),
        Err(why) => {
            let unfit = matches!(why, ConnectError::Unfit { .. });
            Err(Failed { why: why.to_string(), unfit })
        }
    }
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
