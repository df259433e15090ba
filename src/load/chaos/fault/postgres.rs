//! PostgreSQL stops, stands still, swallows its answers, is full, or makes room for a standby that lags.

use std::{io, net::SocketAddr, thread, time::Duration};

use super::{Remembered, Shown, lacks, until};
use crate::load::chaos::{
    field::{Field, Sql, local, state},
    kind::Kind,
    proxy::Mode,
};

const STARTED_AT: &str = "select pg_postmaster_start_time()";
const TIMELINE: &str = "select left(pg_walfile_name(pg_current_wal_lsn()), 8)";
const ROWS: &str = "select count(*) from journal_publications";
/// More than the server has to give.
const STRANGERS: usize = 200;
const STOPS_WITHIN: Duration = Duration::from_secs(2);
const PROMOTED_WITHIN: Duration = Duration::from_secs(20);
/// For so long what is acknowledged does not reach the standby any more.
const LAGS_FOR: Duration = Duration::from_millis(700);

/// Connections that nobody needs.
pub(super) struct Strangers(Vec<Sql>);

pub(super) fn prepare(
    field: &mut Field,
    kind: Kind,
    remembered: &mut Remembered,
) -> io::Result<()> {
    match kind {
        Kind::PostgresPromote => {
            let standby = field.standby()?;
            // It stops to listen to the primary: what is committed from now on is lost with it.
            let mut sql = Sql::connect(local(standby.port()))?;
            sql.one("alter system set primary_conninfo = ''")?;
            sql.one("select pg_reload_conf()")?;
            thread::sleep(LAGS_FOR);
            remembered.before = field.sql()?.one(TIMELINE)?;
        }
        _ => remembered.before = field.sql()?.one(STARTED_AT)?,
    }
    Ok(())
}

pub(super) fn take(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    match kind {
        Kind::PostgresPause => {
            field.postgres.pause()?;
            let pid = field.postgres.pid()?.as_raw() as u32;
            let stopped = until(STOPS_WITHIN, || state(pid) == Some('T'));
            Ok(stopped.then(|| format!("process {pid} is in state T")))
        }
        Kind::PostgresSwallow => {
            field.postgres_proxy.set(Mode::OneWay);
            Ok(None)
        }
        Kind::PostgresFull => {
            let (strangers, complaint) = crowd_in(local(field.postgres.port()), field.sql()?)?;
            remembered.strangers = Some(strangers);
            Ok(Some(complaint))
        }
        // Whether it was the same server afterwards shows only then.
        _ => {
            field.postgres.stop()?;
            Ok(None)
        }
    }
}

pub(super) fn heal(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    let before = &remembered.before;
    match kind {
        Kind::PostgresPause => {
            field.postgres.resume()?;
            Ok(None)
        }
        Kind::PostgresSwallow => {
            let seen = field.postgres_proxy.seen();
            field.postgres_proxy.set(Mode::Cut);
            field.postgres_proxy.set(Mode::Pass);
            // What went to it before may have been all that there was to say.
            let answers = seen.held.saturating_sub(seen.up);
            let swallowed = answers > 0 && seen.down == 0;
            Ok(swallowed.then(|| format!("{answers} bytes of its answers were swallowed")))
        }
        Kind::PostgresFull => {
            remembered.strangers = None;
            Ok(None)
        }
        Kind::PostgresPromote => promote(field, before),
        _ => {
            field.postgres.restart()?;
            let now = field.sql()?.one(STARTED_AT)?;
            Ok((now != *before).then(|| format!("it started at {now}, before at {before}")))
        }
    }
}

/// The standby takes over; the primary is kept, for its journal.
fn promote(field: &mut Field, before: &str) -> Shown {
    let standby = field.standby.take().ok_or_else(|| lacks("standby"))?;
    let address = local(standby.port());
    let mut sql = Sql::connect(address)?;
    sql.one("select pg_promote()")?;
    let promoted = until(PROMOTED_WITHIN, || {
        sql.one("select pg_is_in_recovery()").is_ok_and(|answer| answer == "f")
    });
    let now = sql.one(TIMELINE)?;
    field.postgres_proxy.lead_to(address);
    let rows = sql.one(ROWS)?;
    field.retired.push(std::mem::replace(&mut field.postgres, standby));
    Ok((promoted && now != *before)
        .then(|| format!("timeline {now} with {rows} publications, before {before}")))
}

/// Takes every connection that there is, also those of the nodes, which have to come back for them.
fn crowd_in(address: SocketAddr, mut sql: Sql) -> io::Result<(Strangers, String)> {
    sql.one("select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'")?;
    let mut strangers = vec![sql];
    for _ in 0..STRANGERS {
        match Sql::connect(address) {
            Ok(stranger) => strangers.push(stranger),
            Err(e) => return Ok((Strangers(strangers), e.to_string())),
        }
    }
    Err(io::Error::other(format!("{} strangers did not fill the server", strangers.len())))
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.0.clear();
    }
}
