//! One publication on its way to all members: encoded once a form, the bytes shared.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    ids::Channel,
    protocol::{
        Encoding, Epoch, NotJson, Payload, Publication, Push, delta,
        push::{Event, Form},
    },
};

/// A publication with the bytes of each form in which some member wants it.
#[derive(Debug)]
pub struct Broadcast {
    pub channel: Channel,
    pub publication: Arc<Publication>,
    /// Told with the first publication of a stream.
    epoch: Option<Epoch>,
    /// What the publication before it said, if this one may travel as a delta.
    previous: Option<Payload>,
    /// When the room learned that it may go out.
    pub since: Instant,
    encoded: [OnceLock<Result<Bytes, NotJson>>; 6],
    delta: OnceLock<Option<Bytes>>,
}

/// How one member wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// As it is.
    Plain,
    /// To a member that understands deltas but has not seen the publication before.
    Full,
    /// To a member that has.
    Delta,
}

impl Broadcast {
    /// `previous` is the publication right before it, or none.
    pub fn new(
        channel: Channel,
        publication: Arc<Publication>,
        epoch: &Epoch,
        previous: Option<&Publication>,
        since: Instant,
    ) -> Self {
        Self {
            epoch: (publication.offset == 1).then(|| epoch.clone()),
            previous: previous.filter(|_| publication.delta).map(|p| p.data.clone()),
            channel,
            publication,
            since,
            encoded: Default::default(),
            delta: OnceLock::new(),
        }
    }

    /// Which of six forms that is.
    pub(super) fn form(encoding: Encoding, shape: Shape) -> usize {
        shape as usize * 2 + (encoding == Encoding::Protobuf) as usize
    }

    /// The push as bytes. Encoded by who asks first.
    pub fn bytes(&self, encoding: Encoding, shape: Shape) -> Result<Bytes, NotJson> {
        self.encoded[Self::form(encoding, shape)]
            .get_or_init(|| self.encode(encoding, shape))
            .clone()
    }

    /// The fossil delta against the publication before; none if there is none or it would not be smaller.
    pub fn delta(&self) -> Option<Bytes> {
        self.delta
            .get_or_init(|| {
                let previous = self.previous.as_ref()?;
                delta::fossil(previous.bytes(), self.publication.data.bytes())
            })
            .clone()
    }

    /// What it costs to keep.
    pub fn size(&self) -> usize {
        self.publication.data.len() + std::mem::size_of::<Self>()
    }

    fn encode(&self, encoding: Encoding, shape: Shape) -> Result<Bytes, NotJson> {
        let form = match shape {
            Shape::Plain => Form::Plain,
            Shape::Full => Form::Full,
            Shape::Delta => self.delta().map_or(Form::Full, Form::Delta),
        };
        encoding.push(&Push {
            channel: self.channel.clone(),
            event: Event::Publication {
                publication: self.publication.clone(),
                epoch: self.epoch.clone(),
                form,
            },
        })
    }
}
