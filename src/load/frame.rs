//! WebSocket frames as a client writes and reads them (RFC 6455, section 5). Pure; borrows what it reads.

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opcode {
    /// Goes on with the message that an earlier frame began.
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// One frame of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    pub opcode: Opcode,
    /// Whether the message ends with this frame.
    pub last: bool,
    pub payload: &'a [u8],
    /// Bytes of the buffer that the frame took.
    pub length: usize,
}

/// The bytes are no frame that a server may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAFrame(pub &'static str);

/// Longer frames are taken for garbage; a server's outbox is bounded far below.
pub const LONGEST: u64 = 16 << 20;

/// The first frame in `bytes`; none if it is not yet whole.
pub fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, NotAFrame> {
    let [head, size, rest @ ..] = bytes else {
        return Ok(None);
    };
    if size & 0x80 != 0 {
        return Err(NotAFrame("masked, which only a client's frames are"));
    }
    if head & 0x70 != 0 {
        return Err(NotAFrame("compressed or extended, which was not agreed"));
    }
    let opcode = Opcode::from_bits(head & 0x0f).ok_or(NotAFrame("of an unknown kind"))?;
    let (declared, header) = match size & 0x7f {
        126 => match rest.first_chunk() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    if declared > LONGEST {
        return Err(NotAFrame("longer than 16 MiB"));
    }
    let length = header + declared as usize;
    Ok(bytes.get(header..length).map(|payload| Frame {
        opcode,
        last: head & 0x80 != 0,
        payload,
        length,
    }))
}

/// Appends a whole message as one frame, masked with `mask` as a client must.
pub fn write_masked(opcode: Opcode, payload: &[u8], mask: u32, out: &mut Vec<u8>) {
    write_head(opcode, payload.len(), 0x80, out);
    let mask = mask.to_ne_bytes();
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    for chunk in out[start..].chunks_mut(4) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

/// Appends a whole message as one frame, bare as a server writes it.
pub fn write_bare(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    write_head(opcode, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

fn write_head(opcode: Opcode, length: usize, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode.bits());
    match length {
        0..=125 => out.push(mask_bit | length as u8),
        126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// The code and reason of a close frame's payload; 1005 is "none given".
pub fn close(payload: &[u8]) -> (u16, String) {
    match payload.split_first_chunk() {
        Some((code, reason)) => {
            (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
        }
        None => (1005, String::new()),
    }
}

/// What a client's frames hold: the other end of [`write_masked`], for servers that stand in for one in a test.
#[cfg(test)]
pub fn unmask(bytes: &[u8]) -> Option<(Opcode, Vec<u8>, usize)> {
    let mut bare = bytes.to_vec();
    *bare.get_mut(1)? &= 0x7f;
    let header = match bare[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    if bare.len() < header + 4 {
        return None;
    }
    let mask: Vec<u8> = bare.drain(header..header + 4).collect();
    let frame = first(&bare).ok()??;
    let payload = frame.payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
    Some((frame.opcode, payload, frame.length + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 100_000];

    #[test]
    fn frames_of_every_length_class_read_back() {
        for size in SIZES {
            let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let mut bytes = Vec::new();
            write_bare(Opcode::Text, &payload, &mut bytes);
            let length = bytes.len();
            bytes.extend_from_slice(b"next");
            let frame = first(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.last, frame.length), (Opcode::Text, true, length));
            assert!(frame.payload == payload);
        }
    }

    #[test]
    fn what_a_client_writes_is_masked_and_unmasks_to_the_same() {
        for size in SIZES {
            let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let mut bytes = Vec::new();
            write_masked(Opcode::Binary, &payload, 0x1234_5678, &mut bytes);
            assert_eq!(first(&bytes), Err(NotAFrame("masked, which only a client's frames are")));
            let (opcode, back, length) = unmask(&bytes).unwrap();
            assert_eq!((opcode, length), (Opcode::Binary, bytes.len()));
            assert!(back == payload);
        }
    }

    #[test]
    fn a_frame_that_is_not_yet_whole_is_waited_for() {
        for size in SIZES {
            let mut bytes = Vec::new();
            write_bare(Opcode::Text, &vec![7; size], &mut bytes);
            for cut in [0, 1, 2, 3, 9, bytes.len() - 1] {
                if cut < bytes.len() {
                    assert_eq!(first(&bytes[..cut]), Ok(None), "{cut} of {size}");
                }
            }
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bytes in [&[0xc1, 0][..], &[0x83, 0], &[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(first(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_close_frame_says_its_code_and_reason() {
        assert_eq!(close(b"\x0b\xc0slow"), (3008, "slow".into()));
        assert_eq!(close(b""), (1005, String::new()));
    }
}
