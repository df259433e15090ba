//! The doorbell: parse arguments, hand over.

use std::process::ExitCode;

/// Chosen to give memory back after a burst; what it does so far is in docs/PERFORMANCE.md, a comparison is to come.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    fanfare::cli::main()
}
