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

/// Sockets that are written before others on the thread get their turn: about 2 ms.
const AT_ONCE: usize = 256;

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
    poll_fn(|cx| {
        let Some(host) = host.upgrade() else { return Poll::Ready(()) };
        let flusher = &host.flusher;
        *flusher.task.borrow_mut() = Some(cx.waker().clone());
        for _ in 0..AT_ONCE {
            match flusher.take() {
                Some(line) => line.flush(),
                None => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
