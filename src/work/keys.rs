//! Idempotency keys that don't count any more are forgotten in the background: their people may never come back.

use std::{sync::Arc, time::Duration};

use actix::ArbiterHandle;

use crate::{
    domain::{moment::Moment, store::Store},
    supervisor::turns::{self, Work},
};

/// Keys that one turn forgets, at most: on a file, publications wait for it.
const MOST: usize = 100;

/// After a turn that left some over.
const SOON: Duration = Duration::from_secs(1);

/// Between turns that found nothing more, and after one that failed. It is about disk space only: what is too old does not
/// count anyway.
const SELDOM: Duration = Duration::from_secs(600);

/// The work of forgetting.
pub struct Forgetting(Arc<Store>);

impl Forgetting {
    /// Starts on a thread.
    pub fn start(store: &Arc<Store>, arbiter: &ArbiterHandle) {
        let store = store.clone();
        turns::start(arbiter, move || Self(store));
    }
}

impl Work for Forgetting {
    const NAME: &'static str = "keys";

    /// Nodes that were started together don't forget the same at the same time.
    fn first(&self) -> Duration {
        SELDOM.mul_f64(rand::random())
    }

    async fn turn(&mut self) -> Duration {
        match self.0.forget_keys(Moment::now(), MOST).await {
            Ok(forgotten) if forgotten >= MOST => SOON,
            Ok(_) => SELDOM,
            Err(why) => {
                log::warn!("idempotency keys that are too old stay: {why}");
                SELDOM
            }
        }
    }
}
