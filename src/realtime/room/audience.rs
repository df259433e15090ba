//! Whoever wants to know which channels people come into on this node.

use crate::ids::Channel;

/// Hears of it from rooms, on their threads: it must not block.
pub trait Audience: Send + Sync + 'static {
    /// Somebody has come in. What is said in the channel from now on reaches them.
    fn entered(&self, channel: &Channel);
}
