//! The doorbell: parse arguments, hand over.

use std::process::ExitCode;

fn main() -> ExitCode {
    fanfare::cli::main()
}
