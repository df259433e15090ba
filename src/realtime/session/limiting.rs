//! Commands of a user or a device that makes too many: refused for a while, and closed if that does not help.

use super::{
    connection::{Connection, Ctx, Stage},
    publish::RPC_METHOD,
};
use crate::protocol::{Close, Refusal, Request};

impl Connection {
    /// Counts a command. False if it was refused, and with it is done.
    pub(super) fn is_within_limits(&mut self, id: u32, request: &Request, ctx: &mut Ctx) -> bool {
        let is_publish = match request {
            Request::Pong => return true,
            Request::Publish { .. } => true,
            Request::Rpc { method, .. } => method == RPC_METHOD,
            _ => false,
        };
        let Stage::Open(open) = &mut self.stage else { return true };
        let rates = &self.host.node.rates;
        let Err(over) = rates.command(&open.user, &mut open.device, is_publish) else {
            return true;
        };
        if over.hammering {
            log::debug!("a client does not heed its limit: {over}");
            self.close(Close::TOO_MANY_REQUESTS, ctx);
            return false;
        }
        let refusal = Refusal::TOO_MANY_REQUESTS.because(over);
        match request {
            // SDKs take a refused unsubscribe for a broken connection; `send` has no reply.
            Request::Unsubscribe { .. } | Request::Send { .. } => return true,
            _ if is_publish => self.settle(id, Err(refusal), ctx),
            _ => self.refuse(id, refusal, ctx),
        }
        false
    }
}
