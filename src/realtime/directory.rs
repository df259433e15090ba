//! At most one actor a name: started on demand, ended only through here.
//!
//! Nobody holds an address of a room or user: who has something for it says so to the directory, which
//! knows whether it is there. An actor that wants to sleep asks ([`Directory::closing`]); from then on
//! what is new waits here, the actor handles what came before, and either stays after all
//! ([`Directory::keep`]) or goes, and is followed by a new one if something waits ([`Directory::gone`]).

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use actix::{Actor, Addr, Context, Handler, Message, dev::SendError};

use crate::fail_point;

/// Locks among which the names are spread, so that worker threads seldom meet.
const SHARDS: usize = 64;

/// Messages that wait for an actor that is closing. It closes in the time of a mailbox turn or two.
const MOST_WAITING: usize = 1024;

/// One life of an actor; no other of its kind has the same number, so a late word of one is told from its successor's.
pub type Life = u64;

/// The mailbox has no room, or too much waits already. Try again later.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<M>(pub M);

/// The actors of one kind.
pub struct Directory<K, A, M>
where
    A: Actor<Context = Context<A>>,
{
    hasher: RandomState,
    shards: Box<[Shard<K, A, M>]>,
    alive: AtomicUsize,
    lives: AtomicU64,
    /// Messages given and not yet taken. Signed: one may be taken before its giver has counted it.
    unheard: AtomicI64,
}

type Shard<K, A, M> = Mutex<HashMap<K, Entry<A, M>>>;

struct Entry<A: Actor, M> {
    life: Life,
    addr: Addr<A>,
    /// Some while the actor is closing.
    waiting: Option<Vec<M>>,
}

