//! A call's trace as it is kept while the call lives: some twenty-five bytes a message, where a line that is
//! ready to be read has a hundred. It is unpacked where it is read.
//!
//! The first line's moment stands whole in front; each line has the time since. A leg is named where it is not the
//! one named last. Numbers take seven bits a byte, as most are small.

use crate::call::ask::AskId;
use crate::call::trace::{Short, TraceItem};
use crate::ids::CallSid;
use crate::reason::Reason;
use crate::time::Instant;
use crate::varint;

use super::calls::TraceLine;

/// It grows by so much: a usual call needs three such steps.
const STEP: usize = 128;

/// Lines of a trace, packed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    packed: Vec<u8>,
    count: u32,
    /// Where the leg stands that was named last; 0: none was.
    leg: u32,
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
    /// With it, the leg is the one named last.
    pub const SAME_LEG: u8 = 0x80;
}

impl Lines {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count as usize
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
                let is_same = leg.is_some_and(|leg| self.named_last() == Some(leg));
                let same = if is_same { kind::SAME_LEG } else { 0 };
                self.begin(kind | same, at, 16 + 3 + 2 + start.len() + 2 + cseq.len());
                if let Some(leg) = leg.filter(|_| !is_same) {
                    self.leg = u32::try_from(self.packed.len()).unwrap_or_default();
                    self.packed.extend_from_slice(&leg.0.to_le_bytes());
                }
                varint::put(&mut self.packed, (*repeat).into());
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
        let mut lines = Vec::with_capacity(self.len());
        if let Some((first, rest)) = self.packed.split_first_chunk() {
            let mut reader = Reader { rest, first: u64::from_le_bytes(*first), leg: None };
            lines.extend(std::iter::from_fn(|| reader.line()));
        }
        lines
    }

    fn named_last(&self) -> Option<CallSid> {
        let at = usize::try_from(self.leg).ok().filter(|at| *at > 0)?;
        self.packed.get(at..)?.first_chunk().map(|leg| CallSid(u128::from_le_bytes(*leg)))
    }

    fn words(&mut self, kind: u8, at: Instant, ask: Option<AskId>, text: &str) {
        self.begin(kind, at, 8 + 2 + text.len());
        if let Some(ask) = ask {
            self.packed.extend_from_slice(&ask.0.to_le_bytes());
        }
        self.text(text);
    }

    fn begin(&mut self, kind: u8, at: Instant, more: usize) {
        let needed = 8 + 1 + 10 + more;
        if self.packed.capacity() - self.packed.len() < needed {
            self.packed.reserve_exact(needed.max(STEP).max(self.packed.len() / 2));
        }
        let at = at.as_nanos();
        if self.packed.is_empty() {
            self.packed.extend_from_slice(&at.to_le_bytes());
        }
        let first = self.packed.first_chunk().map_or(at, |first| u64::from_le_bytes(*first));
        self.packed.push(kind);
        varint::put(&mut self.packed, at.wrapping_sub(first));
    }

    /// Cut at 64 KiB.
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        varint::put(&mut self.packed, text.len() as u64);
        self.packed.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// When the first line was.
    first: u64,
    /// The leg named last.
    leg: Option<CallSid>,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<TraceLine> {
        let [kind] = self.array()?;
        let at = Instant::from_nanos(self.first.wrapping_add(varint::take(&mut self.rest)?));
        let is_same = kind & kind::SAME_LEG != 0;
        let item = match kind & !kind::SAME_LEG {
            kind::RECEIVED => self.message(None, true)?,
            kind::SENT => self.message(None, false)?,
            kind::RECEIVED_OF_LEG => self.message_of_leg(is_same, true)?,
            kind::SENT_OF_LEG => self.message_of_leg(is_same, false)?,
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

    fn message_of_leg(&mut self, is_same: bool, inbound: bool) -> Option<TraceItem> {
        if !is_same {
            self.leg = Some(CallSid(u128::from_le_bytes(self.array()?)));
        }
        self.message(self.leg, inbound)
    }

    fn message(&mut self, leg: Option<CallSid>, inbound: bool) -> Option<TraceItem> {
        let repeat = u16::try_from(varint::take(&mut self.rest)?).ok()?;
        let (start, cseq) = (Short::of(self.text()?.as_bytes()), Short::of(self.text()?.as_bytes()));
        Some(TraceItem::Message { leg, inbound, start, cseq, repeat })
    }

    fn ask(&mut self) -> Option<AskId> {
        Some(AskId(u64::from_le_bytes(self.array()?)))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(varint::take(&mut self.rest)?).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(text).ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
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
            message(Some(CallSid(5)), false, 0),
            message(None, true, 0),
            message(leg, true, 0),
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
        assert_eq!(lines.len(), 13);
        let mut long = Lines::default();
        long.push(at(0), &TraceItem::Note("ä".repeat(40_000).into()));
        long.push(at(1), &TraceItem::Recovered);
        assert_eq!(long.unpack().len(), 2, "the text is cut, and no line lost");
    }
}
