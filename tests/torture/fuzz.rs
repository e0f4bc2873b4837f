//! The fuzz targets on a stable compiler: the kept corpus, and mutations of the torture messages.

use std::path::Path;

use crate::corpus;
use crate::doors;

/// A small generator of its own, so that a run can be repeated.
struct Mutator(u64);

impl Mutator {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % below.max(1)
    }

    /// Some octets replaced, cut out, doubled, or taken from another message.
    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const TRICKS: &[&[u8]] = &[
            b"\r\n", b"\n", b"\r", b"\0", b"\"", b"\\", b"<", b">", b",", b";", b":", b"@", b"[", b" ", b"%",
            b"=",
        ];
        for _ in 0..=self.next(4) {
            let at = self.next(bytes.len() + 1);
            match self.next(4) {
                0 => drop(bytes.splice(at..at, TRICKS[self.next(TRICKS.len())].iter().copied())),
                1 => drop(bytes.drain(at..(at + self.next(9)).min(bytes.len()))),
                2 => {
                    let from = self.next(other.len() + 1);
                    let to = (from + self.next(40)).min(other.len());
                    drop(bytes.splice(at..at, other[from..to].iter().copied()));
                }
                _ => {
                    let byte = u8::try_from(self.next(256)).unwrap_or(0);
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
    }
}

#[test]
fn mutations_of_the_corpus_do_no_harm() {
    let cases = corpus::all();
    let mut mutator = Mutator(0x5eed);
    for round in 0..8_000 {
        let mut bytes = cases[round % cases.len()].bytes.clone();
        let other = &cases[mutator.next(cases.len())].bytes;
        mutator.mutate(&mut bytes, other);
        doors::message(&bytes);
        doors::value(&bytes[mutator.next(bytes.len())..]);
        let cuts = (0..4).map(|_| u8::try_from(mutator.next(256)).unwrap_or(0));
        doors::frame(&[&cuts.collect::<Vec<_>>()[..], &bytes].concat());
    }
}

#[test]
fn any_events_do_no_harm() {
    let mut mutator = Mutator(0xca11);
    for _ in 0..300 {
        let length = mutator.next(400);
        let events: Vec<u8> = (0..length).map(|_| u8::try_from(mutator.next(256)).unwrap_or(0)).collect();
        if std::panic::catch_unwind(|| doors::events(&events)).is_err() {
            panic!("the events {events:?}");
        }
    }
}

#[test]
fn the_kept_corpus_does_no_harm() {
    for (name, target) in doors::ALL {
        let inputs = kept(&format!("{name}.hex")).expect("each target has a corpus");
        assert!(!inputs.is_empty(), "nothing is kept for `{name}`");
        for bytes in inputs.into_iter().chain(kept(&format!("{name}.found.hex")).unwrap_or_default()) {
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                panic!("the target `{name}` on {bytes:02x?}");
            }
        }
    }
}

/// The inputs of a file, one a line, in hexadecimal digits; what once broke something stands in `….found.hex`.
fn kept(file: &str) -> std::io::Result<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(file);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("two digits");
    let input = |line: &str| line.as_bytes().chunks(2).map(byte).collect();
    Ok(std::fs::read_to_string(path)?.lines().map(input).collect())
}