impl<K, A, M> Directory<K, A, M>
where
    K: Eq + Hash + Clone,
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result = ()> + Send + 'static,
{
    /// An empty one.
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            alive: AtomicUsize::new(0),
            unheard: AtomicI64::new(0),
            lives: AtomicU64::new(0),
        }
    }

    /// How many actors there are.
    pub fn len(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Messages that wait for all of them together.
    pub fn unheard(&self) -> usize {
        self.unheard.load(Ordering::Relaxed).max(0) as usize
    }

    /// An actor has taken one: it says so first of all.
    pub fn heard(&self) {
        self.unheard.fetch_sub(1, Ordering::Relaxed);
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that spreads names evenly, the same for a name as long as the process lives.
    pub fn spread(&self, key: &K) -> usize {
        self.hasher.hash_one(key) as usize
    }

    /// The names of all actors, in no order.
    pub fn names(&self) -> Vec<K> {
        (0..SHARDS).flat_map(|i| self.lock(i).keys().cloned().collect::<Vec<_>>()).collect()
    }

    /// Whether there is an actor of that name, or one that ends.
    pub fn is_there(&self, key: &K) -> bool {
        self.shard(key).contains_key(key)
    }

    /// Gives `message` to the actor of that name, started by `start` if there is none.
    pub fn send(
        &self,
        key: &K,
        message: M,
        start: impl FnOnce(Life) -> Addr<A>,
    ) -> Result<(), Full<M>> {
        fail_point!("directory.lookup");
        let mut shard = self.shard(key);
        let entry = shard.entry(key.clone()).or_insert_with(|| self.born(start));
        entry.give(message).inspect(|()| self.given())
    }

    /// Gives `message` to the actor of that name if there is one; else hands it back.
    pub fn send_if_there(&self, key: &K, message: M) -> Result<(), Absent<M>> {
        match self.shard(key).get_mut(key) {
            Some(entry) => {
                entry.give(message).inspect(|()| self.given()).map_err(|Full(m)| Absent::Full(m))
            }
            None => Err(Absent::NotThere(message)),
        }
    }

    /// Like [`send_if_there`](Self::send_if_there), for what may not be refused (good-byes): the caller
    /// knows what bounds their number. False if nobody is there.
    pub fn must_send_if_there(&self, key: &K, message: M) -> bool {
        let mut shard = self.shard(key);
        let Some(entry) = shard.get_mut(key) else { return false };
        match &mut entry.waiting {
            Some(waiting) => waiting.push(message),
            // Good-byes: one for each member or device that entered before.
            #[allow(clippy::disallowed_methods)]
            None => entry.addr.do_send(message),
        }
        self.given();
        true
    }

    /// The actor asks to end. True: nothing new reaches this life; it handles what is in its mailbox and
    /// then says [`keep`](Self::keep) or [`gone`](Self::gone).
    pub fn closing(&self, key: &K, life: Life) -> bool {
        match self.shard(key).get_mut(key) {
            Some(entry) if entry.life == life && entry.waiting.is_none() => {
                entry.waiting = Some(Vec::new());
                true
            }
            _ => false,
        }
    }

    /// The actor stays after all: it gets what waited.
    pub fn keep(&self, key: &K, life: Life) {
        if let Some(entry) = self.shard(key).get_mut(key)
            && entry.life == life
        {
            entry.release();
        }
    }

    /// The actor is gone. If something waits for that name, `start` makes a new one.
    pub fn gone(&self, key: &K, life: Life, start: impl FnOnce(Life) -> Addr<A>) {
        let mut shard = self.shard(key);
        let Some(entry) = shard.get_mut(key).filter(|entry| entry.life == life) else { return };
        self.alive.fetch_sub(1, Ordering::Relaxed);
        match entry.waiting.take() {
            Some(waiting) if !waiting.is_empty() => {
                *entry = Entry { waiting: Some(waiting), ..self.born(start) };
                entry.release();
            }
            _ => {
                shard.remove(key);
            }
        }
    }

    fn given(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    fn born(&self, start: impl FnOnce(Life) -> Addr<A>) -> Entry<A, M> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        self.alive.fetch_add(1, Ordering::Relaxed);
        Entry { life, addr: start(life), waiting: None }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Entry<A, M>>> {
        self.lock(self.spread(key) % SHARDS)
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, HashMap<K, Entry<A, M>>> {
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, A, M> Default for Directory<K, A, M>
where
    K: Eq + Hash + Clone,
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result = ()> + Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Why [`Directory::send_if_there`] hands a message back.
#[derive(Debug, PartialEq, Eq)]
pub enum Absent<M> {
    /// No such actor.
    NotThere(M),
    /// It has no room for it.
    Full(M),
}

impl<A, M> Entry<A, M>
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result = ()> + Send + 'static,
{
    fn give(&mut self, message: M) -> Result<(), Full<M>> {
        match &mut self.waiting {
            Some(waiting) if waiting.len() >= MOST_WAITING => Err(Full(message)),
            Some(waiting) => {
                waiting.push(message);
                Ok(())
            }
            None => self.addr.try_send(message).map_err(|refused| match refused {
                SendError::Full(m) | SendError::Closed(m) => Full(m),
            }),
        }
    }

    fn release(&mut self) {
        for message in self.waiting.take().unwrap_or_default() {
            // At most MOST_WAITING, into a mailbox that was just emptied.
            #[allow(clippy::disallowed_methods)]
            self.addr.do_send(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix::{ActorContext, AsyncContext, Supervised};
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;

    struct Sleeper {
        life: Life,
        heard: UnboundedSender<(Life, &'static str)>,
        house: Arc<House>,
        /// Wakes up again when it hears this.
        changes_its_mind: bool,
    }

    struct House {
        directory: Directory<String, Sleeper, Say>,
        heard: UnboundedSender<(Life, &'static str)>,
        changes_its_mind: bool,
    }

    impl House {
        fn say(self: &Arc<Self>, what: &'static str) {
            let house = self.clone();
            self.directory.send(&"name".into(), Say(what), move |life| house.start(life)).unwrap();
        }

        fn start(self: Arc<Self>, life: Life) -> Addr<Sleeper> {
            Sleeper {
                life,
                heard: self.heard.clone(),
                changes_its_mind: self.changes_its_mind,
                house: self,
            }
            .start()
        }
    }

    impl Actor for Sleeper {
        type Context = Context<Self>;
        fn stopped(&mut self, _: &mut Self::Context) {
            let house = self.house.clone();
            self.house.directory.gone(&"name".into(), self.life, move |life| house.start(life));
        }
    }
    impl Supervised for Sleeper {}

    #[derive(Message, Debug)]
    #[rtype(result = "()")]
    struct Say(&'static str);

    #[derive(Message)]
    #[rtype(result = "()")]
    struct End;

    impl Handler<Say> for Sleeper {
        type Result = ();
        fn handle(&mut self, Say(what): Say, ctx: &mut Self::Context) {
            self.heard.send((self.life, what)).unwrap();
            if what == "sleep" {
                assert!(self.house.directory.closing(&"name".into(), self.life));
                ctx.notify(End);
                self.house.say("while closing");
            }
        }
    }

    impl Handler<End> for Sleeper {
        type Result = ();
        fn handle(&mut self, _: End, ctx: &mut Self::Context) {
            if self.changes_its_mind {
                self.house.directory.keep(&"name".into(), self.life);
            } else {
                ctx.stop();
            }
        }
    }

    fn house(changes_its_mind: bool) -> (Arc<House>, UnboundedReceiver<(Life, &'static str)>) {
        let (heard, hears) = unbounded_channel();
        (Arc::new(House { directory: Directory::new(), heard, changes_its_mind }), hears)
    }

    #[actix::test]
    async fn what_comes_while_one_closes_is_heard_by_the_next_life() {
        let (house, mut hears) = house(false);
        house.say("sleep");
        assert_eq!(hears.recv().await, Some((1, "sleep")));
        assert_eq!(hears.recv().await, Some((2, "while closing")));
        assert_eq!(house.directory.len(), 1);
    }

    #[actix::test]
    async fn one_that_stays_after_all_hears_what_waited() {
        let (house, mut hears) = house(true);
        house.say("sleep");
        assert_eq!(hears.recv().await, Some((1, "sleep")));
        assert_eq!(hears.recv().await, Some((1, "while closing")));
    }

    #[actix::test]
    async fn nobody_is_started_just_to_be_told_something() {
        let (house, _hears) = house(false);
        let answer = house.directory.send_if_there(&"name".into(), Say("psst"));
        assert!(matches!(answer, Err(Absent::NotThere(_))));
        assert!(house.directory.is_empty());
    }
}
