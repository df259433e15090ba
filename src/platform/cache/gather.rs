//! One question for many: while one is under way, the next gathers those who ask.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::Lost;
use crate::platform::engine::Engine;

/// Keys in one question, at most.
const TOGETHER: usize = 1_000;

/// Who may wait, at most: more than all connections of a node ask at once.
const WAITING: usize = 100_000;

/// After a question for several: who comes in it is asked for together. Where a thousand ask in a second, this halves what
/// it costs the database and this node; who asks alone never waits for it.
const REST: Duration = Duration::from_millis(2);

/// Asks about many keys at once; what is not there is left out.
type Ask<K, T, E> =
    Box<dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, T>, E>> + Send + Sync>;

type Waiting<K, T, E> = Vec<(K, oneshot::Sender<Result<T, E>>)>;

/// Gathers questions. An answer is never older than its question: who asks while one is under way is asked for by the next.
pub struct Gather<K, T, E> {
    ask: Ask<K, T, E>,
    state: Mutex<State<K, T, E>>,
    /// Past it, who waits is told so.
    patience: Duration,
}

struct State<K, T, E> {
    is_asking: bool,
    waiting: Waiting<K, T, E>,
}

impl<K, T, E> Gather<K, T, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Default + Send + 'static,
    E: Clone + From<Lost> + Send + 'static,
{
    pub fn new(
        patience: Duration,
        ask: impl Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, T>, E>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let state = State { is_asking: false, waiting: Vec::new() };
        Arc::new(Self { ask: Box::new(ask), state: Mutex::new(state), patience })
    }

    /// What is true of this key at some time after the call; the default if nothing is. `on` carries the questions.
    pub async fn get(self: &Arc<Self>, key: K, on: &Engine) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.waiting.len() >= WAITING {
                return Err(Lost("too many ask at once").into());
            }
            state.waiting.push((key, answer));
            if !mem::replace(&mut state.is_asking, true) {
                drop(
                    on.run(Turns { of: self.clone(), asked: Vec::new(), ended_well: false }.take()),
                );
            }
        }
        match timeout(self.patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Lost("the question fell").into()),
            Err(_) => Err(Lost("the question was not answered in time").into()),
        }
    }
}

/// Asks until nobody waits. If it falls, those who wait are told, and the next who asks begins anew.
struct Turns<K, T, E> {
    of: Arc<Gather<K, T, E>>,
    /// For whom the question is that is under way. Told of its fall after the next may begin: they ask again at once.
    asked: Waiting<K, T, E>,
    ended_well: bool,
}

impl<K, T, E> Turns<K, T, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Default + Send + 'static,
    E: Clone + From<Lost> + Send + 'static,
{
    async fn take(mut self) {
        loop {
            self.asked = {
                let mut state = self.of.state.lock().unwrap_or_else(PoisonError::into_inner);
                let many = state.waiting.len().min(TOGETHER);
                if many == 0 {
                    // From here on the next who asks begins anew.
                    state.is_asking = false;
                    self.ended_well = true;
                    return;
                }
                // Who asked may have gone: they are not asked for.
                state.waiting.drain(..many).filter(|(_, tell)| !tell.is_closed()).collect()
            };
            let answers = (self.of.ask)(different(&self.asked)).await;
            let together = self.asked.len();
            for (key, tell) in self.asked.drain(..) {
                let answer = match &answers {
                    Ok(answers) => Ok(answers.get(&key).cloned().unwrap_or_default()),
                    Err(why) => Err(why.clone()),
                };
                // Who asked may have gone.
                let _ = tell.send(answer);
            }
            if together > 1 {
                sleep(REST).await;
            }
        }
    }
}

/// The keys of these, each once.
fn different<K: Clone + Eq + Hash, A>(waiting: &[(K, A)]) -> Vec<K> {
    let keys: HashSet<&K> = waiting.iter().map(|(key, _)| key).collect();
    keys.into_iter().cloned().collect()
}

impl<K, T, E> Drop for Turns<K, T, E> {
    fn drop(&mut self) {
        if !self.ended_well {
            let mut state = self.of.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_asking = false;
            state.waiting.clear();
        }
    }
}
