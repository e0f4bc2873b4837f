//! What becomes of a MESSAGE outside calls, for lists, logs and counters. Never journaled: its sender
//! keeps it until it was accepted.

use std::sync::Arc;

use crate::call::facts::CallFacts;
use crate::reason::Reason;

/// One step of it.
#[derive(Clone, Debug)]
pub enum MessageStep {
    /// It was admitted: its application is asked. `facts.call` is its `SmsSid`.
    Admitted(Arc<CallFacts>),
    /// Its sender heard this status, and why.
    Answered(u16, Option<Reason>),
    /// A MESSAGE of the application's document left.
    Sent,
    /// What became of such a one.
    Reply(ReplyEnd),
}

/// How a MESSAGE of an application's document ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// Its receiver took it (2xx) or refused it, with this status.
    Answered(u16),
    /// Nobody answered within Timer F.
    TimedOut,
    /// It could not be sent.
    NotSent,
}

impl ReplyEnd {
    /// `delivered`, `refused`, `timeout` or `unsent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered(200..=299) => "delivered",
            Self::Answered(_) => "refused",
            Self::TimedOut => "timeout",
            Self::NotSent => "unsent",
        }
    }
}
