//! What nodes count together, asked of the server that has the key. Whoever asks goes on without an answer.

use std::collections::HashSet;

use actix::{Handler, Message, ResponseFuture};

use super::{
    super::counting::{self, Charge, Charged, Crowd},
    Bridge,
    presence::LIVES,
};
use crate::ids::NodeId;

/// What the bucket owes then.
impl Message for Charge {
    type Result = Option<Charged>;
}

/// Whether one more may come.
impl Message for Crowd {
    type Result = Option<bool>;
}

impl Handler<Charge> for Bridge {
    type Result = ResponseFuture<Option<Charged>>;

    fn handle(&mut self, charge: Charge, _: &mut Self::Context) -> Self::Result {
        let errand = self.with.as_ref().map(|with| counting::charge(&with.names, &charge));
        let asked = errand.and_then(|errand| self.ask(errand));
        Box::pin(async move { counting::charged(asked?.await?) })
    }
}

impl Handler<Crowd> for Bridge {
    type Result = ResponseFuture<Option<bool>>;

    fn handle(&mut self, crowd: Crowd, _: &mut Self::Context) -> Self::Result {
        let errand = self.with.as_ref().map(|with| {
            let heard: HashSet<NodeId> = with.heard.lately(LIVES);
            let live = self.live.union(&heard).copied().filter(|run| *run != self.me);
            counting::crowd(&with.names, &crowd, self.me, live)
        });
        let asked = errand.and_then(|errand| self.ask(errand));
        Box::pin(async move { counting::may_come(asked?.await?) })
    }
}
