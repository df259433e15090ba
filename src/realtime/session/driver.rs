//! One future a connection: polls the actor and writes to the socket, neither waiting for the other.
//!
//! If the loop that takes the actor's output awaited the socket, a client that stops reading would
//! freeze its actor, and whatever is sent to that would pile up.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{frames::end_with_close, line::Line};
use crate::protocol::Close;

/// What the actor says to the socket: control frames, as bytes.
pub type ActorOutput = Pin<Box<dyn Stream<Item = Result<Bytes, actix_web::Error>>>>;

/// The task of one connection. `P` is held as long as it lives.
pub struct Driver<P> {
    line: Rc<Line>,
    /// None when the actor has stopped.
    actor: Option<ActorOutput>,
    _permit: P,
}

impl<P> Driver<P> {
    pub fn new(line: Rc<Line>, actor: ActorOutput, permit: P) -> Self {
        Self { line, actor: Some(actor), _permit: permit }
    }

    fn listen(&mut self, cx: &mut Context<'_>) {
        while let Some(actor) = &mut self.actor {
            let said = catch_unwind(AssertUnwindSafe(|| actor.as_mut().poll_next(cx)));
            match said {
                Ok(Poll::Ready(Some(Ok(frame)))) => self.line.push_frame(frame),
                Ok(Poll::Ready(Some(Err(_)) | None)) => self.actor = None,
                Ok(Poll::Pending) => return,
                Err(_) => {
                    log::error!("a connection's actor panicked; its client is told to come back");
                    self.line.shut(&Close::INTERNAL);
                    self.line.push_frame(close_frame(&Close::INTERNAL));
                    // Says good-bye to its rooms on the way out; should that panic too, they find out.
                    let actor = self.actor.take();
                    drop(catch_unwind(AssertUnwindSafe(|| drop(actor))));
                }
            }
        }
    }

    /// Writes what the socket takes. False when it is gone.
    fn write(&self, cx: &mut Context<'_>) -> bool {
        while self.line.may_write() {
            if self.line.write().is_err() {
                return false;
            }
            if self.line.may_write() {
                match self.line.io().poll_write_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return false,
                    Poll::Pending => return true,
                }
            }
        }
        true
    }

    /// After the close is written: reads on until the peer has said its own, else what it sent unread
    /// would turn ours into a reset. False when it has; then the socket is closed by us first, for
    /// which well-behaved clients wait.
    fn linger(&self, cx: &mut Context<'_>) -> bool {
        let mut unread = [0; 4096];
        loop {
            match self.line.io().try_read(&mut unread) {
                Ok(0) => return false,
                Ok(n) if end_with_close(&unread[..n]) => return false,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    match self.line.io().poll_read_ready(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return false,
                        Poll::Pending => return true,
                    }
                }
                Err(_) => return false,
            }
        }
    }
}

impl<P: Unpin> Future for Driver<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.line.driven_by(cx.waker());
        this.listen(cx);
        let alive = this.write(cx) && !this.line.is_cut();
        if !alive {
            // Dropping the actor stops it.
            this.actor = None;
            return Poll::Ready(());
        }
        if this.actor.is_some() {
            return Poll::Pending;
        }
        if this.line.waiting() == 0 && (this.line.peer_is_gone() || !this.linger(cx)) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<P> Drop for Driver<P> {
    fn drop(&mut self) {
        self.actor = None;
        self.line.end();
    }
}

/// RFC 6455, section 5.5.1. Reasons are shorter than 124 bytes.
fn close_frame(close: &Close) -> Bytes {
    let reason = close.reason.as_bytes();
    let mut frame = vec![0x88, 2 + reason.len() as u8];
    frame.extend(close.code.to_be_bytes());
    frame.extend(reason);
    frame.into()
}
