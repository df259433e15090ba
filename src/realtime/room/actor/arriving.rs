//! What other nodes say: in by the same door as what is said here.

use std::{sync::Arc, time::Instant};

use actix::Context;

use super::Room;
use crate::{
    protocol::{Position, Publication},
    realtime::{
        bridge::Arrived,
        journal::{Append, writer::Answer},
        namespace::Storage,
    },
};

impl Room {
    pub(super) fn arrived(&mut self, arrived: Arrived, ctx: &mut Context<Self>) {
        match arrived {
            Arrived::Committed(at, publication) => self.committed_elsewhere(at, publication, ctx),
            Arrived::Said { publication, keep } => {
                if keep && self.rules.storage == Storage::Memory {
                    return self.keep(publication);
                }
                self.flow.deliver(publication, Instant::now());
                self.go_on(ctx);
            }
            Arrived::Event(event) => self.announce(event),
        }
    }

    fn committed_elsewhere(
        &mut self,
        at: Position,
        publication: Option<Arc<Publication>>,
        ctx: &mut Context<Self>,
    ) {
        // A node whose rules for this channel are others has nothing to compare it with.
        if self.rules.storage != Storage::Durable {
            return;
        }
        if publication.is_none() && self.flow.is_news(&at) {
            self.house.metrics.learned_from_feed_total.inc();
        }
        self.flow.arrive(&at, publication, Instant::now());
        self.go_on(ctx);
    }

    /// The journal was asked where many channels stand, this one among them.
    pub(super) fn stands(&mut self, at: Position, ctx: &mut Context<Self>) {
        if self.rules.storage != Storage::Durable {
            return;
        }
        if self.flow.is_news(&at) {
            self.house.metrics.learned_from_feed_total.inc();
        }
        self.flow.stand(at, Instant::now());
        self.go_on(ctx);
    }

    /// A history in memory is this node's own: it is numbered as it is heard here.
    fn keep(&mut self, publication: Arc<Publication>) {
        let Some(journal) = self.journal() else { return };
        let append =
            Append { channel: self.channel.clone(), publication, key: None, version: None };
        // Whoever said it has had the answer.
        let nobody = Answer::new(|_| ());
        if journal.append(append, nobody, self.told.clone()).is_ok() {
            self.appends_under_way += 1;
        }
    }

    /// The mailbox had no room for something, or the way between the nodes was broken for a while.
    pub(super) fn missed(&mut self, ctx: &mut Context<Self>) {
        self.house.looks(&self.channel);
        if self.rules.storage == Storage::Durable {
            self.flow.doubt();
            self.go_on(ctx);
        }
    }
}
