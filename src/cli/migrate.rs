//! `fanfare migrate`: brings the journal's file to the form of this version.

use super::{Failure, exit::say, settings};
use crate::platform::{data_dir::DataDir, database::Database};

/// Bring the journal's file to the form of this version. `serve` does so by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example, before the first start of a new version:
  fanfare backup before.db && fanfare migrate")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let settings = settings.load([])?.settings;
    let _held = DataDir::open(settings.data_dir())?;
    let path = settings.journal_path();
    Database::open(&path).map_err(|why| Failure::Failed(why.to_string()))?;
    say(format_args!("{} has the form of version {}", path.display(), env!("CARGO_PKG_VERSION")))
}
