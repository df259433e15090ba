//! Writes for all connections of a worker that have something to say, one after the other, in one task.
//!
//! A message to ten thousand members would else wake ten thousand tasks, each to make one system call.
//! It runs after the hub has emptied its mailbox, so what several messages left in an outbox goes out
//! as one frame.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use super::{host::Host, line::Line};

/// Sockets that are written before others on the thread get their turn: about half a millisecond.
const AT_ONCE: usize = 64;

/// The connections that wait for their turn.
#[derive(Default)]
pub struct Flusher {
    waiting: RefCell<VecDeque<Rc<Line>>>,
    task: RefCell<Option<Waker>>,
}

impl Flusher {
    /// A connection whose outbox was empty and is not any more.
    pub fn add(&self, line: Rc<Line>) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(line);
        if waiting.len() == 1
            && let Some(task) = &*self.task.borrow()
        {
            task.wake_by_ref();
        }
    }

    fn take(&self) -> Option<Rc<Line>> {
        self.waiting.borrow_mut().pop_front()
    }
}

/// The task of a worker; ends with its thread.
pub(super) async fn run(host: Weak<Host>) {
    while let Some(next) = next(&host).await {
        next.flush();
        let Some(host) = host.upgrade() else { return };
        for _ in 1..AT_ONCE {
            match host.flusher.take() {
                Some(line) => line.flush(),
                None => break,
            }
        }
        // Back into the queue of the thread only after it has looked at its sockets and at what other threads sent:
        // a task that wakes itself comes up to sixty times before that.
        tokio::task::yield_now().await;
    }
}

/// Waits for somebody who has something to say; none when the worker is gone.
async fn next(host: &Weak<Host>) -> Option<Rc<Line>> {
    poll_fn(|cx| {
        let Some(host) = host.upgrade() else { return Poll::Ready(None) };
        *host.flusher.task.borrow_mut() = Some(cx.waker().clone());
        match host.flusher.take() {
            Some(line) => Poll::Ready(Some(line)),
            None => Poll::Pending,
        }
    })
    .await
}
