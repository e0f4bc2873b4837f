//! How calls and dials stand and end, in the words applications read.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::CallSid;
use crate::reason::Reason;

/// `CallStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallStatus {
    /// Not answered yet.
    Ringing,
    /// Answered.
    InProgress,
    /// Answered and over.
    Completed,
    /// 486, 600, 603.
    Busy,
    /// 408, 480, Dial timeout.
    NoAnswer,
    /// The caller's CANCEL.
    Canceled,
    /// The rest.
    Failed,
    /// Of a target's leg only: its INVITE left.
    Initiated,
    /// Of a target's leg only: its 2xx came.
    Answered,
}

impl CallStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Initiated => "initiated",
            Self::Answered => "answered",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Ringing | Self::InProgress | Self::Initiated | Self::Answered)
    }

    /// `CallbackEvent`: the document's three words.
    #[must_use]
    pub const fn callback_event(self) -> &'static str {
        match self {
            Self::Ringing => "RINGING",
            Self::InProgress => "IN_PROGRESS",
            _ => "COMPLETED",
        }
    }

    /// The terminal status of a call that was refused with `code`.
    #[must_use]
    pub const fn of_refusal(code: u16) -> Self {
        match code {
            300..=399 => Self::Completed,
            486 | 600 | 603 => Self::Busy,
            408 | 480 => Self::NoAnswer,
            487 => Self::Canceled,
            _ => Self::Failed,
        }
    }
}

/// `HangupSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HangupSource {
    /// The trunk's side.
    Caller,
    /// A target's side.
    Callee,
    /// The application's document, or the API.
    Application,
    /// callgate itself.
    Router,
}

impl HangupSource {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Application => "application",
            Self::Router => "router",
        }
    }
}

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// `CallStatus`.
    pub status: CallStatus,
    /// `SipResponseCode`: the final response the caller got.
    pub sip_code: u16,
    /// `ReasonCode`.
    pub reason: Reason,
    /// `HangupSource`.
    pub source: HangupSource,
    /// From answer to BYE; zero when unanswered. `CallDuration` rounds up to whole seconds.
    pub duration: Duration,
}

/// How one `<Dial>` ended, for its `action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialOutcome {
    /// `DialCallStatus`: completed, busy, no-answer, failed, canceled.
    pub status: CallStatus,
    /// `DialCallSid`: the B leg's, `None` (empty) without a leg.
    pub leg: Option<CallSid>,
    /// `DialCallDuration`, seconds rounded up on the wire.
    pub duration: Duration,
    /// `DialRingDuration`, seconds rounded up on the wire.
    pub ring_duration: Duration,
    /// `DialSipResponseCode`: the leg's final response.
    pub sip_code: Option<u16>,
    /// `DialSipCallId`: the leg's Call-ID.
    pub sip_call_id: Option<String>,
    /// `DialSipHeader_…`: the `X-` headers of the leg's final response, name as written, value unfolded.
    /// For the action alone: the journal does not keep them.
    pub sip_headers: Vec<(Arc<str>, Arc<str>)>,
}
