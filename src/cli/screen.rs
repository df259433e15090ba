//! What `fanfare serve` shows on start: where it listens, and the lines to copy.

use std::{fmt, net::SocketAddr, path::PathBuf};

/// One screen. Plain text: it may be piped.
#[derive(Clone, Debug)]
pub struct Screen {
    /// Where clients and backends come in, with the port that was really taken.
    pub public: SocketAddr,
    /// Where operators look, if anywhere.
    pub operator: Option<SocketAddr>,
    /// Where the journal is.
    pub journal: String,
    /// Files of secrets that were generated, because none were set.
    pub generated: Vec<PathBuf>,
    /// Options that `sub` and `pub` need to find this node, with a blank in front; mostly empty.
    pub options: String,
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public, operator, journal, generated, options } = self;
        writeln!(f, "Fanfare {} is up.\n", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "  clients    ws://{public}/connection/websocket")?;
        writeln!(f, "  backends   http://{public}/api")?;
        if let Some(operator) = operator {
            writeln!(f, "  operators  http://{operator}/ready  /live  /metrics  /version")?;
        }
        writeln!(f, "  journal    {}", journal)?;
        for file in generated {
            writeln!(f, "  secret     {} (generated, for development)", file.display())?;
        }
        writeln!(f, "\nTry it in two more terminals:\n")?;
        writeln!(f, "  fanfare sub{options} hello")?;
        write!(f, "  fanfare pub{options} hello '{{\"text\": \"hi\"}}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_where_to_go_and_what_to_copy() {
        let screen = Screen {
            public: ([127, 0, 0, 1], 4000).into(),
            operator: None,
            journal: "./data/fanfare.db".into(),
            generated: vec!["./data/token_secret".into()],
            options: " --data-dir ./d".into(),
        };
        let shown = screen.to_string();
        for line in [
            "  clients    ws://127.0.0.1:4000/connection/websocket",
            "  secret     ./data/token_secret (generated, for development)",
            "  fanfare sub --data-dir ./d hello",
            "  fanfare pub --data-dir ./d hello '{\"text\": \"hi\"}'",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{shown}");
        }
        assert!(!shown.contains("operators"));
    }
}
