//! Bytes that are no sound message: what is wrong, and as much of a request as an answer needs.

use std::fmt;

use super::message::Message;
use super::method::Method;
use super::name::Name;
use super::print::{Stamp, Writer};
use super::scan::MAX_MESSAGE;
use super::via::Via;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// The response it calls for: 400, 505 or 513.
    pub status: u16,
    /// The header, or the part of the message.
    pub place: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Fault {
    /// A fault that calls for 400.
    pub(super) const fn bad(place: &'static str, what: &'static str) -> Self {
        Self { status: 400, place, what }
    }
}

/// Bytes that are no sound message.
#[derive(Clone)]
pub struct Malformed<'a> {
    fault: Fault,
    answerable: Option<Box<Answerable<'a>>>,
}

impl<'a> Malformed<'a> {
    pub(super) const fn unreadable(fault: Fault) -> Self {
        Self { fault, answerable: None }
    }

    /// `message` is not checked; it is kept where it is a request that may be answered.
    pub(super) fn with(fault: Fault, message: Message<'a>) -> Self {
        let answerable =
            message.method().is_some_and(|method| method != Method::Ack) && message.has(Name::Via);
        Self { fault, answerable: answerable.then(|| Box::new(Answerable { message })) }
    }

    /// What a stream broke off with for `fault`, as much of it as fits into a message.
    #[must_use]
    pub fn broken(bytes: &'a [u8], fault: Fault) -> Self {
        match Message::scan(&bytes[..bytes.len().min(MAX_MESSAGE)]) {
            Ok(message) => Self::with(fault, message),
            Err(malformed) => Self { fault, ..malformed },
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// The request as far as it can be answered; `None` for responses, ACKs and bytes without Via:
    /// those are dropped and counted.
    #[must_use]
    pub fn answerable(&self) -> Option<&Answerable<'a>> {
        self.answerable.as_deref()
    }
}

impl fmt::Debug for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malformed({}, answerable: {})", self.fault, self.answerable.is_some())
    }
}

impl fmt::Display for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for Malformed<'_> {}

/// A malformed request that can be answered.
#[derive(Clone)]
pub struct Answerable<'a> {
    message: Message<'a>,
}

impl<'a> Answerable<'a> {
    /// The top Via, where it can be read; without one the answer goes to the source.
    #[must_use]
    pub fn top_via(&self) -> Option<Via<'a>> {
        self.message.values(Name::Via).next().and_then(Via::parse)
    }

    /// Writes the answer into `out` (which is cleared): the fault's status, and in the reason phrase
    /// what is wrong; Via, From, To with `to_tag`, Call-ID and CSeq as far as they are there.
    pub fn write(&self, out: &mut Vec<u8>, fault: Fault, to_tag: &[u8], stamp: Option<Stamp>) {
        let mut reason = Vec::with_capacity(96);
        reason.extend_from_slice(match fault.status {
            505 => b"Version Not Supported",
            513 => b"Message Too Large",
            _ => b"Bad Request".as_slice(),
        });
        for piece in [" (", fault.place, ": ", fault.what, ")"] {
            reason.extend_from_slice(piece.as_bytes());
        }
        Writer::reply(out, &self.message, fault.status, &reason, Some(to_tag), stamp).finish();
    }
}
