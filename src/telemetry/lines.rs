//! A call's trace as it is kept while the call lives: some thirty bytes a message, where a line that is
//! ready to be read has a hundred. It is unpacked where it is read.

use crate::call::ask::AskId;
use crate::call::trace::{Short, TraceItem};
use crate::ids::CallSid;
use crate::reason::Reason;
use crate::time::Instant;

use super::calls::TraceLine;

/// It grows by so much: a usual call needs one such step for each side.
const STEP: usize = 256;

/// Lines of a trace, packed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    packed: Vec<u8>,
    count: usize,
}

/// What a line is.
mod kind {
    pub const RECEIVED: u8 = 0;
    pub const SENT: u8 = 1;
    pub const RECEIVED_OF_LEG: u8 = 2;
    pub const SENT_OF_LEG: u8 = 3;
    pub const ROUTED: u8 = 4;
    pub const ASKED: u8 = 5;
    pub const ANSWERED: u8 = 6;
    pub const REFUSED: u8 = 7;
    pub const RECOVERED: u8 = 8;
    pub const NOTE: u8 = 9;
}

impl Lines {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// One more.
    pub fn push(&mut self, at: Instant, item: &TraceItem) {
        self.count += 1;
        match item {
            TraceItem::Message { leg, inbound, start, cseq, repeat } => {
                let kind = match (leg, inbound) {
                    (None, true) => kind::RECEIVED,
                    (None, false) => kind::SENT,
                    (Some(_), true) => kind::RECEIVED_OF_LEG,
                    (Some(_), false) => kind::SENT_OF_LEG,
                };
                self.begin(kind, at, 16 + 2 + 2 + start.len() + 2 + cseq.len());
                if let Some(leg) = leg {
                    self.packed.extend_from_slice(&leg.0.to_le_bytes());
                }
                self.packed.extend_from_slice(&repeat.to_le_bytes());
                self.text(start);
                self.text(cseq);
            }
            TraceItem::Routed(how) => self.words(kind::ROUTED, at, None, how),
            TraceItem::Asked(ask, what) => self.words(kind::ASKED, at, Some(*ask), what),
            TraceItem::Answered(ask, what) => self.words(kind::ANSWERED, at, Some(*ask), what),
            TraceItem::Refused(reason, code) => {
                self.begin(kind::REFUSED, at, 2 + 2 + reason.code().len());
                self.packed.extend_from_slice(&code.to_le_bytes());
                self.text(reason.code());
            }
            TraceItem::Recovered => self.begin(kind::RECOVERED, at, 0),
            TraceItem::Note(note) => self.words(kind::NOTE, at, None, note),
        }
    }

    /// All of them, ready to be read.
    pub fn unpack(&self) -> Vec<TraceLine> {
        let mut reader = Reader(&self.packed);
        let mut lines = Vec::with_capacity(self.count);
        lines.extend(std::iter::from_fn(|| reader.line()));
        lines
    }

    fn words(&mut self, kind: u8, at: Instant, ask: Option<AskId>, text: &str) {
        self.begin(kind, at, 8 + 2 + text.len());
        if let Some(ask) = ask {
            self.packed.extend_from_slice(&ask.0.to_le_bytes());
        }
        self.text(text);
    }

    fn begin(&mut self, kind: u8, at: Instant, more: usize) {
        let needed = 1 + 8 + more;
        if self.packed.capacity() - self.packed.len() < needed {
            self.packed.reserve_exact(needed.max(STEP).max(self.packed.len() / 2));
        }
        self.packed.push(kind);
        self.packed.extend_from_slice(&at.as_nanos().to_le_bytes());
    }

    /// Cut at 64 KiB.
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        let length = u16::try_from(text.len()).expect("cut above");
        self.packed.extend_from_slice(&length.to_le_bytes());
        self.packed.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<TraceLine> {
        let [kind] = self.array()?;
        let at = Instant::from_nanos(u64::from_le_bytes(self.array()?));
        let item = match kind {
            kind::RECEIVED => self.message(false, true)?,
            kind::SENT => self.message(false, false)?,
            kind::RECEIVED_OF_LEG => self.message(true, true)?,
            kind::SENT_OF_LEG => self.message(true, false)?,
            kind::ROUTED => TraceItem::Routed(self.text()?.into()),
            kind::ASKED => TraceItem::Asked(self.ask()?, self.text()?.into()),
            kind::ANSWERED => TraceItem::Answered(self.ask()?, self.text()?.into()),
            kind::REFUSED => {
                let code = u16::from_le_bytes(self.array()?);
                TraceItem::Refused(Reason::from_code(self.text()?)?, code)
            }
            kind::RECOVERED => TraceItem::Recovered,
            _ => TraceItem::Note(self.text()?.into()),
        };
        Some(TraceLine { at, item })
    }

    fn message(&mut self, of_leg: bool, inbound: bool) -> Option<TraceItem> {
        let leg = if of_leg { Some(CallSid(u128::from_le_bytes(self.array()?))) } else { None };
        let repeat = u16::from_le_bytes(self.array()?);
        let (start, cseq) = (Short::of(self.text()?.as_bytes()), Short::of(self.text()?.as_bytes()));
        Some(TraceItem::Message { leg, inbound, start, cseq, repeat })
    }

    fn ask(&mut self) -> Option<AskId> {
        Some(AskId(u64::from_le_bytes(self.array()?)))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(self.array()?);
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let message = |leg, inbound, repeat| TraceItem::Message {
            leg,
            inbound,
            start: Short::of(b"180 Ringing"),
            cseq: Short::of(b"1 INVITE"),
            repeat,
        };
        let leg = Some(CallSid(u128::MAX - 3));
        let items = [
            message(None, true, 0),
            message(None, false, 7),
            message(leg, true, 0),
            message(leg, false, u16::MAX),
            TraceItem::Routed("exact".into()),
            TraceItem::Asked(AskId(9), "https://app.example/voice".into()),
            TraceItem::Answered(AskId(9), "Dial".into()),
            TraceItem::Refused(Reason::Internal, 500),
            TraceItem::Recovered,
            TraceItem::Note("ä".repeat(500).into()),
        ];
        let at = |nth: usize| Instant::from_millis(1_000 + nth as u64);
        let mut lines = Lines::default();
        items.iter().enumerate().for_each(|(nth, item)| lines.push(at(nth), item));
        let expected = items.into_iter().enumerate().map(|(nth, item)| TraceLine { at: at(nth), item });
        assert_eq!(lines.unpack(), expected.collect::<Vec<_>>());
        assert_eq!(lines.len(), 10);
        let mut long = Lines::default();
        long.push(at(0), &TraceItem::Note("ä".repeat(40_000).into()));
        long.push(at(1), &TraceItem::Recovered);
        assert_eq!(long.unpack().len(), 2, "the text is cut, and no line lost");
    }
}
