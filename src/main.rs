//! The doorbell: parse arguments, hand over.

use std::process::ExitCode;

/// Measured against the system's allocator and mimalloc: docs/PERFORMANCE.md.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    fanfare::cli::main()
}
