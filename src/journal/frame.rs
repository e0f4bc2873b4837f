//! One entry in a file: its length, its CRC-32C, and what the CRC is of: flags, wall time, entry.
//!
//! A length of zero is where nothing was written yet; one that does not fit, or a CRC that does not
//! agree, is where a write was torn. Reading ends there either way, and never yields what was not
//! written whole.

use crc32c::crc32c;

use super::entry::Entry;
use super::wire::{In, Out, Wire};

/// The version of all that stands in a segment.
pub const VERSION: u8 = 7;

/// Before the payload: length and CRC.
pub(super) const HEAD: usize = 8;

/// The greatest payload; greater ones do not occur (a SIP message has 64 KiB at most).
const MAX: usize = 1 << 20;

/// The entry was written before and stands here again, because its first place was given up.
const CARRIED: u8 = 1;

/// An entry with what its frame says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Framed {
    pub entry: Entry,
    /// Wall time in microseconds.
    pub at: u64,
    pub carried: bool,
}

/// Appends the frame of `entry`, written at wall time `at` in microseconds.
pub(super) fn append(bytes: &mut Vec<u8>, entry: &Entry, at: u64, origin: u64) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.push(0);
    let mut out = Out { bytes, origin };
    at.put(&mut out);
    entry.put(&mut out);
    seal(bytes, start);
}

/// Appends a frame that stood elsewhere, marked as carried.
pub(super) fn carry(bytes: &mut Vec<u8>, frame: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(frame);
    bytes[start + HEAD] |= CARRIED;
    seal(bytes, start);
}

fn seal(bytes: &mut [u8], start: usize) {
    let payload = &bytes[start + HEAD..];
    let len = u32::try_from(payload.len()).expect("a record is far below 4 GiB");
    let crc = crc32c(payload);
    bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
    bytes[start + 4..start + HEAD].copy_from_slice(&crc.to_le_bytes());
}

/// The whole frame at the start of `bytes`; `None` where none was written whole.
pub(super) fn first(bytes: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let len = number(0)? as usize;
    if len == 0 || len > MAX {
        return None;
    }
    let frame = bytes.get(..HEAD + len)?;
    (crc32c(&frame[HEAD..]) == number(4)?).then_some(frame)
}

/// What a whole frame holds; `None`: another version wrote it.
pub(super) fn read(frame: &[u8], origin: u64) -> Option<Framed> {
    let (flags, bytes) = frame.get(HEAD..)?.split_first()?;
    let mut from = In { bytes, origin };
    let at = u64::get(&mut from)?;
    let entry = Entry::get(&mut from)?;
    from.bytes.is_empty().then_some(Framed { entry, at, carried: flags & CARRIED != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_castagnolis() {
        // The check value of CRC-32C, and RFC 3720 B.4: 32 bytes of zeros.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
