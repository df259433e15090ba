//! Redis Cluster spreads names over 16,384 slots, and slots over servers. Pure.

use crc::{CRC_16_XMODEM, Crc};
use redis::Value;

use super::Shard;

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The slots of one server, as inclusive ranges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slots(Vec<(u16, u16)>);

impl Slots {
    /// Whether that slot is among them.
    pub fn contains(&self, slot: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

/// The slot of a name: of what stands in its first braces, if something does.
pub fn slot(name: &[u8]) -> u16 {
    let tag = name.iter().position(|b| *b == b'{').and_then(|open| {
        let rest = &name[open + 1..];
        let close = rest.iter().position(|b| *b == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    CRC.checksum(tag.unwrap_or(name)) % SLOTS
}

/// Reads the answer to CLUSTER SLOTS; a server without a name is the one that was `asked`. None if slots are missing.
pub(super) fn read(table: &Value, asked: &str) -> Option<Vec<Shard>> {
    let Value::Array(rows) = table else { return None };
    let mut shards: Vec<Shard> = Vec::new();
    let mut covered = 0_u32;
    for row in rows {
        let Value::Array(row) = row else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = row.as_slice() else {
            return None;
        };
        let [host, Value::Int(port), ..] = master.as_slice() else { return None };
        let host = match host {
            Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
            Value::SimpleString(host) if !host.is_empty() => host.clone(),
            _ => asked.to_owned(),
        };
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        let port = u16::try_from(*port).ok()?;
        covered += u32::from(last.checked_sub(first)?) + 1;
        let same = shards.iter_mut().find(|shard| shard.host == host && shard.port == port);
        match same.and_then(|shard| shard.slots.as_mut()) {
            Some(slots) => slots.0.push((first, last)),
            None => {
                shards.push(Shard { host, port, slots: Some(Slots(vec![(first, last)])) });
            }
        }
    }
    let lowest =
        |shard: &Shard| shard.slots.as_ref().and_then(|slots| slots.0.iter().min().copied());
    shards.sort_by_key(lowest);
    (covered == u32::from(SLOTS)).then_some(shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: i64, last: i64, host: &str, port: i64) -> Value {
        let master = vec![Value::BulkString(host.into()), Value::Int(port)];
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(master)])
    }

    #[test]
    fn names_fall_into_the_slots_of_the_specification() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo{bar}baz"), slot(b"bar"));
        assert_eq!(slot(b"foo{bar}{baz}"), slot(b"bar"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"), "empty braces are none");
    }

    #[test]
    fn servers_come_in_the_order_of_their_slots() {
        let table = Value::Array(vec![
            row(10_000, 16_383, "b", 2),
            row(0, 9_998, "a", 1),
            row(9_999, 9_999, "b", 2),
        ]);
        let shards = read(&table, "asked").unwrap();
        assert_eq!(shards.iter().map(|it| it.host.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let slots = shards[1].slots.as_ref().unwrap();
        assert!(slots.contains(9_999) && slots.contains(16_383) && !slots.contains(9_998));
    }

    #[test]
    fn a_table_with_a_gap_is_no_answer_and_a_nameless_server_is_the_one_asked() {
        assert_eq!(read(&Value::Array(vec![row(0, 100, "a", 1)]), "asked"), None);
        let whole = read(&Value::Array(vec![row(0, 16_383, "", 1)]), "asked").unwrap();
        assert_eq!(whole[0].host, "asked");
    }
}
