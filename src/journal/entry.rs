//! What the journal keeps.

use std::sync::Arc;
use std::time::Duration;

use crate::call::record::Record;
use crate::ids::{AccountSid, CallSid};
use crate::journal::frame;
use crate::journal::wire::{In, Out, Wire};

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// One state change of a call, with the event it carries.
    Record(Record),
    /// What became of one try to deliver an event, or of the event.
    Outcome(Outcome),
    /// A URL whose receiver answered 410 gets nothing more for this account.
    Disabled {
        /// The account.
        account: AccountSid,
        /// The URL as stored.
        url: Arc<str>,
    },
    /// It gets its events again.
    Enabled {
        /// The account.
        account: AccountSid,
        /// The URL as stored.
        url: Arc<str>,
    },
    /// A call's trace.
    Trace {
        /// Whose.
        call: CallSid,
        /// The wall time of its first line, in microseconds.
        at: u64,
        /// Its lines in order, each begun by the seconds since the first.
        text: Arc<str>,
    },
    /// Nothing of this call is needed any more. Written of a call whose records were written again
    /// when their first place was given up: those may outlast its end.
    Done {
        /// Which.
        call: CallSid,
    },
}

/// What became of one event of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whose.
    pub call: CallSid,
    /// The leg, of an event that a noun's callback hears.
    pub leg: Option<CallSid>,
    /// The event's `SequenceNumber`.
    pub sequence: u32,
    /// The try, counted from 1 over restarts; 0 where there was none.
    pub attempt: u32,
    /// How long the try took.
    pub took: Duration,
    /// The HTTP status, where one came.
    pub http_status: Option<u16>,
    /// What went wrong, in words; empty after a success.
    pub error: Arc<str>,
    /// How it goes on.
    pub fate: Fate,
}

/// How it goes on with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver took it.
    Delivered,
    /// The try failed; the next is due at this wall time in milliseconds, or not at all.
    Failed(Option<u64>),
    /// Given up: it held up a terminal event.
    Superseded,
    /// Given up: every try failed, the URL is disabled, or it cannot be requested.
    Dead(&'static str),
}

impl Fate {
    /// Whether nothing more is tried.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// Why events are given up, as `callback` words it; what an older file has beside these reads as
/// the first.
pub(super) const DEAD: [&str; 3] = ["exhausted", "disabled", "url_invalid"];

impl Entry {
    /// Whose it is, where it is one call's.
    #[must_use]
    pub const fn call(&self) -> Option<CallSid> {
        match self {
            Self::Record(record) => Some(record.call),
            Self::Outcome(outcome) => Some(outcome.call),
            Self::Trace { call, .. } | Self::Done { call } => Some(*call),
            Self::Disabled { .. } | Self::Enabled { .. } => None,
        }
    }

    /// As it stands in a frame; `origin` is the wall time, in microseconds, of the engine's zero.
    #[must_use]
    pub fn to_bytes(&self, origin: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut Out { bytes: &mut bytes, origin });
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for bytes that are no entry, or more than one.
    #[must_use]
    pub fn of_bytes(bytes: &[u8], origin: u64) -> Option<Self> {
        let mut from = In { bytes, origin };
        Self::get(&mut from).filter(|_| from.bytes.is_empty())
    }

    /// The entries that stand whole at the start of `bytes`, up to where a write was torn or another
    /// version wrote.
    #[must_use]
    pub fn all_of(mut bytes: &[u8], origin: u64) -> Vec<Self> {
        let mut entries = Vec::new();
        while let Some(frame) = frame::first(bytes) {
            let Some(framed) = frame::read(frame, origin) else { break };
            entries.push(framed.entry);
            bytes = &bytes[frame.len()..];
        }
        entries
    }
}
