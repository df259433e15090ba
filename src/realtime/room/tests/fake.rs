//! A connection that writes down what it is given.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    platform::mutant::patience,
    protocol::Encoding,
    realtime::room::seat::{Notice, Seat},
};

/// The seat.
pub struct FakeSeat {
    encoding: Encoding,
    /// Panics once when it is to be given something that contains this.
    poison: RefCell<Option<&'static str>>,
    open: Cell<bool>,
    heard: UnboundedSender<Heard>,
}

/// What it is given.
#[derive(Debug)]
pub enum Heard {
    Bytes(Bytes),
    Notice(Notice),
}

/// Who looks at it.
pub struct Ear(UnboundedReceiver<Heard>);

impl FakeSeat {
    pub fn new(encoding: Encoding) -> (Rc<Self>, Ear) {
        let (heard, hears) = unbounded_channel();
        let (poison, open) = (RefCell::new(None), Cell::new(true));
        (Rc::new(Self { encoding, poison, open, heard }), Ear(hears))
    }

    pub fn poison(&self, with: &'static str) {
        *self.poison.borrow_mut() = Some(with);
    }
}

impl Seat for FakeSeat {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn push(&self, message: Bytes) {
        let text = String::from_utf8_lossy(&message);
        let poisoned = self.poison.borrow().is_some_and(|poison| text.contains(poison));
        if poisoned {
            self.poison.borrow_mut().take();
            panic!("a test lets the hub fall");
        }
        let _ = self.heard.send(Heard::Bytes(message));
    }

    fn push_shared(&self, weighed: Bytes) {
        self.push(weighed);
    }

    fn push_recovered(&self, message: Bytes) {
        self.push(message);
    }

    fn notice(&self, notice: Notice) {
        let _ = self.heard.send(Heard::Notice(notice));
    }

    fn due(&self) {}

    fn is_open(&self) -> bool {
        self.open.get()
    }
}

/// What a member can tell apart, in the order in which it heard it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// Entered at that offset; recovered those before it, if it did.
    Entered {
        offset: u64,
        recovered: Option<Vec<u64>>,
    },
    /// A publication.
    Said(u64),
    Behind,
    Left,
    Refused(u32),
    Closed(u16),
}

impl Ear {
    /// The next thing. Panics if there is none for long.
    pub async fn next(&mut self) -> Word {
        loop {
            let heard = tokio::time::timeout(patience(Duration::from_secs(5)), self.0.recv());
            let heard = heard.await.expect("it hears something").expect("the seat is there");
            if let Some(word) = word(heard) {
                return word;
            }
        }
    }

    /// What was heard so far and nobody looked at.
    pub fn rest(&mut self) -> Vec<Word> {
        self.raw().into_iter().filter_map(word).collect()
    }

    /// The same as it was given.
    pub fn raw(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

fn word(heard: Heard) -> Option<Word> {
    match heard {
        Heard::Notice(Notice::Entered { result, .. }) => {
            let rows = result.publications.iter().map(|row| row.publication.offset);
            let recovered = result.recovered.then(|| rows.collect());
            Some(Word::Entered { offset: result.offset, recovered })
        }
        Heard::Notice(Notice::Refused { refusal, .. }) => Some(Word::Refused(refusal.code)),
        Heard::Notice(Notice::Left { .. }) => Some(Word::Left),
        Heard::Notice(Notice::Behind { .. }) => Some(Word::Behind),
        Heard::Notice(Notice::Close(close)) => Some(Word::Closed(close.code)),
        Heard::Bytes(bytes) => {
            let push: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            let publication = push.get("push")?.get("pub")?;
            Some(Word::Said(publication.get("offset").map_or(0, |o| o.as_u64().unwrap_or(0))))
        }
    }
}
