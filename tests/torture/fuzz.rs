//! Entry points for a fuzzer, as plain functions of bytes, replayed here on mutations of the corpus.

use callgate::sip::{
    Elements, Frame, Framer, Kept, Message, NameAddr, Params, Uri, Via, Writer, unfold, unquote,
};

use crate::corpus;

/// Scans anything and looks at every part of what comes out; nothing may panic, and what is read
/// must lie in the input.
pub fn scan(data: &[u8]) {
    match Message::scan(data) {
        Ok(message) => look(&message),
        Err(error) => {
            if let Some(answerable) = error.answerable() {
                let mut out = Vec::new();
                answerable.write(&mut out, error.fault(), b"t", None);
                assert!(out.ends_with(b"\r\n\r\n"));
            }
        }
    }
}

fn look(message: &Message<'_>) {
    let kept = Kept::new(message);
    let again = Message::scan(message.bytes()).expect("a sound message stays one");
    for message in [message, &kept.message(), &again] {
        let parts = (message.top_via(), message.from(), message.to(), message.cseq(), message.max_forwards());
        assert_eq!(parts, (again.top_via(), again.from(), again.to(), again.cseq(), again.max_forwards()));
        for header in message.headers() {
            assert!(header.line.ends_with(b"\r\n"));
            assert!(!header.unfolded().contains(&b'\n'));
            for element in Elements::new(header.value) {
                address(element);
            }
        }
        assert!(message.contacts().count() + message.routes().count() + message.vias().count() > 0);
        let mut out = Vec::new();
        if message.is_request() {
            Writer::response(&mut out, message, 200, b"OK", Some(b"tag"), None).finish();
            let answer = Message::scan(&out).expect("the answer to a sound request is sound");
            assert_eq!(answer.cseq(), message.cseq());
            assert_eq!(answer.vias().count(), message.vias().count());
        }
    }
}

/// Reads anything as each kind of value.
pub fn address(data: &[u8]) {
    if let Some(address) = NameAddr::parse(data) {
        assert!(address.tag().is_none_or(|tag| tag.len() < data.len()));
        assert!(address.display_text().len() <= data.len());
    }
    if let Some(uri) = Uri::parse(data) {
        assert!(uri.decoded_user().len() <= data.len());
        assert!(uri.params.into_iter().count() <= data.len());
    }
    if let Some(via) = Via::parse(data) {
        assert!(!via.host.is_empty());
        assert_eq!(via.received().is_some(), via.params.has("received") && via.received().is_some());
    }
    assert!(Params::new(data).into_iter().all(|param| !param.name.is_empty()));
    assert!(unquote(data).len() <= data.len());
    assert!(unfold(data).len() <= data.len());
}

/// Frames a stream whole and in pieces; both must give the same.
pub fn frame(data: &[u8], cuts: &[usize]) {
    assert_eq!(frames(data, &[]), frames(data, cuts));
}

fn frames(data: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut framer = Framer::new();
    let mut seen = Vec::new();
    let mut from = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).chain([data.len()]).collect();
    cuts.sort_unstable();
    for cut in cuts {
        framer.push(&data[from..cut]);
        from = cut;
        loop {
            match framer.take() {
                Ok(Some(Frame::Message(bytes))) => seen.push(String::from_utf8_lossy(bytes).into_owned()),
                Ok(Some(Frame::Ping)) => seen.push("ping".to_owned()),
                Ok(None) => break,
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
        }
    }
    seen
}

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
        scan(&bytes);
        address(&bytes[mutator.next(bytes.len())..]);
        let cuts: Vec<usize> = (0..mutator.next(6)).map(|_| mutator.next(bytes.len() + 1)).collect();
        frame(&bytes, &cuts);
    }
}
