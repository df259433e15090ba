//! Finds what two payloads have in common.

use bytes::Bytes;

use super::{DIGITS, checksum};

/// Length of the blocks of the source that are looked for in the target. Shorter matches stay unseen.
const BLOCK: usize = 16;

/// How many blocks with the same hash are compared before the best so far is taken.
const CANDIDATES: usize = 16;

/// Multiplier of the rolling hash; any odd number that spreads bytes over 32 bits does.
const MULTIPLIER: u32 = 0x9e37_79b1;

/// The delta that turns `from` into `to`, in the format of Fossil SCM; none if it would not be smaller than `to`.
///
/// If both are UTF-8, the delta is. Takes time and memory in proportion to the two lengths.
pub fn fossil(from: &[u8], to: &[u8]) -> Option<Bytes> {
    u32::try_from(from.len()).ok()?;
    u32::try_from(to.len()).ok()?;
    if from.len() < BLOCK || to.len() < BLOCK {
        return None;
    }
    let index = Index::new(from);
    let mut delta = Delta { out: Vec::with_capacity(to.len()), to, told: 0 };
    delta.number(to.len() as u32, b'\n');
    let mut at = 0;
    let mut hash = None;
    while at + BLOCK <= to.len() {
        let current = hash.unwrap_or_else(|| hash_of(&to[at..at + BLOCK]));
        match index.longest(to, delta.told, at, current).filter(Copy::pays) {
            Some(copy) => {
                at = copy.start + copy.length;
                hash = None;
                delta.copy(copy);
            }
            None => {
                hash = to.get(at + BLOCK).map(|next| roll(current, to[at], *next));
                at += 1;
            }
        }
        if delta.out.len() >= to.len() {
            return None;
        }
    }
    delta.insert_until(to.len());
    delta.number(checksum(to), b';');
    (delta.out.len() < to.len()).then(|| delta.out.into())
}

/// Part of the target that is in the source too.
struct Copy {
    /// Where it begins in the target.
    start: usize,
    /// Where it begins in the source.
    offset: usize,
    length: usize,
}

impl Copy {
    /// Whether to write the copy is shorter than to write its bytes, with the insert that it parts in two.
    fn pays(&self) -> bool {
        let written = digits(self.length as u32) + digits(self.offset as u32) + 2;
        self.length > written + digits(self.start as u32) + 1
    }
}

/// Every [`BLOCK`]th block of the source, chained by hash.
struct Index<'f> {
    from: &'f [u8],
    /// The last block of each hash; [`NONE`] for none.
    heads: Vec<u32>,
    /// For each block the one before it with the same hash.
    earlier: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<'f> Index<'f> {
    fn new(from: &'f [u8]) -> Self {
        let count = from.len() / BLOCK;
        let mut heads = vec![NONE; count.next_power_of_two()];
        let mut earlier = Vec::with_capacity(count);
        for (number, block) in from.chunks_exact(BLOCK).enumerate() {
            let slot = slot(hash_of(block), heads.len());
            earlier.push(std::mem::replace(&mut heads[slot], number as u32));
        }
        Self { from, heads, earlier }
    }

    /// The longest copy around the block of `to` at `at`, which may reach back to `told`.
    fn longest(&self, to: &[u8], told: usize, at: usize, hash: u32) -> Option<Copy> {
        let mut block = self.heads[slot(hash, self.heads.len())];
        let mut best: Option<Copy> = None;
        for _ in 0..CANDIDATES {
            if block == NONE {
                break;
            }
            let offset = block as usize * BLOCK;
            let after = common(self.from[offset..].iter(), to[at..].iter());
            if after >= BLOCK {
                let before = common(self.from[..offset].iter().rev(), to[told..at].iter().rev());
                let (start, offset, length) = (at - before, offset - before, before + after);
                let copy = whole_letters(to, Copy { start, offset, length });
                if best.as_ref().is_none_or(|best| copy.length > best.length) {
                    best = Some(copy);
                }
            }
            block = self.earlier[block as usize];
        }
        best
    }
}

/// How many items both begin with.
fn common<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).count()
}

/// Shortens a copy until it begins and ends between letters of UTF-8. In other bytes it costs at most 6 of them.
fn whole_letters(to: &[u8], copy: Copy) -> Copy {
    let inside = |at: usize| to.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = copy.start + copy.length;
    let skip = (0..3).take_while(|skip| inside(copy.start + skip)).count();
    let drop = (0..3).take_while(|drop| inside(end - drop)).count();
    Copy { start: copy.start + skip, offset: copy.offset + skip, length: copy.length - skip - drop }
}

/// A delta that is being written.
struct Delta<'t> {
    out: Vec<u8>,
    to: &'t [u8],
    /// How much of the target is told.
    told: usize,
}

impl Delta<'_> {
    fn copy(&mut self, copy: Copy) {
        self.insert_until(copy.start);
        self.number(copy.length as u32, b'@');
        self.number(copy.offset as u32, b',');
        self.told = copy.start + copy.length;
    }

    fn insert_until(&mut self, end: usize) {
        let bytes = &self.to[self.told..end];
        if !bytes.is_empty() {
            self.number(bytes.len() as u32, b':');
            self.out.extend_from_slice(bytes);
            self.told = end;
        }
    }

    fn number(&mut self, value: u32, mark: u8) {
        let digit = |place: usize| DIGITS[((value >> (6 * place)) & 63) as usize];
        self.out.extend((0..digits(value)).rev().map(digit));
        self.out.push(mark);
    }
}

/// How many digits a number takes in base 64.
fn digits(value: u32) -> usize {
    (32 - (value | 1).leading_zeros()).div_ceil(6) as usize
}

fn hash_of(block: &[u8]) -> u32 {
    block
        .iter()
        .fold(0, |hash: u32, byte| hash.wrapping_mul(MULTIPLIER).wrapping_add(u32::from(*byte)))
}

/// The hash of the block one byte further: without `first`, with `next`.
fn roll(hash: u32, first: u8, next: u8) -> u32 {
    const LEAVING: u32 = MULTIPLIER.wrapping_pow(BLOCK as u32);
    hash.wrapping_mul(MULTIPLIER)
        .wrapping_sub(u32::from(first).wrapping_mul(LEAVING))
        .wrapping_add(u32::from(next))
}

/// `slots` is a power of two; the upper bits of a product are the well mixed ones.
fn slot(hash: u32, slots: usize) -> usize {
    ((u64::from(hash.wrapping_mul(MULTIPLIER)) * slots as u64) >> 32) as usize
}
