//! A member of a channel that keeps its position as an SDK does, and checks each step.

use serde_json::{Value, json};

use super::{Client, Node};

/// From here on a subscription that the server ended may be asked for again at once.
#[cfg(feature = "failpoints")]
const COME_BACK: u64 = 2500;

/// Somebody in a channel; each message has to follow the one before.
pub struct Member {
    pub client: Client,
    channel: String,
    epoch: Value,
    /// Of the last message that was heard.
    offset: u64,
}

impl Member {
    /// Connects and enters the channel at its end.
    #[track_caller]
    pub fn enter(node: &Node, user: &str, channel: &str) -> Self {
        let mut client = Client::connect(node, user);
        let result = client.subscribe(channel);
        Self {
            client,
            channel: channel.to_owned(),
            epoch: result["epoch"].clone(),
            offset: result["offset"].as_u64().unwrap_or(0),
        }
    }

    #[track_caller]
    fn step(&mut self, publication: &Value) {
        let offset = publication["offset"].as_u64().expect("an offset");
        assert_eq!(offset, self.offset + 1, "a hole, a repetition or a step back");
        self.offset = offset;
    }

    /// Hears `count` messages.
    #[track_caller]
    pub fn hear(&mut self, count: usize) {
        for _ in 0..count {
            let push = self.client.push();
            self.step(&push["pub"]);
        }
    }

    /// Hears what is missing up to `offset`.
    #[track_caller]
    pub fn hear_the_rest(&mut self, offset: u64) {
        self.hear((offset - self.offset) as usize);
    }

    /// Hears everything up to `offset`. Sent away to come back, it enters again on the same connection, as an SDK does.
    /// Returns how often that was.
    #[cfg(feature = "failpoints")]
    #[track_caller]
    pub fn hear_up_to(&mut self, offset: u64) -> usize {
        let mut returns = 0;
        while self.offset < offset {
            let push = self.client.push();
            if push["unsubscribe"]["code"].as_u64().is_some_and(|code| code >= COME_BACK) {
                self.enter_again();
                returns += 1;
            } else {
                self.step(&push["pub"]);
            }
        }
        returns
    }

    /// Goes without a word and comes back with its position.
    #[track_caller]
    pub fn hop(&mut self, node: &Node, user: &str) {
        self.client = Client::connect(node, user);
        self.enter_again();
    }

    /// Unsubscribes and enters again with its position.
    #[track_caller]
    pub fn flap(&mut self) {
        let reply = self.client.call(json!({ "unsubscribe": { "channel": self.channel } }));
        assert!(reply["unsubscribe"].is_object(), "{reply}");
        // What was on its way before the answer was heard as well.
        for push in self.client.pushes() {
            self.step(&push["pub"]);
        }
        self.enter_again();
    }

    #[track_caller]
    fn enter_again(&mut self) {
        let position = json!({
            "channel": self.channel, "recover": true, "epoch": self.epoch, "offset": self.offset,
        });
        let reply = self.client.call(json!({ "subscribe": position }));
        let result = &reply["subscribe"];
        assert_eq!(result["recovered"], true, "{reply}");
        assert_eq!(result["epoch"], self.epoch);
        for publication in result["publications"].as_array().into_iter().flatten() {
            self.step(publication);
        }
    }
}
