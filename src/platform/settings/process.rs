//! Settings of the process itself: how it ends and what it says.

use std::time::Duration;

use super::section::{Wrong, section};

section! {
    /// The way out after Ctrl-C or SIGTERM.
    #[check(check_shutdown)]
    pub struct Shutdown {
        /// All of it takes this long, at most; what is left then is dropped.
        pub deadline: Duration = Duration::from_secs(30),
        /// How long `/ready` is red and new sockets are refused before the first client is closed,
        /// so that a load balancer can look away.
        pub ready_delay: Duration = Duration::ZERO,
        /// Clients closed together, each with 3001, which tells them to come back elsewhere.
        pub batch_size: usize = 500,
        /// The pause between two such batches, give or take a half: a deploy is no stampede.
        pub batch_pause: Duration = Duration::from_millis(100),
    }
}

section! {
    /// Log lines, on standard error.
    #[check(check_log)]
    pub struct Log {
        /// "error", "warn", "info", "debug", "trace" or "off", or filters by module as in
        /// "warn,fanfare::realtime=debug". The variable `RUST_LOG` wins over it.
        pub level: String = "info".into(),
    }
}

fn check_shutdown(shutdown: &Shutdown, wrong: &mut Wrong) {
    wrong.unless(!shutdown.deadline.is_zero(), "deadline", "more than 0s");
    wrong.unless(
        shutdown.ready_delay < shutdown.deadline,
        "ready_delay",
        "less than shutdown.deadline",
    );
    wrong.unless(shutdown.batch_size > 0, "batch_size", "1 or more");
}

fn check_log(log: &Log, wrong: &mut Wrong) {
    wrong.unless(
        env_filter::Builder::new().try_parse(&log.level).is_ok(),
        "level",
        "\"error\", \"warn\", \"info\", \"debug\", \"trace\", \"off\", or filters like \"warn,fanfare=debug\"",
    );
}
