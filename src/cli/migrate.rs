//! `fanfare migrate`: brings the journal to the form of this version, wherever it is kept.

use super::{Failure, exit::say, settings};
use crate::platform::{
    data_dir::DataDir,
    database::Database,
    postgres::{Engine, Options, migrate},
    settings::Settings,
};

/// Bring the journal to the form of this version. `serve` does so by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example, before the first start of a new version:
  fanfare backup before.db && fanfare migrate

With postgres.url set it is the database that is migrated: under a lock, so that one node at a time
does it, and so that nodes of the version before go on beside it.")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let settings = settings.load_for_database()?.settings;
    match settings.postgres.options() {
        Some(options) => database(options.map_err(|why| Failure::Failed(why.to_string()))?)?,
        None => file(&settings)?,
    }
    let (place, version) = (settings.journal_place(), env!("CARGO_PKG_VERSION"));
    say(format_args!("{place} has the form of version {version}"))
}

fn file(settings: &Settings) -> Result<(), Failure> {
    let _held = DataDir::open(settings.data_dir())?;
    let opened = Database::open(&settings.journal_path());
    opened.map(drop).map_err(|why| Failure::Failed(why.to_string()))
}

fn database(options: Options) -> Result<(), Failure> {
    let failed = |why: String| Failure::Failed(why);
    let engine = Engine::start("migrate").map_err(|why| failed(why.to_string()))?;
    let migrated = engine.block_on(async move { migrate(&options).await });
    migrated.ok_or_else(|| failed("the migration fell".into()))??;
    Ok(())
}
