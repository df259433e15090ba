//! The command line: one file a verb. Reads arguments and settings, calls the verb, says what went wrong.

mod backup;
mod client;
mod cluster;
mod config;
mod exit;
mod healthcheck;
mod migrate;
mod publish;
pub mod screen;
mod seed;
pub mod serve;
mod settings;
mod subscribe;
mod token;
mod tokens;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Failure;

use crate::platform::file_size;

/// A self-hosted realtime backend: durable channels, one binary, the official Centrifuge SDKs.
#[derive(Parser, Debug)]
#[command(name = "fanfare", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    settings: settings::Args,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Serve(serve::Args),
    Sub(subscribe::Args),
    Pub(publish::Args),
    Token(token::Args),
    Config(config::Args),
    Migrate(migrate::Args),
    Seed(seed::Args),
    Tokens(tokens::Args),
    Backup(backup::Args),
    Healthcheck(healthcheck::Args),
    Load(Box<crate::load::Args>),
    Cluster(cluster::Args),
}

const EXAMPLES: &str = "\
Two terminals, no configuration:
  fanfare serve
  fanfare sub hello                          listens to the channel \"hello\"
  fanfare pub hello '{\"text\": \"hi\"}'         says something there

Next steps:
  fanfare token --user ana --ttl 1h          a token for the SDK of your app
  fanfare config default > fanfare.toml      every setting, explained
  fanfare serve --config fanfare.toml
  fanfare seed --people 100                  people with portfolios to try the dashboard with
  fanfare tokens import tokens.csv           the tokens that people of your own may hold

Exit codes: 0 done, 1 failed, 2 wrong arguments, 75 the data directory is in use, 78 a bad setting.";

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    if let Err(why) = file_size::survive_limit() {
        eprintln!("fanfare: a limit of file sizes may end this process: {why}");
    }
    let Cli { settings, verb } = Cli::parse();
    let outcome = match verb {
        Verb::Load(args) => {
            return crate::load::run(crate::load::Args { node_config: settings.config, ..*args });
        }
        Verb::Serve(args) => serve::run(&args, &settings),
        Verb::Sub(args) => subscribe::run(&args, &settings),
        Verb::Pub(args) => publish::run(&args, &settings),
        Verb::Token(args) => token::run(&args, &settings),
        Verb::Config(args) => config::run(&args, &settings),
        Verb::Migrate(args) => migrate::run(&args, &settings),
        Verb::Seed(args) => seed::run(&args, &settings),
        Verb::Tokens(args) => tokens::run(&args, &settings),
        Verb::Backup(args) => backup::run(&args, &settings),
        Verb::Healthcheck(args) => healthcheck::run(&args, &settings),
        Verb::Cluster(args) => cluster::run(&args, &settings),
    };
    exit::code_of(outcome)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_of_all_verbs_fit_together() {
        Cli::command().debug_assert();
    }
}
