//! What a server says of itself, and whether that is good enough. Pure.

use diesel::{
    QueryableByName,
    sql_types::{Bool, Integer, Text},
};

use super::ConnectError;

/// The oldest version that has what we use (`client_connection_check_interval` came with 14).
const OLDEST: i32 = 140_000;

/// Asks for [`Facts`]. On a standby there is no position in the log to ask for.
pub(super) const ASK: &str = "\
select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit, current_setting('server_encoding') as encoding,
       current_setting('server_version_num')::integer as version, pg_is_in_recovery() as standby,
       (select system_identifier::text from pg_control_system()) as system,
       case when pg_is_in_recovery() then '' else left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline";

#[derive(QueryableByName, Clone, Debug)]
pub(super) struct Facts {
    #[diesel(sql_type = Text)]
    pub fsync: String,
    #[diesel(sql_type = Text)]
    pub full_page_writes: String,
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    #[diesel(sql_type = Text)]
    pub encoding: String,
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Bool)]
    pub standby: bool,
    #[diesel(sql_type = Text)]
    pub system: String,
    #[diesel(sql_type = Text)]
    pub timeline: String,
}

impl Facts {
    /// Whether a commit on this connection stays.
    pub fn check(&self) -> Result<(), ConnectError> {
        if self.standby {
            return Err(ConnectError::Unreachable("it is a standby; the primary is needed".into()));
        }
        self.check_read()?;
        if self.fsync != "on" {
            return unfit("fsync", "on", &self.fsync);
        }
        if self.full_page_writes != "on" {
            return unfit("full_page_writes", "on", &self.full_page_writes);
        }
        if matches!(&*self.synchronous_commit, "off" | "local") {
            let expected = "on, remote_write or remote_apply";
            return unfit("synchronous_commit", expected, &self.synchronous_commit);
        }
        Ok(())
    }

    /// Whether what is read on this connection can be understood.
    pub fn check_read(&self) -> Result<(), ConnectError> {
        if self.version < OLDEST {
            return unfit("server_version", "14 or later", &(self.version / 10_000).to_string());
        }
        if self.encoding != "UTF8" {
            return unfit("server_encoding", "UTF8", &self.encoding);
        }
        Ok(())
    }
}

fn unfit(setting: &'static str, expected: &'static str, found: &str) -> Result<(), ConnectError> {
    Err(ConnectError::Unfit { setting, expected, found: found.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            encoding: "UTF8".into(),
            version: 150_018,
            standby: false,
            system: "7".into(),
            timeline: "00000001".into(),
        }
    }

    #[test]
    fn a_server_that_keeps_nothing_is_named_with_its_setting() {
        assert_eq!(good().check(), Ok(()));
        let setting = |facts: Facts| match facts.check() {
            Err(ConnectError::Unfit { setting, .. }) => setting,
            other => panic!("{other:?}"),
        };
        assert_eq!(setting(Facts { fsync: "off".into(), ..good() }), "fsync");
        assert_eq!(setting(Facts { full_page_writes: "off".into(), ..good() }), "full_page_writes");
        for bad in ["off", "local"] {
            let facts = Facts { synchronous_commit: bad.into(), ..good() };
            assert_eq!(setting(facts), "synchronous_commit");
        }
        assert_eq!(setting(Facts { encoding: "LATIN1".into(), ..good() }), "server_encoding");
        assert_eq!(setting(Facts { version: 130_002, ..good() }), "server_version");
    }

    #[test]
    fn a_standby_is_no_place_to_write_but_may_become_one() {
        let standby = Facts { standby: true, timeline: String::new(), ..good() };
        assert!(matches!(standby.check(), Err(ConnectError::Unreachable(_))));
        assert_eq!(standby.check_read(), Ok(()), "it can be read");
        assert!(Facts { encoding: "LATIN1".into(), ..standby }.check_read().is_err());
    }
}
