//! Real messages, damaged.

use crate::rng::Rng;

/// One to three changes: bytes, ranges, lines, digits.
pub fn mutate(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.between(1, 3) {
        if bytes.len() < 4 {
            return bytes;
        }
        let at = index(rng, bytes.len());
        match rng.below(9) {
            0 => bytes[at] = rng.below(256).to_be_bytes()[7],
            1 => bytes.truncate(at),
            2 => {
                let end = (at + index(rng, 40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let junk: Vec<u8> =
                    (0..rng.between(1, 20)).map(|_| rng.below(256).to_be_bytes()[7]).collect();
                bytes.splice(at..at, junk);
            }
            4 => digits(rng, &mut bytes),
            5 => {
                bytes = lines(rng, &bytes, |rng, lines, at| {
                    let other = index(rng, lines.len());
                    lines.swap(at, other);
                })
            }
            6 => bytes = lines(rng, &bytes, |_, lines, at| lines.insert(at, lines[at].clone())),
            7 => bytes = lines(rng, &bytes, |_, lines, at| drop(lines.remove(at))),
            _ => {
                let sign = rng.pick(b"\"<>;,:@ \t\r\n\0\\%[]()=");
                bytes[at] = sign;
            }
        }
    }
    bytes
}

fn index(rng: &mut Rng, below: usize) -> usize {
    usize::try_from(rng.below(below as u64)).expect("an index")
}

/// A number becomes another: a length, a code, a CSeq, a port.
fn digits(rng: &mut Rng, bytes: &mut [u8]) {
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
    if !found.is_empty() {
        bytes[found[index(rng, found.len())]] = rng.pick(b"0123456789");
    }
}

fn lines(rng: &mut Rng, bytes: &[u8], change: impl Fn(&mut Rng, &mut Vec<Vec<u8>>, usize)) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = index(rng, lines.len());
    change(rng, &mut lines, at);
    lines.join(&b'\n')
}
