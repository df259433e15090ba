//! Which servers there are, and what to do when one goes or comes.

use std::time::Instant;

use actix::{AsyncContext, Context, Handler, Message};

use super::{
    super::{
        interest::LinkId,
        link::{Link, LinkLost, LinkOpened, State},
    },
    Bridge,
};
use crate::platform::redis_client::{Shard, Unreachable};

/// Who the servers are.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Result<Vec<Shard>, Unreachable>);

impl Bridge {
    /// Asks who the servers are, unless somebody does.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(with) = self.with.as_ref().filter(|_| !self.is_looking) else { return };
        self.is_looking = true;
        self.looked = Some(Instant::now());
        let (options, me) = (with.options.clone(), ctx.address());
        actix_rt::spawn(async move {
            let found = options.shards().await;
            #[allow(clippy::disallowed_methods, reason = "one at a time")]
            me.do_send(Found(found));
        });
    }

    /// The servers are these: links to those that stay are kept, the others go.
    pub(super) fn adopt(&mut self, shards: Vec<Shard>, ctx: &mut Context<Self>) {
        let Some(with) = &self.with else { return };
        if self.links.iter().map(|link| &link.shard).eq(&shards) {
            return;
        }
        let mut old = std::mem::take(&mut self.links);
        for (index, shard) in shards.into_iter().enumerate() {
            let same = |it: &Link| {
                it.index == index && (&it.shard.host, it.shard.port) == (&shard.host, shard.port)
            };
            match old.iter().position(same) {
                Some(at) => {
                    let mut link = old.swap_remove(at);
                    link.shard = shard;
                    self.links.push(link);
                }
                None => {
                    self.last_id += 1;
                    let mut link = Link::new(self.last_id, shard, index);
                    link.open(with, ctx);
                    self.links.push(link);
                }
            }
        }
        with.ears.shards(self.links.len());
        log::info!("{} of {}", self.links.len(), with.options.place());
        for gone in old {
            let words = self.interest.down(gone.id);
            self.tell(words);
            self.interest.forget(gone.id);
        }
        let mut interest = std::mem::take(&mut self.interest);
        interest.moved(|channel| {
            let link = self.home(channel).and_then(|at| self.links.get(at))?;
            Some((link.id, link.is_up()))
        });
        self.interest = interest;
        self.go_on(ctx);
        self.count();
    }

    pub(super) fn lose(&mut self, id: LinkId, why: &str, ctx: &mut Context<Self>) {
        let Some(link) = self.link(id) else { return };
        let was_up = link.is_up();
        let (pause, unsaid) = link.lost();
        let words = self.interest.down(id);
        self.tell(words);
        self.metrics.bridge_shed_total.of("unsaid").inc_by(unsaid as u64);
        // Some of it may have been about who is where.
        self.is_census_due = true;
        if was_up {
            self.metrics.bridge_broken_total.inc();
        }
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!(
                "a server of Redis can't be reached, messages of other nodes come by the journal: {why}"
            );
        }
        self.count();
        ctx.run_later(pause, move |bridge, ctx| bridge.retry(id, ctx));
    }

    pub(super) fn retry(&mut self, id: LinkId, ctx: &mut Context<Self>) {
        let Some(with) = &self.with else { return };
        let moves = with.options.moves();
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else { return };
        if matches!(link.state, State::Down) {
            link.open(with, ctx);
        }
        if moves {
            self.look(ctx);
        }
    }
}

impl Handler<Found> for Bridge {
    type Result = ();

    fn handle(&mut self, Found(found): Found, ctx: &mut Self::Context) {
        self.is_looking = false;
        match found {
            Ok(shards) => self.adopt(shards, ctx),
            Err(why) if !std::mem::replace(&mut self.complained, true) => {
                log::warn!(
                    "Redis can't be reached, messages of other nodes come by the journal: {why}"
                );
            }
            Err(_) => {}
        }
    }
}

impl Handler<LinkOpened> for Bridge {
    type Result = ();

    fn handle(&mut self, opened: LinkOpened, ctx: &mut Self::Context) {
        let LinkOpened { link: id, generation, result } = opened;
        if !self.is_current(id, generation) {
            return;
        }
        match result {
            Ok(connections) => {
                if let Some(link) = self.link(id) {
                    link.opened(connections);
                }
                if std::mem::take(&mut self.complained) {
                    log::info!("Redis can be reached again");
                }
                // What was wished while it was opening had no link yet.
                let mut interest = std::mem::take(&mut self.interest);
                interest.moved(|channel| {
                    let link = self.home(channel).and_then(|at| self.links.get(at))?;
                    Some((link.id, false))
                });
                interest.up(id);
                self.interest = interest;
                self.go_on(ctx);
                self.count();
            }
            Err(why) => self.lose(id, &why.0, ctx),
        }
    }
}

impl Handler<LinkLost> for Bridge {
    type Result = ();

    fn handle(&mut self, lost: LinkLost, ctx: &mut Self::Context) {
        if self.is_current(lost.link, lost.generation) {
            self.lose(lost.link, &lost.why, ctx);
        }
    }
}
