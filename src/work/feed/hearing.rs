//! What the bridge tells the feed: whom it hears, and that there is a reason to look.

use std::time::Instant;

use actix::{Handler, Message};

use super::Feed;
use crate::{
    ids::Channel,
    realtime::peers::{Heard, Shards},
};

impl Handler<Heard> for Feed {
    type Result = ();

    fn handle(&mut self, heard: Heard, _: &mut Self::Context) {
        self.peers.heard(heard, Instant::now());
    }
}

impl Handler<Shards> for Feed {
    type Result = ();

    fn handle(&mut self, shards: Shards, _: &mut Self::Context) {
        self.peers.shards(shards, Instant::now());
        self.publish(Instant::now());
    }
}

/// Another node has written something that it, or whoever asked it, waits for.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Nudged;

impl Handler<Nudged> for Feed {
    type Result = ();

    fn handle(&mut self, _: Nudged, ctx: &mut Self::Context) {
        self.look_now(ctx);
    }
}

/// What was said in that channel may not have come through the bridge: its room is compared with the journal. A
/// thousand rooms are one question; if each of them read for itself, all would wait for the few connections that read.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Missed(pub Channel);

impl Handler<Missed> for Feed {
    type Result = ();

    fn handle(&mut self, Missed(channel): Missed, ctx: &mut Self::Context) {
        self.missed.insert(channel);
        self.look_soon(ctx);
    }
}
