//! Databases that were filled for a run and are kept for the next: filling one with 10,000 people takes minutes, copying
//! it seconds.
//!
//! Each is a folder whose name says what is in it: the kind of database, the form of its tables, what drew its people.
//! `fanfare seed` of this binary fills it beside and it is renamed when it is whole.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use crate::{
    load::{Failure, args::Store},
    platform::scratch::Postgres,
    work::seed::EDITION,
};

/// All that makes the tables: who changes it gets other folders.
const FORM: &[&str] = &[
    include_str!("../../../migrations/sqlite/2026-01-01-000000_journal/up.sql"),
    include_str!("../../../migrations/sqlite/2026-01-02-000000_barred/up.sql"),
    include_str!("../../../migrations/sqlite/2026-01-03-000000_portfolio/up.sql"),
    include_str!("../../../migrations/sqlite/2026-01-04-000000_prices/up.sql"),
    include_str!("../../../migrations/sqlite/2026-01-05-000000_computed/up.sql"),
    include_str!("../../../migrations/sqlite/2026-01-06-000000_keys_by_age/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-01-000000_journal/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-02-000000_barred/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-03-000000_portfolio/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-04-000000_prices/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-05-000000_computed/up.sql"),
    include_str!("../../../migrations/postgres/2026-01-06-000000_keys_by_age/up.sql"),
];

/// Little is left over of what the filling wrote.
const SMALL_LOG: &[&str] = &["max_wal_size=128MB", "min_wal_size=32MB"];

/// Which people, in which kind of database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub store: Store,
    pub seed: u64,
    pub people: usize,
    pub veteran: bool,
}

impl Wanted {
    /// The name of its folder.
    fn name(&self) -> String {
        let mut form = Sha256::new();
        FORM.iter().for_each(|text| form.update(text));
        let form: String =
            form.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let kind = match self.store {
            Store::Sqlite => "sqlite",
            Store::Postgres => "postgres",
        };
        let veteran = if self.veteran { "-veteran" } else { "" };
        format!("{kind}-{form}-{EDITION}-seed-{}-people-{}{veteran}", self.seed, self.people)
    }

    /// The folder, filled now if it is not there.
    pub fn ready(&self, cache: &Path) -> Result<PathBuf, Failure> {
        let folder = cache.join(self.name());
        if folder.is_dir() {
            return Ok(folder);
        }
        let failed =
            |e: io::Error| Failure(format!("can't fill a database in {}: {e}", cache.display()));
        eprintln!("filling {} once; later runs copy it", folder.display());
        let beside = cache.join(format!("{}.{}", self.name(), std::process::id()));
        fs::create_dir_all(cache).map_err(failed)?;
        let data = beside.display().to_string();
        let filled = match self.store {
            Store::Sqlite => self.fill(&[("FANFARE_DATA_DIR", &*data)]),
            Store::Postgres => self.fill_postgres(&beside),
        };
        let named = filled.and_then(|()| match fs::rename(&beside, &folder) {
            // Another run was quicker.
            Err(_) if folder.is_dir() => Ok(()),
            renamed => renamed,
        });
        let _ = fs::remove_dir_all(&beside);
        named.map_err(failed).map(|()| folder)
    }

    fn fill_postgres(&self, folder: &Path) -> io::Result<()> {
        let mut postgres = Postgres::start(SMALL_LOG)?;
        // Nodes that share a database want secrets of their own; nobody signs anything here.
        let url = postgres.url("postgres");
        self.fill(&[
            ("FANFARE_POSTGRES__URL", &*url),
            ("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", "of nobody: no token is signed with this"),
            ("FANFARE_HTTP_API__KEY", "of nobody: nothing listens here meanwhile"),
        ])?;
        postgres.keep(folder)
    }

    /// `fanfare seed`, told nothing but this.
    fn fill(&self, settings: &[(&str, &str)]) -> io::Result<()> {
        let others =
            env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("FANFARE_"));
        let mut seed = Command::new(env::current_exe()?);
        seed.args(["seed", "--people", &self.people.to_string(), "--seed", &self.seed.to_string()])
            .args(self.veteran.then_some("--veteran"))
            .env_clear()
            .envs(others)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match seed.status()? {
            status if status.success() => Ok(()),
            status => Err(io::Error::other(format!("fanfare seed ended with {status}"))),
        }
    }
}

/// Where databases are kept unless it is said: where programs keep what they can make again.
pub fn usual_cache() -> PathBuf {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("fanfare")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_in_the_name_of_a_kept_database() {
        let mut found = 0;
        for kind in ["sqlite", "postgres"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind);
            for migration in fs::read_dir(folder).expect("migrations") {
                let text = fs::read_to_string(migration.expect("a folder").path().join("up.sql"));
                assert!(FORM.contains(&text.expect("a migration").as_str()));
                found += 1;
            }
        }
        assert_eq!(found, FORM.len());
    }

    #[test]
    fn other_people_are_in_other_folders() {
        let one = Wanted { store: Store::Sqlite, seed: 1, people: 10, veteran: false };
        let names = [
            one,
            Wanted { seed: 2, ..one },
            Wanted { people: 11, ..one },
            Wanted { veteran: true, ..one },
            Wanted { store: Store::Postgres, ..one },
        ]
        .map(|wanted| wanted.name());
        for (n, name) in names.iter().enumerate() {
            assert!(!names[..n].contains(name), "{name}");
        }
        assert_eq!(names[0], one.name());
    }
}
