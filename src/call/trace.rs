//! What a call's trace shows of the engine's side: the ladder of both legs and the decisions.

use std::sync::Arc;

use crate::call::ask::AskId;
use crate::ids::CallSid;
use crate::reason::Reason;

/// One line of a trace. Numbers in it are redacted where it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceItem {
    /// A message of one leg.
    Message {
        /// `None`: the caller's; `Some`: that B leg's.
        leg: Option<CallSid>,
        /// True: it came in; false: it left.
        inbound: bool,
        /// Its start: `INVITE`, `180 Ringing`.
        start: Short<39>,
        /// Its CSeq: `1 INVITE`.
        cseq: Short<22>,
        /// How many times it was repeated so far (0: the first).
        repeat: u16,
    },
    /// How the number was found: forms and patterns tried, in words.
    Routed(Arc<str>),
    /// An ask left.
    Asked(AskId, Arc<str>),
    /// Its answer came: the document's verbs, or the failure.
    Answered(AskId, Arc<str>),
    /// The call or a leg was refused.
    Refused(Reason, u16),
    /// An earlier process had the call: what it saw is in the journal only.
    Recovered,
    /// A remark in words.
    Note(Arc<str>),
}

/// A short text in its place: a message leaves two of them with nobody looking, most of the time.
/// What does not fit is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Short<N> {
    /// The text of `bytes`, cut to `N` octets; empty when they are no UTF-8 even so.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(N).min(usize::from(u8::MAX))];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.as_bytes(),
            Err(error) => &bytes[..error.valid_up_to()],
        };
        let mut short = Self { length: u8::try_from(text.len()).expect("cut above"), bytes: [0; N] };
        short.bytes[..text.len()].copy_from_slice(text);
        short
    }
}

impl<const N: usize> std::ops::Deref for Short<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl<const N: usize> std::fmt::Display for Short<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl<const N: usize> std::fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_cut_between_characters() {
        assert_eq!(&*Short::<8>::of(b"INVITE"), "INVITE");
        assert_eq!(&*Short::<8>::of("1234567ä".as_bytes()), "1234567");
        assert_eq!(&*Short::<8>::of(b"\xff"), "");
    }
}
