//! Log lines on standard error, each readable alone: time, level, place, words.

use std::io::Write;

use env_logger::{Builder, Env};
use log::Level;

/// Starts logging at `level` ("info", or filters by module), unless `RUST_LOG` says otherwise.
///
/// Later calls change nothing, so that tests in one process may each start it.
pub fn start(level: &str) {
    // What actix says of its own threads belongs to none of our lines; `RUST_LOG` shows it.
    let filter = format!("{level},actix_server=warn");
    let mut builder = Builder::from_env(Env::default().default_filter_or(filter));
    builder.format(|out, record| {
        // Each statement with its parameters: messages, which are no business of a log.
        if record.target().starts_with("tokio_postgres") && record.level() > Level::Info {
            return Ok(());
        }
        let (time, level) = (out.timestamp_millis(), record.level());
        let style = out.default_level_style(level);
        let (place, words) = (record.target(), one_line(&record.args().to_string()));
        writeln!(out, "{time} {style}{level:<5}{style:#} {place}: {words}")
    });
    // The only error is that a logger is there already.
    let _ = builder.try_init();
}

/// Makes control characters visible: what came from outside must not forge a line of its own.
fn one_line(words: &str) -> String {
    if !words.contains(char::is_control) {
        return words.into();
    }
    let mut line = String::with_capacity(words.len());
    for c in words.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_forges_a_second_line() {
        assert_eq!(one_line("user \"a\nERROR b\x1b[2J\""), r#"user "a\nERROR b\u{1b}[2J""#);
        assert_eq!(one_line("caf\u{e9}"), "caf\u{e9}");
    }
}
