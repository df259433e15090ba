//! `fanfare seed`: fills the database with people to try it with, and says how to be one of them.

use std::{fmt, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, exit::say, settings};
use crate::{
    domain::store::{Connections, Store},
    platform::{
        data_dir::DataDir,
        database::{Database, OpenError},
        settings::Settings,
    },
    work::seed::{Filled, Filling},
};

/// How long a transaction waits for a connection to PostgreSQL: nobody waits for this process.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections to PostgreSQL.
const CONNECTIONS: usize = 4;

/// Fill the database with people to try it with: person-1, person-2, ...
///
/// Each has 2 portfolios, 20 holdings from 120 transactions, 5 strategies and 10 forecasts, of 500 tokens in all. The same
/// seed draws the same people; more of them can be added later. It goes on where it was cut, and refuses a database in
/// which people of these names have other things.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare seed                                  1,000 people into the file in ./data
  fanfare seed --people 10000                   9,000 more
  fanfare seed --seed 7 --data-dir ./other      other people, elsewhere
  fanfare seed --people 1 --veteran             two people, one of them with 12 years of transactions
  FANFARE_POSTGRES__URL=postgres://... fanfare seed --people 10000

With the SQLite file no node may be running meanwhile; with PostgreSQL nodes may be.")]
pub(super) struct Args {
    /// How many people there shall be.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    people: u64,
    /// Draw the people of this seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Add person-veteran: 14,400 transactions over 12 years, 250 tokens in one portfolio.
    #[arg(long)]
    veteran: bool,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let loaded = settings.load_for_database()?.settings;
    let Opened { store, _held } = open(&loaded)?;
    let Args { people, seed, veteran } = *args;
    let filling = Filling { store: Arc::new(store), seed, people, veteran };
    let bar = bar(args.people);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::Failed(format!("no runtime: {why}")))?;
    let filled = runtime.block_on(filling.run(|people| bar.inc(people)));
    bar.finish_and_clear();
    let filled = filled.map_err(|why| Failure::Failed(why.to_string()))?;
    let options = settings.repeated(&loaded);
    say(Screen { filled, place: loaded.journal_place(), url: url(&loaded), options })
}

/// A store, and what keeps a node from it meanwhile.
pub(super) struct Opened {
    pub store: Store,
    pub _held: Option<DataDir>,
}

pub(super) fn open(settings: &Settings) -> Result<Opened, Failure> {
    match settings.postgres.options() {
        Some(options) => {
            let options = options.map_err(|why| Failure::Failed(why.to_string()))?;
            let connections = Connections { most: CONNECTIONS, wait: PATIENCE };
            Ok(Opened { store: Store::postgres(options, connections)?, _held: None })
        }
        None => {
            let failed = |why: OpenError| Failure::Failed(why.to_string());
            let held = DataDir::open(settings.data_dir())?;
            let database = Database::open(&settings.journal_path()).map_err(failed)?;
            let store = Store::sqlite(Arc::new(database)).map_err(failed)?;
            Ok(Opened { store, _held: Some(held) })
        }
    }
}

/// Shown to people only: nothing is drawn where standard error is a file or a pipe.
fn bar(people: u64) -> ProgressBar {
    let bar = ProgressBar::new(people);
    match ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} people, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Where a node with these settings answers, as one of this machine types it.
fn url(settings: &Settings) -> String {
    let mut address = settings.http_server.socket_address();
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}/v1/dashboard")
}

/// What was done, and the lines to copy.
struct Screen {
    filled: Filled,
    place: String,
    url: String,
    options: String,
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filled: Filled { new, known }, place, url, options } = self;
        let last = new + known;
        write!(f, "{place} holds person-1 to person-{last}: {new} new")?;
        match known {
            0 => writeln!(f, ".\n")?,
            _ => writeln!(f, ", {known} were there.\n")?,
        }
        writeln!(f, "To see what one of them sees:\n")?;
        writeln!(f, "  fanfare serve{options}                  unless it runs")?;
        writeln!(f, "  fanfare token{options} --user person-1 --ttl 1d")?;
        write!(
            f,
            "  curl -H \"Authorization: Bearer $(fanfare token{options} --user person-1)\" {url}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_is_there_and_how_to_be_one_of_them() {
        let settings = Settings::default();
        let filled = Filled { new: 40, known: 60 };
        let options = " --data-dir ./d".to_owned();
        let place = "./d/fanfare.db".to_owned();
        let shown = Screen { filled, place, url: url(&settings), options }.to_string();
        for line in [
            "./d/fanfare.db holds person-1 to person-100: 40 new, 60 were there.",
            "  fanfare token --data-dir ./d --user person-1 --ttl 1d",
            "  curl -H \"Authorization: Bearer $(fanfare token --data-dir ./d --user person-1)\" \
             http://127.0.0.1:8000/v1/dashboard",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
        }
    }
}
