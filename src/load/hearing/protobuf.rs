//! Protobuf replies: fields by number, as the protocol's schema numbers them; unknown ones are stepped over.

use super::{Heard, Message, Refusal, Subscribed};

/// One field: its number and its value.
enum Field<'a> {
    Number(u32, u64),
    Bytes(u32, &'a [u8]),
}

/// Cuts off the first message of a frame; none if its length lies.
pub fn split(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = varint(frame)?;
    rest.split_at_checked(length.try_into().ok()?)
}

/// Reads one reply; none if it is malformed.
pub fn reply(message: &[u8]) -> Option<Heard<'_>> {
    if message.is_empty() {
        return Some(Heard::Ping);
    }
    let (mut id, mut heard) = (0, Heard::Other);
    each(message, |field| {
        match field {
            Field::Number(1, value) => id = value.try_into().ok()?,
            Field::Bytes(2, error) => heard = Heard::Refused { id: 0, refusal: refusal(error)? },
            Field::Bytes(4, said) => heard = push(said)?,
            Field::Bytes(5, result) => heard = connected(result)?,
            Field::Bytes(6, result) => heard = Heard::Subscribed(subscribed(result)?),
            Field::Bytes(8, _) => heard = Heard::Published { id: 0 },
            _ => {}
        }
        Some(())
    })?;
    Some(match heard {
        Heard::Published { .. } => Heard::Published { id },
        Heard::Refused { refusal, .. } => Heard::Refused { id, refusal },
        heard => heard,
    })
}

fn push(said: &[u8]) -> Option<Heard<'_>> {
    let (mut channel, mut heard) = (&b""[..], Heard::Other);
    each(said, |field| {
        match field {
            Field::Bytes(2, name) => channel = name,
            Field::Bytes(4, publication) => {
                heard = Heard::Publication { channel: b"", message: message(publication)? };
            }
            Field::Bytes(7, ended) => {
                let mut code = 0;
                each(ended, |field| {
                    if let Field::Number(2, value) = field {
                        code = value as u32;
                    }
                    Some(())
                })?;
                heard = Heard::Unsubscribed { code };
            }
            _ => {}
        }
        Some(())
    })?;
    Some(match heard {
        Heard::Publication { message, .. } => Heard::Publication { channel, message },
        heard => heard,
    })
}

fn message(publication: &[u8]) -> Option<Message<'_>> {
    let mut message = Message::default();
    each(publication, |field| {
        match field {
            Field::Bytes(4, data) => message.data = data,
            Field::Number(6, offset) => message.offset = offset,
            _ => {}
        }
        Some(())
    })?;
    Some(message)
}

fn connected(result: &[u8]) -> Option<Heard<'_>> {
    let (mut pong, mut subs) = (false, Vec::new());
    each(result, |field| {
        match field {
            Field::Bytes(6, entry) => {
                let (mut channel, mut granted) = (&b""[..], Subscribed::default());
                each(entry, |field| {
                    match field {
                        Field::Bytes(1, key) => channel = key,
                        Field::Bytes(2, value) => granted = subscribed(value)?,
                        _ => {}
                    }
                    Some(())
                })?;
                subs.push((channel, granted));
            }
            Field::Number(8, value) => pong = value != 0,
            _ => {}
        }
        Some(())
    })?;
    Some(Heard::Connected { pong, subs })
}

fn subscribed(result: &[u8]) -> Option<Subscribed<'_>> {
    let mut granted = Subscribed::default();
    each(result, |field| {
        match field {
            Field::Bytes(6, epoch) => granted.epoch = epoch,
            Field::Bytes(7, publication) => granted.publications.push(message(publication)?),
            Field::Number(8, value) => granted.recovered = value != 0,
            Field::Number(9, offset) => granted.offset = offset,
            Field::Number(12, value) => granted.was_recovering = value != 0,
            _ => {}
        }
        Some(())
    })?;
    Some(granted)
}

fn refusal(error: &[u8]) -> Option<Refusal<'_>> {
    let mut refusal = Refusal::default();
    each(error, |field| {
        match field {
            Field::Number(1, code) => refusal.code = code as u32,
            Field::Bytes(2, words) => refusal.message = String::from_utf8_lossy(words),
            Field::Number(3, value) => refusal.temporary = value != 0,
            _ => {}
        }
        Some(())
    })?;
    Some(refusal)
}

#[inline]
fn each<'a>(mut rest: &'a [u8], mut take: impl FnMut(Field<'a>) -> Option<()>) -> Option<()> {
    while !rest.is_empty() {
        let (key, after) = varint(rest)?;
        let number = u32::try_from(key >> 3).ok()?;
        rest = match key & 7 {
            0 => {
                let (value, after) = varint(after)?;
                take(Field::Number(number, value))?;
                after
            }
            1 => after.get(8..)?,
            2 => {
                let (bytes, after) = split(after)?;
                take(Field::Bytes(number, bytes))?;
                after
            }
            5 => after.get(4..)?,
            _ => return None,
        };
    }
    Some(())
}

#[inline]
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}
