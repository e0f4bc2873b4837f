//! A message that outlives the receive buffer.

use super::message::{Message, Meta, Span, Spans};

/// One exact-size copy of a message's bytes with its index; lends the same view that the scan gave.
#[derive(Clone)]
pub struct Kept {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
    meta: Meta,
}

impl Kept {
    /// Copies `message`.
    #[must_use]
    pub fn new(message: &Message<'_>) -> Self {
        Self { bytes: message.bytes.into(), spans: message.spans.as_slice().into(), meta: message.meta }
    }

    /// The view.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message { bytes: &self.bytes, meta: self.meta, spans: Spans::Lent(&self.spans) }
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Name;

    #[test]
    fn it_lends_the_same_view() {
        let text = b"BYE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n\
            To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 2 BYE\r\nl: 1\r\n\r\nxyz";
        let message = Message::scan(text).unwrap();
        let kept = Kept::new(&message);
        assert_eq!(kept.bytes(), message.bytes());
        assert_eq!(kept.message().body(), b"x");
        assert_eq!(kept.message().header(Name::To), message.header(Name::To));
        assert_eq!(kept.message().cseq(), message.cseq());
    }
}
