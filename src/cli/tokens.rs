//! `fanfare tokens`: says which tokens there are, so that people can hold them.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde::Serialize;

use super::{
    Failure,
    exit::say,
    seed::{Opened, open},
    settings,
};
use crate::domain::{
    portfolio::{
        Refusal,
        import::BadRow,
        listing::{self, NewToken},
        token::Token,
    },
    store::{MOST_TOKENS, Store},
};

/// Bytes of a file: some times what as many rows take as may be.
const LONGEST: u64 = 64 << 20;

/// Bad rows that are told.
const TOLD: usize = 20;

/// Say which tokens there are.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Import(Import),
}

/// Write down the tokens of a CSV, all or none: people can enter transactions in them then.
///
/// The first row is symbol,name,provider_id,logo_url; logo_url may be empty, or missing as a column. provider_id is the
/// number by which prices.provider knows the token: 1 is Bitcoin at CoinMarketCap, whose /v1/cryptocurrency/map has all of
/// them. A token whose number is there already takes the new names and keeps all that people have of it, so the same file
/// may come again. Two tokens may share a symbol, never a number.
#[derive(clap::Args, Debug)]
#[command(after_help = r#"Examples:
  printf 'symbol,name,provider_id\nBTC,Bitcoin,1\nETH,Ethereum,1027\n' | fanfare tokens import -
  fanfare tokens import tokens.csv --json
  FANFARE_POSTGRES__URL=postgres://... fanfare tokens import tokens.csv

The 500 largest at CoinMarketCap:
  curl -H "X-CMC_PRO_API_KEY: $KEY" \
      'https://pro-api.coinmarketcap.com/v1/cryptocurrency/map?sort=cmc_rank&limit=500' |
    jq -r '["symbol", "name", "provider_id"], (.data[] | [.symbol, .name, .id]) | @csv' |
    fanfare tokens import -

With the SQLite file no node may be running meanwhile; with PostgreSQL nodes may be, and show new tokens
within minutes. Exit code 1 with each bad row, and nothing written, if there are any."#)]
struct Import {
    /// The CSV; - reads standard input.
    file: PathBuf,
    /// Say what was done as JSON: {"new": 2, "changed": 0, "unchanged": 0}.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let What::Import(Import { file, json }) = &args.what;
    // Before the database is touched: what is wrong with the file is said while all is as it was.
    let tokens = read(file)?;
    let settings = settings.load_for_database()?.settings;
    let Opened { store, _held } = open(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::Failed(format!("no runtime: {why}")))?;
    let done = runtime.block_on(import(&store, tokens)).map_err(|refusal| match refusal {
        Refusal::Unavailable(why) => {
            Failure::Failed(format!("the database gave up: {why}; nothing was imported"))
        }
        Refusal::Unknown(why) => Failure::Failed(format!(
            "the database gave up: {why}; the same command finds out whether it was done, and does it"
        )),
        refusal => Failure::Failed(refusal.to_string()),
    })?;
    match json {
        true => say(serde_json::json!(done)),
        false => say(format_args!("{}: {done}", settings.journal_place())),
    }
}

fn read(path: &Path) -> Result<Vec<NewToken>, Failure> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".into() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = match is_stdin {
        true => io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|why| Failure::Failed(format!("{name}: expected a CSV of tokens: {why}")))?;
    if bytes.len() as u64 > LONGEST {
        let most = LONGEST >> 20;
        return Err(Failure::Failed(format!(
            "{name}: expected at most {most} MiB, got more: send less at a time"
        )));
    }
    listing::read(&bytes).map_err(|bad| Failure::Failed(told(&name, &bad)))
}

/// What is wrong with a file, the first rows of it.
fn told(name: &str, bad: &[BadRow]) -> String {
    let rows =
        bad.iter().take(TOLD).map(|BadRow { line, reason }| format!("\n  line {line}: {reason}"));
    let more = match bad.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let are = if bad.len() == 1 { "row is" } else { "rows are" };
    let rows: String = rows.collect();
    format!("{name}: {} {are} wrong, nothing was imported:{rows}{more}", bad.len())
}

/// What became of the tokens of a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
struct Imported {
    new: usize,
    changed: usize,
    unchanged: usize,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, changed, unchanged } = self;
        write!(f, "of {} tokens {new} are new, ", new + changed + unchanged)?;
        write!(f, "{changed} were there with other names and {unchanged} as they are")
    }
}

/// Writes them down in one transaction.
async fn import(store: &Store, tokens: Vec<NewToken>) -> Result<Imported, Refusal> {
    let mut known: HashMap<i64, Token> = HashMap::new();
    for some in tokens.chunks(MOST_TOKENS) {
        let names: Vec<String> = some.iter().map(|new| format!("#{}", new.provider_id)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let called = store.tokens_called(&names).await?;
        known.extend(called.into_iter().map(|token| (token.provider_id, token)));
    }
    let mut done = Imported::default();
    for new in &tokens {
        match known.get(&new.provider_id) {
            None => done.new += 1,
            Some(token) if is_same(token, new) => done.unchanged += 1,
            Some(_) => done.changed += 1,
        }
    }
    store.put_tokens(tokens).await?;
    Ok(done)
}

fn is_same(token: &Token, new: &NewToken) -> bool {
    (&token.symbol, &token.name, &token.logo_url) == (&new.symbol, &new.name, &new.logo_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_more_bad_rows_are_told_than_fit_on_a_screen() {
        let bad = |lines: std::ops::Range<u64>| -> Vec<BadRow> {
            lines.map(|line| BadRow { line, reason: "bad".into() }).collect()
        };
        assert_eq!(
            told("a.csv", &bad(2..3)),
            "a.csv: 1 row is wrong, nothing was imported:\n  line 2: bad"
        );
        let many = told("a.csv", &bad(2..102));
        assert!(many.starts_with("a.csv: 100 rows are wrong"), "{many}");
        assert!(many.ends_with("  line 21: bad\n  and 80 more"), "{many}");
    }
}
