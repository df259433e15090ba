//! `fanfare backup`: copies the journal while a node goes on writing to it.

use std::path::PathBuf;

use super::{Failure, exit::say, settings};
use crate::realtime::journal::sqlite;

/// Copy the journal to FILE. The server may go on running meanwhile.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare backup monday.db
  FANFARE_JOURNAL__PATH=monday.db fanfare serve     opens the copy

The copy is marked: whoever opens it starts a new history, and clients that have seen later
messages than it holds are told so.")]
pub(super) struct Args {
    /// Where to; must not be there yet.
    file: PathBuf,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let settings = settings.load([])?.settings;
    if settings.postgres.options().is_some() {
        let why = "the journal is in PostgreSQL: back it up with that server's own tools, see docs/OPERATIONS.md";
        return Err(Failure::Failed(why.into()));
    }
    let from = settings.journal_path();
    sqlite::backup(&from, &args.file).map_err(|why| Failure::Failed(why.0))?;
    say(format_args!("{} is copied to {}", from.display(), args.file.display()))
}
