//! Saying something in a channel: checked here, ordered and kept by the room, answered after its commit.

use std::{sync::Arc, time::Instant};

use actix::AsyncContext;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connection::{Connection, Ctx, Published, Stage};
use crate::{
    ids::Channel,
    platform::{settings::DataFormat, wrong_json::explain},
    protocol::{Close, Outcome, Payload, Publication, Refusal, Tags},
    realtime::{
        journal::{AppendError, Appended, Key, writer::Answer},
        namespace::{Asker, Namespace},
        room::request::{Publish, Request},
    },
};

/// The RPC method that publishes with an idempotency key, which the command has no field for.
pub(super) const RPC_METHOD: &str = "publish";

/// The longest idempotency key.
const KEY_LENGTH: usize = 255;

/// What that method takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RpcPublish<'a> {
    channel: String,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    idempotency_key: String,
}

impl Connection {
    pub(super) fn publish(&mut self, id: u32, name: &str, data: Payload, ctx: &mut Ctx) {
        if name.is_empty() {
            return self.close(Close::BAD_REQUEST, ctx);
        }
        self.publish_keyed(id, name, data, None, false, ctx);
    }

    pub(super) fn publish_by_rpc(&mut self, id: u32, data: &Payload, ctx: &mut Ctx) {
        let asked = match serde_json::from_slice::<RpcPublish<'_>>(data.bytes()) {
            Ok(asked) if asked.idempotency_key.len() <= KEY_LENGTH => asked,
            Ok(_) => {
                let why = format_args!("idempotency_key has at most {KEY_LENGTH} bytes");
                return self.settle(id, Err(Refusal::BAD_REQUEST.because(why)), ctx);
            }
            Err(e) => {
                let why = explain(&e, "{channel, data, idempotency_key}");
                return self.settle(id, Err(Refusal::BAD_REQUEST.because(why)), ctx);
            }
        };
        let said = Payload::json(Bytes::copy_from_slice(asked.data.get().as_bytes()));
        let Stage::Open(open) = &self.stage else { return };
        let key = (!asked.idempotency_key.is_empty())
            .then(|| Key { publisher: format!("user:{}", open.user), key: asked.idempotency_key });
        self.publish_keyed(id, &asked.channel, said, key, true, ctx);
    }

    fn publish_keyed(
        &mut self,
        id: u32,
        name: &str,
        data: Payload,
        key: Option<Key>,
        by_rpc: bool,
        ctx: &mut Ctx,
    ) {
        let (channel, publication) = match self.publication(name, data) {
            Ok(ready) => ready,
            Err(refusal) => return self.settle(id, Err(refusal), ctx),
        };
        let Stage::Open(open) = &mut self.stage else { return };
        let number = open.window.begin(id);
        let (session, since) = (ctx.address(), Instant::now());
        let answer = Answer::new(move |outcome| {
            // At most a window of them.
            #[allow(clippy::disallowed_methods)]
            session.do_send(Published { number, by_rpc, since, outcome });
        });
        let publish = Publish { publication, key, version: None, skip_history: false, answer };
        let asked = self.host.node.house.ask(&channel, Request::Publish(Box::new(publish)));
        if asked.is_err() {
            let full =
                Refusal::TOO_MANY_REQUESTS.because("the room is full of requests; try again");
            self.finish(number, Outcome::Refused(full), ctx);
        }
    }

    /// Checks what is to be published.
    fn publication(
        &self,
        name: &str,
        data: Payload,
    ) -> Result<(Channel, Arc<Publication>), Refusal> {
        let Stage::Open(open) = &self.stage else { return Err(Refusal::UNAUTHORIZED) };
        let node = &self.host.node;
        let channel = node.namespaces.channel(name)?;
        let sub = open.subs.get(&channel).filter(|sub| sub.live);
        let asker = Asker {
            user: &open.user,
            is_subscriber: sub.is_some(),
            insecure: node.settings.client.insecure,
        };
        let namespace = node.namespaces.may_publish(&channel, asker)?;
        let data = in_format(&namespace, data)?;
        let publication = Publication {
            data,
            info: Some(sub.map_or(&open.info, |sub| &sub.info).clone()),
            offset: 0,
            tags: Tags::new(),
            delta: namespace.delta_publish,
        };
        Ok((channel, Arc::new(publication)))
    }

    /// Something that has its outcome at once keeps its place among those under way.
    pub(super) fn settle(&mut self, id: u32, outcome: Result<Outcome, Refusal>, ctx: &mut Ctx) {
        let Stage::Open(open) = &mut self.stage else { return };
        let number = open.window.begin(id);
        self.finish(number, outcome.unwrap_or_else(Outcome::Refused), ctx);
    }

    fn finish(&mut self, number: u64, outcome: Outcome, ctx: &mut Ctx) {
        let Stage::Open(open) = &mut self.stage else { return };
        for reply in open.window.end(number, outcome) {
            self.reply(reply.id, reply.outcome, ctx);
        }
    }

    pub(super) fn on_published(&mut self, published: Published, ctx: &mut Ctx) {
        let Published { number, by_rpc, since, outcome } = published;
        let took = since.elapsed().as_secs_f64();
        self.host.node.metrics.publish_ack_seconds.observe(took);
        let outcome = match refusal_of(outcome) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(_) if !by_rpc => Outcome::Publish,
            Ok(at) => {
                let data = format!(r#"{{"offset":{},"epoch":"{}"}}"#, at.offset, at.epoch);
                Outcome::Rpc { data: Payload::json(data.into()) }
            }
        };
        self.finish(number, outcome, ctx);
        self.pump(ctx);
    }
}

/// What a publisher is told of its append.
pub fn refusal_of(
    outcome: Result<Appended, AppendError>,
) -> Result<crate::protocol::Position, Refusal> {
    match outcome {
        Ok(Appended::New(at) | Appended::Duplicate(at) | Appended::Superseded(at)) => Ok(at),
        Ok(Appended::KeyReused) => {
            Err(Refusal::BAD_REQUEST.because("this idempotency key was used for other data"))
        }
        Err(AppendError::Refused(why)) => {
            log::warn!("a publish was refused: {why}");
            Err(Refusal::INTERNAL.because("nothing was published; try again"))
        }
        Err(AppendError::Unknown(why)) => {
            log::warn!("what became of a publish is not known: {why}");
            Err(Refusal::INTERNAL.because(
                "it is not known whether this was published; try again with its idempotency key",
            ))
        }
    }
}

/// Data as the namespace takes it. Copied: a slice would keep the whole frame that it came in.
pub fn in_format(namespace: &Namespace, data: Payload) -> Result<Payload, Refusal> {
    if data.is_empty() {
        return Err(Refusal::BAD_REQUEST.because("data is missing"));
    }
    let is_json = data.is_json();
    let fits = match namespace.publication_data_format {
        DataFormat::Json => is_json,
        DataFormat::JsonObject => is_json && data.bytes().trim_ascii_start().starts_with(b"{"),
        DataFormat::Binary => true,
    };
    if !fits {
        let expected = match namespace.publication_data_format {
            DataFormat::JsonObject => "data has to be a JSON object in this namespace",
            _ => "data has to be JSON in this namespace (publication_data_format)",
        };
        return Err(Refusal::BAD_REQUEST.because(expected));
    }
    Ok(Payload::stored(Bytes::copy_from_slice(data.bytes()), is_json))
}
