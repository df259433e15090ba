//! `fanfare migrate`: brings the journal's file to the form of this version.

use super::{Failure, settings};

/// Bring the journal's file to the form of this version. `serve` does so by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example, before the first start of a new version:
  fanfare backup before.db && fanfare migrate")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let _settings = settings.load([])?.settings;
    Err(Failure::Failed("migrate is not built in yet".into()))
}
