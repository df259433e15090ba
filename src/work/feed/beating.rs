//! Beating: what this run says of itself once a second, and its last word.

use std::time::Instant;

use actix::{Addr, AsyncContext, Handler, Message};
use tokio::sync::oneshot;

use super::{
    Feed,
    words::{Note, Word},
};
use crate::realtime::journal::{AppendError, writer};

/// A beat was committed, or not.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Beaten {
    number: u64,
    /// It tells somebody that something was done.
    is_awaited: bool,
    result: Result<writer::Place, AppendError>,
}

/// The node ends: the others are told, and no beat follows.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Leave(pub oneshot::Sender<()>);

impl Feed {
    pub(super) fn beat(&mut self, me: Addr<Self>) {
        if self.leaving {
            return;
        }
        self.beats_again = self.beating;
        if std::mem::replace(&mut self.beating, true) {
            return;
        }
        self.beats += 1;
        let is_awaited = std::mem::take(&mut self.is_awaited);
        let beat = self.peers.say(self.about.now(&self.node), Instant::now());
        let note = Note { run: self.peers.me(), word: Word::Beat(beat) }.encode();
        let (journal, number) = (self.journal.clone(), self.beats);
        actix_rt::spawn(async move {
            let result = journal.note(note).await;
            #[allow(clippy::disallowed_methods, reason = "one beat at a time")]
            me.do_send(Beaten { number, is_awaited, result });
        });
    }
}

impl Handler<Beaten> for Feed {
    type Result = ();

    fn handle(&mut self, Beaten { number, is_awaited, result }: Beaten, ctx: &mut Self::Context) {
        if number != self.beats {
            return;
        }
        self.beating = false;
        match result {
            Ok((writer, _)) => {
                self.peers.writes(writer);
                self.cluster.has_committed(Instant::now());
                if is_awaited {
                    self.nudge();
                }
            }
            Err(AppendError::Refused(why) | AppendError::Unknown(why)) => self.failed(&why),
        }
        if std::mem::take(&mut self.beats_again) {
            self.beat(ctx.address());
        }
    }
}

impl Handler<Leave> for Feed {
    type Result = ();

    fn handle(&mut self, Leave(left): Leave, _: &mut Self::Context) {
        self.leaving = true;
        let (journal, run) = (self.journal.clone(), self.peers.me());
        actix_rt::spawn(async move {
            let farewell = Note { run, word: Word::Farewell }.encode();
            if let Err(why) = journal.note(farewell).await {
                log::debug!("the others were not told that this node ends: {why:?}");
            }
            // Who asked may have given up.
            let _ = left.send(());
        });
    }
}
