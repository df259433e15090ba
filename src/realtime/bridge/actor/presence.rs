//! Who is where: kept in Redis for as long as it remembers and the run of a member lives.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use redis::Value;

use super::{
    super::{
        burial::Desk,
        handle::Place,
        link::{Link, LinkMarked, Surroundings},
        registry::{self, Entry, Errand},
    },
    Bridge, SMALL,
};
use crate::{
    ids::{Channel, NodeId},
    protocol::ClientInfo,
    realtime::peers::Outlook,
};

/// A run whose name was heard so short a while ago lives, whether the feed knows it yet or not.
pub(super) const LIVES: Duration = Duration::from_secs(5);

/// How often it is looked whether a run has left something behind: in ticks. The first time soon after the start.
pub(super) const SWEEP: u64 = 600;
pub(super) const FIRST_SWEEP: u64 = 30;

/// What changes in who is where.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::realtime::bridge) enum Note {
    Enter {
        channel: Channel,
        info: Arc<ClientInfo>,
        join_leave: bool,
        place: Place,
    },
    Leave {
        channel: Channel,
        client: String,
    },
    /// Nobody is left on this node.
    Empty(Channel),
    /// Something could not be written down.
    Shed,
}

/// A question to the server of a name; none if it can't be asked.
#[derive(Message)]
#[rtype(result = "Option<Value>")]
pub(in crate::realtime::bridge) struct Ask(pub(in crate::realtime::bridge) Errand);

/// Who is in a channel on other nodes; none if that can't be known.
#[derive(Message)]
#[rtype(result = "Option<Vec<Entry>>")]
pub(in crate::realtime::bridge) struct Who(pub Channel);

/// Runs that were written down a while ago.
#[derive(Message)]
#[rtype(result = "()")]
struct Swept(Vec<NodeId>);

impl Bridge {
    /// If Redis may not know who is here, or know who is not, all of it is compared, once it is there.
    pub(super) fn count_members(&mut self, ctx: &mut Context<Self>) {
        let all_up = !self.links.is_empty() && self.links.iter().all(Link::is_up);
        let Some(desk) = self.desk(ctx).filter(|_| self.is_census_due && all_up) else { return };
        (self.is_census_due, self.is_written) = (false, false);
        let (bridge, me) = (desk.bridge.clone(), self.me);
        actix_rt::spawn(async move {
            if !desk.census(me).await {
                #[allow(clippy::disallowed_methods, reason = "one a census")]
                bridge.do_send(Note::Shed);
            }
        });
    }

    /// Puts a command on its way to the server of its name. Not there: what is missing is written by a census.
    pub(super) fn write(&mut self, errand: Errand, place: Option<Place>) {
        let server = self.server(&errand.key).filter(|at| self.links[*at].is_up());
        match server.and_then(|at| self.links.get_mut(at)) {
            Some(link) => link.say(errand.command, SMALL, place),
            None => self.is_census_due = true,
        }
    }

    pub(super) fn desk(&self, ctx: &Context<Self>) -> Option<Desk> {
        let with = self.with.as_ref()?;
        let (names, ears) = (with.names.clone(), with.ears.clone());
        Some(Desk { bridge: ctx.address(), names, ears })
    }

    /// Looks for runs that are written down and do not live: all nodes were down when they died.
    pub(super) fn sweep(&self, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk(ctx) else { return };
        actix_rt::spawn(async move {
            let Some(runs) = desk.ask(registry::runs(&desk.names)).await else { return };
            let runs = registry::names_in(runs).into_iter().filter_map(|run| NodeId::parse(&run));
            let runs: Vec<NodeId> = runs.collect();
            // One that has just begun is not in the feed yet.
            tokio::time::sleep(LIVES).await;
            #[allow(clippy::disallowed_methods, reason = "one a sweep")]
            desk.bridge.do_send(Swept(runs));
        });
    }

    /// Asks the server of a name, if it is known.
    pub(super) fn ask(
        &self,
        errand: Errand,
    ) -> Option<impl Future<Output = Option<Value>> + use<>> {
        let link = self.server(&errand.key).and_then(|at| self.links.get(at))?;
        Some(link.ask(errand.command))
    }

    pub(super) fn lives(&self, run: NodeId) -> bool {
        let is_heard = |with: &Surroundings| with.heard.within(run, LIVES);
        run == self.me || self.live.contains(&run) || self.with.as_ref().is_some_and(is_heard)
    }
}

impl Handler<Note> for Bridge {
    type Result = ();

    fn handle(&mut self, note: Note, ctx: &mut Self::Context) {
        let Some(with) = &self.with else { return };
        let names = with.names.clone();
        match note {
            Note::Enter { channel, info, join_leave, place } => {
                // Before its first member: what a run that dies leaves behind must be found.
                if !std::mem::replace(&mut self.is_written, true) {
                    self.write(registry::arise(&names, self.me), None);
                }
                let entry = Entry { run: self.me, info, join_leave };
                let [listed, entered] = registry::enter(&names, &channel, &entry);
                self.write(listed, None);
                self.write(entered, Some(place));
            }
            Note::Leave { channel, client } => {
                self.write(registry::leave(&names, &channel, &[&client]), None);
            }
            Note::Empty(channel) => self.write(registry::empty(&names, &channel, self.me), None),
            Note::Shed => self.is_census_due = true,
        }
        self.go_on(ctx);
    }
}

impl Handler<Ask> for Bridge {
    type Result = ResponseFuture<Option<Value>>;

    fn handle(&mut self, Ask(errand): Ask, _: &mut Self::Context) -> Self::Result {
        let asked = self.ask(errand);
        Box::pin(async move { asked?.await })
    }
}

impl Handler<Who> for Bridge {
    type Result = actix::ResponseActFuture<Self, Option<Vec<Entry>>>;

    fn handle(&mut self, Who(channel): Who, _: &mut Self::Context) -> Self::Result {
        let errand = self.with.as_ref().map(|with| registry::ask(&with.names, &channel));
        let asked = errand.and_then(|errand| {
            let at = self.server(&errand.key)?;
            Some(self.links[at].ask(errand.command))
        });
        let answer = async move { asked?.await };
        Box::pin(answer.into_actor(self).map(|answer, bridge, _| {
            let mut members = registry::members(answer?);
            members.retain(|entry| entry.run != bridge.me && bridge.lives(entry.run));
            Some(members)
        }))
    }
}

impl Handler<Outlook> for Bridge {
    type Result = ();

    fn handle(&mut self, outlook: Outlook, ctx: &mut Self::Context) {
        self.live = outlook.live.iter().map(|peer| peer.run).collect();
        if std::mem::replace(&mut self.me, outlook.me) != outlook.me {
            (self.is_census_due, self.is_written) = (true, false);
        }
        for dead in outlook.died {
            if let Some(desk) = self.desk(ctx) {
                actix_rt::spawn(desk.bury(dead));
            }
        }
    }
}

impl Handler<Swept> for Bridge {
    type Result = ();

    fn handle(&mut self, Swept(runs): Swept, ctx: &mut Self::Context) {
        for run in runs.into_iter().filter(|run| !self.lives(*run)) {
            if let Some(desk) = self.desk(ctx) {
                actix_rt::spawn(desk.bury(run));
            }
        }
    }
}

impl Handler<LinkMarked> for Bridge {
    type Result = ();

    fn handle(&mut self, marked: LinkMarked, _: &mut Self::Context) {
        if !self.is_current(marked.link, marked.generation) {
            return;
        }
        if self.link(marked.link).is_some_and(|link| link.marked(marked.mark)) {
            self.is_census_due = true;
        }
    }
}
