//! `fanfare pub`: publishes one message and waits until it is acknowledged.

use bytes::Bytes;

use super::{
    Failure,
    client::{self, Trouble},
    exit::say,
    settings,
};
use crate::protocol::{Outcome, Payload, Request};

/// Publish JSON into a channel, and wait until the server has acknowledged it.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare pub hello '{\"text\": \"hi\"}'
  fanfare pub hello '\"a text is JSON in quotes\"'
  fanfare pub hello 42 --user ana --url ws://127.0.0.1:8000

Exit code 1 with the server's words if it refuses.")]
pub(super) struct Args {
    /// The channel.
    channel: String,
    /// What to say.
    #[arg(value_name = "JSON", value_parser = json)]
    data: String,
    #[command(flatten)]
    client: client::Args,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let visit = args.client.visit(settings)?;
    let data = Payload::json(Bytes::from(args.data.clone()));
    let request = Request::Publish { channel: args.channel.clone(), data };
    client::block_on(async {
        let mut wire = visit.open().await?;
        match wire.ask(request).await? {
            Outcome::Publish => Ok(()),
            other => Err(Trouble::Strange(format!("an answer to publish: {other:?}")).into()),
        }
    })?;
    say("acknowledged")
}

fn json(text: &str) -> Result<String, String> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(format!("expected JSON ({error}); a text goes in quotes: '\"hi\"'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_sent() {
        assert!(json(r#"{"text": "hi"}"#).is_ok());
        assert!(json("42").is_ok());
        assert!(json("hi").unwrap_err().contains("in quotes"));
    }
}
