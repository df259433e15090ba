//! The names in Redis: of channels, of who is in them, and of what each server has one of. Pure.

use crate::{
    ids::{Channel, NodeId},
    platform::redis_client::{Slots, slot},
};

/// What all names begin with, so that installations can share a Redis.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
    channels: String,
}

impl Names {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), channels: format!("{prefix}:c:") }
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

    /// Who is in a channel.
    pub fn members(&self, channel: &Channel) -> String {
        format!("{}:p:{channel}", self.prefix)
    }

    /// In which channels a run has members.
    pub fn channels_of(&self, run: NodeId) -> String {
        format!("{}:r:{run}", self.prefix)
    }

    /// What a user has taken of a limit.
    pub fn bucket(&self, what: &str, user: &str) -> String {
        format!("{}:b:{what}:{user}", self.prefix)
    }

    /// How many connections a user has, by run.
    pub fn crowd(&self, user: &str) -> String {
        format!("{}:u:{user}", self.prefix)
    }

    /// Which runs have members.
    pub fn runs(&self) -> String {
        format!("{}:runs", self.prefix)
    }

    /// Where nodes say that they live on the server with these slots: all of them choose the same name.
    pub fn beacon(&self, slots: Option<&Slots>) -> String {
        on(&format!("{}:nodes", self.prefix), slots)
    }

    /// What tells the data of the server with these slots from that of one that forgot it.
    pub fn mark(&self, slots: Option<&Slots>) -> String {
        on(&format!("{}:mark", self.prefix), slots)
    }
}

/// A name that belongs to the server with these slots, the same for all who look for one.
fn on(server: &str, slots: Option<&Slots>) -> String {
    let name = |n: u32| format!("{server}:{{{n}}}");
    // A server with one slot of 16,384 is found among so many names.
    let is_there = |name: &String| slots.is_none_or(|it| it.contains(slot(name.as_bytes())));
    (0..1 << 20).map(name).find(is_there).unwrap_or_else(|| name(0))
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
