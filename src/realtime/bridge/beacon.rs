//! The names in Redis: of channels, and of the place where nodes say that they live. Pure.

use crate::{
    ids::Channel,
    platform::redis_client::{Slots, slot},
};

/// What all names begin with, so that installations can share a Redis.
#[derive(Clone, Debug)]
pub(super) struct Names {
    channels: String,
    beacons: String,
}

impl Names {
    pub fn new(prefix: &str) -> Self {
        Self { channels: format!("{prefix}:c:"), beacons: format!("{prefix}:nodes:") }
    }

    /// Where what is said in a channel goes.
    pub fn channel(&self, channel: &Channel) -> String {
        format!("{}{channel}", self.channels)
    }

    /// The channel that this is the name of.
    pub fn parse(&self, name: &[u8]) -> Option<Channel> {
        let channel = name.strip_prefix(self.channels.as_bytes())?;
        std::str::from_utf8(channel).ok().map(Channel::trusted)
    }

    /// Where nodes say that they live on the server with these slots: all of them choose the same name.
    pub fn beacon(&self, slots: Option<&Slots>) -> String {
        let name = |n: u32| format!("{}{{{n}}}", self.beacons);
        // A server with one slot of 16,384 is found among so many names.
        let is_there = |name: &String| slots.is_none_or(|it| it.contains(slot(name.as_bytes())));
        (0..1 << 20).map(name).find(is_there).unwrap_or_else(|| name(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_found_by_its_name_and_strangers_are_not() {
        let names = Names::new("shop");
        let channel = Channel::trusted("news:{1}");
        assert_eq!(names.parse(names.channel(&channel).as_bytes()), Some(channel));
        assert_eq!(names.parse(b"other:c:news"), None);
        assert_eq!(names.parse(names.beacon(None).as_bytes()), None);
    }
}
