//! What a client asks: each command goes to the file that does it.

use super::connection::{Connection, Ctx, Stage};
use crate::protocol::{Close, Command, Outcome, Refusal, Request};

impl Connection {
    pub(super) fn on_command(&mut self, command: Command, ctx: &mut Ctx) {
        let Command { id, request } = command;
        if let Stage::New = self.stage {
            return match request {
                Request::Connect(request) if id > 0 => self.connect(id, *request, ctx),
                _ => self.close(Close::BAD_REQUEST, ctx),
            };
        }
        if id == 0 && !matches!(request, Request::Send { .. }) {
            return self.pong(ctx);
        }
        if !self.is_within_limits(id, &request, ctx) {
            return;
        }
        match request {
            Request::Pong => self.pong(ctx),
            Request::Publish { channel, data } => self.publish(id, &channel, data, ctx),
            Request::Subscribe(request) => self.subscribe(id, *request, ctx),
            Request::Unsubscribe { channel } => self.unsubscribe(id, &channel, ctx),
            Request::Presence { channel } => self.presence(id, &channel, ctx),
            Request::PresenceStats { channel } => self.presence_stats(id, &channel, ctx),
            Request::History(request) => self.history(id, request, ctx),
            Request::Rpc { method, data } => self.rpc(id, &method, data, ctx),
            Request::Refresh { token } => self.refresh(id, &token, ctx),
            Request::SubRefresh { channel, token } => self.sub_refresh(id, &channel, &token, ctx),
            Request::Send { .. } => self.close(Close::NOT_AVAILABLE, ctx),
            Request::Connect(_) | Request::Unknown => self.close(Close::BAD_REQUEST, ctx),
        }
    }

    fn rpc(&mut self, id: u32, method: &str, data: crate::protocol::Payload, ctx: &mut Ctx) {
        if method == super::publish::RPC_METHOD {
            return self.publish_by_rpc(id, &data, ctx);
        }
        let refusal = Refusal::NOT_AVAILABLE.because("the only RPC method here is publish");
        self.reply(id, Outcome::Refused(refusal), ctx);
    }
}
