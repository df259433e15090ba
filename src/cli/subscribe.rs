//! `fanfare sub`: prints what is published in a channel, and comes back to where it was when the wire is lost.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Failure,
    client::{self, Failing, Trouble, Visit, Wire},
    exit::say,
    settings,
};
use crate::protocol::{
    Epoch, Outcome, Position, Publication, Request, Tags, command::SubscribeRequest, push::Event,
    reply::SubscribeResult,
};

/// Print what is published in a channel: one JSON object a line.
///
/// Comes back by itself when the connection is lost, and recovers what it missed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare sub hello
  fanfare sub hello | jq .data
  fanfare sub hello --count 1                    ends after one message
  fanfare sub '$plans' --user ana                signs the subscription token too")]
pub(super) struct Args {
    /// The channel.
    channel: String,
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    client: client::Args,
}

/// Rests between attempts: doubled from the first to the longest, each shortened at random by up to a half.
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(20);

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let visit = args.client.visit(settings)?;
    let mut listener =
        Listener::new(&args.channel, args.count, |publication| say(line(publication)?));
    client::block_on(async {
        loop {
            let trouble = match listener.listen(&visit).await {
                Ok(()) => return Ok(()),
                Err(Failing::There(trouble)) if listener.comes_back(&trouble) => trouble,
                Err(failing) => return Err(failing),
            };
            let rest = rest(listener.lost, rand::random());
            eprintln!("fanfare: {trouble}; again in {:.1} s", rest.as_secs_f32());
            listener.lost += 1;
            tokio::time::sleep(rest).await;
        }
    })
}

struct Listener<P> {
    channel: String,
    /// Takes each message once, in order.
    print: P,
    /// Messages still to print, if they are counted.
    left: Option<u64>,
    /// What was printed last, once subscribed to a channel with history.
    position: Option<Position>,
    /// Whether it was ever subscribed.
    joined: bool,
    /// Attempts since the last subscription that worked.
    lost: u32,
}

impl<P: FnMut(&Publication) -> Result<(), Failure>> Listener<P> {
    fn new(channel: &str, left: Option<u64>, print: P) -> Self {
        Self { channel: channel.into(), print, left, position: None, joined: false, lost: 0 }
    }

    /// The first attempt tells what is wrong; later ones are worth repeating if it may pass.
    fn comes_back(&self, trouble: &Trouble) -> bool {
        self.joined && trouble.passes()
    }

    async fn listen(&mut self, visit: &Visit) -> Result<(), Failing> {
        let mut wire = visit.open().await?;
        self.subscribe(&mut wire, visit).await?;
        while self.left != Some(0) {
            let push = wire.next_push().await?;
            match push.event {
                Event::Publication { publication, epoch, .. }
                    if push.channel.as_str() == self.channel =>
                {
                    self.print(&publication)?;
                    self.moved(publication.offset, epoch);
                }
                Event::Unsubscribe(end) if end.code >= 2500 => {
                    self.subscribe(&mut wire, visit).await?;
                }
                Event::Unsubscribe(end) => {
                    let why =
                        format!("the server ended the subscription: {} {}", end.code, end.reason);
                    return Err(Failure::Failed(why).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn subscribe(&mut self, wire: &mut Wire, visit: &Visit) -> Result<(), Failing> {
        let request = SubscribeRequest {
            channel: self.channel.clone(),
            token: visit.subscription_token(&self.channel)?,
            recover: self.position.clone(),
            ..SubscribeRequest::default()
        };
        match wire.ask(Request::Subscribe(Box::new(request))).await? {
            Outcome::Subscribe(result) => self.subscribed(*result),
            other => Err(Trouble::Strange(format!("an answer to subscribe: {other:?}")).into()),
        }
    }

    fn subscribed(&mut self, result: SubscribeResult) -> Result<(), Failing> {
        if self.lost > 0 {
            eprintln!("fanfare: back again");
        }
        (self.joined, self.lost) = (true, 0);
        if result.was_recovering && !result.recovered {
            eprintln!("fanfare: some messages were missed, their time in the history is over");
        }
        self.position = result
            .recoverable
            .then(|| Position { epoch: result.epoch.clone(), offset: result.offset });
        for missed in &result.publications {
            self.print(&missed.publication)?;
            self.moved(missed.publication.offset, None);
        }
        Ok(())
    }

    fn moved(&mut self, offset: u64, epoch: Option<Epoch>) {
        if let Some(position) = &mut self.position {
            position.offset = offset;
            position.epoch = epoch.unwrap_or_else(|| position.epoch.clone());
        }
    }

    fn print(&mut self, publication: &Publication) -> Result<(), Failing> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
        }
        Ok((self.print)(publication)?)
    }
}

/// What is printed of a publication.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// As it was sent.
    data: Option<&'a RawValue>,
    /// The user that published; none for the server API.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    /// The user's connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: &'a Tags,
}

/// A publication as one line of JSON.
fn line(publication: &Publication) -> Result<String, Failure> {
    let Publication { data, info, offset, tags, .. } = publication;
    let line = Line {
        offset: (*offset > 0).then_some(*offset),
        data: serde_json::from_slice(data.bytes()).ok(),
        user: info.as_ref().map(|info| info.user.as_str()),
        client: info.as_ref().map(|info| info.client.as_str()),
        tags,
    };
    serde_json::to_string(&line)
        .map_err(|error| Failure::Failed(format!("a message can't be printed: {error}")))
}

fn rest(lost: u32, dice: f64) -> Duration {
    let longest = FIRST_REST.saturating_mul(2u32.saturating_pow(lost)).min(LONGEST_REST);
    longest.mul_f64(1.0 - dice / 2.0)
}

#[cfg(test)]
mod tests;
