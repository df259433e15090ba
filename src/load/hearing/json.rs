//! JSON replies, in one walk over the bytes: what is not asked for is stepped over, payloads are borrowed whole.

use std::borrow::Cow;

use super::{Heard, Message, Refusal, Subscribed};

/// Reads one reply; none if it is no JSON object of the protocol's shape.
pub fn reply(text: &[u8]) -> Option<Heard<'_>> {
    let mut walk = Walk { text, at: 0 };
    let (mut id, mut heard) = (0, None);
    walk.object(|walk, key| {
        match key {
            b"push" => heard = Some(push(walk)?),
            b"id" => id = walk.number()?.try_into().ok()?,
            b"publish" => {
                walk.skip()?;
                heard = Some(Heard::Published { id: 0 });
            }
            b"subscribe" => heard = Some(Heard::Subscribed(subscribed(walk)?)),
            b"connect" => heard = Some(connected(walk)?),
            b"error" => heard = Some(Heard::Refused { id: 0, refusal: refusal(walk)? }),
            _ => {
                walk.skip()?;
                heard = Some(Heard::Other);
            }
        }
        Some(())
    })?;
    Some(match heard {
        Some(Heard::Published { .. }) => Heard::Published { id },
        Some(Heard::Refused { refusal, .. }) => Heard::Refused { id, refusal },
        Some(heard) => heard,
        None if id == 0 => Heard::Ping,
        None => Heard::Other,
    })
}

#[inline]
fn push<'a>(walk: &mut Walk<'a>) -> Option<Heard<'a>> {
    let (mut channel, mut heard) = (&b""[..], Heard::Other);
    walk.object(|walk, key| {
        match key {
            b"channel" => channel = walk.string()?,
            b"pub" => heard = Heard::Publication { channel: b"", message: message(walk)? },
            b"unsubscribe" => {
                let mut code = 0;
                walk.object(|walk, key| match key {
                    b"code" => {
                        code = walk.number()? as u32;
                        Some(())
                    }
                    _ => walk.skip(),
                })?;
                heard = Heard::Unsubscribed { code };
            }
            _ => walk.skip()?,
        }
        Some(())
    })?;
    Some(match heard {
        Heard::Publication { message, .. } => Heard::Publication { channel, message },
        heard => heard,
    })
}

#[inline]
fn message<'a>(walk: &mut Walk<'a>) -> Option<Message<'a>> {
    let mut message = Message::default();
    walk.object(|walk, key| {
        match key {
            b"data" => message.data = walk.value()?,
            b"offset" => message.offset = walk.number()?,
            _ => walk.skip()?,
        }
        Some(())
    })?;
    Some(message)
}

fn connected<'a>(walk: &mut Walk<'a>) -> Option<Heard<'a>> {
    let (mut pong, mut subs) = (false, Vec::new());
    walk.object(|walk, key| match key {
        b"pong" => {
            pong = walk.truth()?;
            Some(())
        }
        b"subs" => walk.object(|walk, channel| {
            subs.push((channel, subscribed(walk)?));
            Some(())
        }),
        _ => walk.skip(),
    })?;
    Some(Heard::Connected { pong, subs })
}

fn subscribed<'a>(walk: &mut Walk<'a>) -> Option<Subscribed<'a>> {
    let mut granted = Subscribed::default();
    walk.object(|walk, key| {
        match key {
            b"epoch" => granted.epoch = walk.string()?,
            b"offset" => granted.offset = walk.number()?,
            b"recovered" => granted.recovered = walk.truth()?,
            b"was_recovering" => granted.was_recovering = walk.truth()?,
            b"publications" => walk.array(|walk| {
                granted.publications.push(message(walk)?);
                Some(())
            })?,
            _ => walk.skip()?,
        }
        Some(())
    })?;
    Some(granted)
}

fn refusal<'a>(walk: &mut Walk<'a>) -> Option<Refusal<'a>> {
    let mut refusal = Refusal::default();
    walk.object(|walk, key| {
        match key {
            b"code" => refusal.code = walk.number()? as u32,
            b"message" => refusal.message = unescaped(walk.value()?)?,
            b"temporary" => refusal.temporary = walk.truth()?,
            _ => walk.skip()?,
        }
        Some(())
    })?;
    Some(refusal)
}

fn unescaped(quoted: &[u8]) -> Option<Cow<'_, str>> {
    serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned)
}

/// Deeper nesting than any reply has; keeps hostile input from growing the stack (there is none: depth is counted).
const DEEPEST: u32 = 128;

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Calls `field` with each key; it must step over the value.
    #[inline]
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            return self.take(b'}');
        }
        loop {
            let key = self.string()?;
            self.take(b':')?;
            field(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => return self.take(b'}'),
                _ => return None,
            }
        }
    }

    fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            return self.take(b']');
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => return self.take(b']'),
                _ => return None,
            }
        }
    }

    /// What stands between the quotes, escapes and all.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            self.at += found;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(&self.text[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        (self.at > start).then_some(value)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.value()? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// A value as it is written.
    #[inline]
    fn value(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Some(&self.text[start..self.at])
    }

    /// Steps over a value of any kind; what is inside it is not judged.
    #[inline]
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.at += 1;
                    depth += 1;
                    if depth > DEEPEST {
                        return None;
                    }
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b'}' | b']' | b',' | b':' => return None,
                _ => {
                    while !matches!(
                        self.text.get(self.at),
                        None | Some(
                            b',' | b':' | b'}' | b']' | b' ' | b'"' | b'\n' | b'\r' | b'\t'
                        )
                    ) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}
