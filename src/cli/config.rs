//! `fanfare config`: shows what can be set, what holds, and whether it is good.

use clap::Subcommand;

use super::{Failure, exit::say, settings};
use crate::platform::settings::{default_file, effective};

/// Show or check the settings.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare config default > fanfare.toml
  FANFARE_CLIENT__PING_INTERVAL=10s fanfare config print | grep '# from'
  fanfare config check --config fanfare.toml && fanfare serve --config fanfare.toml")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Copy, Debug)]
enum What {
    /// Print every setting with its meaning and what is built in, as TOML.
    Default,
    /// Print what holds, and where it comes from if it is not built in. Secrets show as ***.
    Print,
    /// Say whether the settings are good: exit code 0, or 78 with what is wrong.
    Check,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    match args.what {
        What::Default => say(default_file().trim_end()),
        What::Print => say(effective(&settings.load([])?).trim_end()),
        What::Check => {
            settings.load([])?;
            say("the settings are good")
        }
    }
}
