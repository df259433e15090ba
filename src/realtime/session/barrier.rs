//! Turning away who is barred: at connect, at each refresh, and when it is said of a connection that is open.

use super::connection::{Connection, Ctx, Stage};
use crate::{ids::UserId, platform::tokens::Papers, protocol::Close, realtime::barred::Barrier};

impl Connection {
    /// How a user with these papers is turned away; none if it is let in.
    pub(super) fn barrier(&self, user: &UserId, papers: &Papers) -> Option<Close> {
        let node = &self.host.node;
        let barrier = node.barred.barrier(user.as_str(), papers, node.now())?;
        Some(match barrier {
            Barrier::Blocked => Close::PERMISSION_DENIED,
            Barrier::Revoked => Close::INVALID_TOKEN,
        })
    }

    /// Closes the connection if it is barred by now, and says whether.
    pub(super) fn is_barred(&mut self, ctx: &mut Ctx) -> bool {
        let Stage::Open(open) = &self.stage else { return false };
        let Some(close) = self.barrier(&open.user, &open.papers) else { return false };
        self.close(close, ctx);
        true
    }
}
