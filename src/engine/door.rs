//! The one door of the core: what goes in, what comes out.
//!
//! `engine.handle(now, input)`, then `engine.poll()` until it says [`Output::Wait`]. Nothing else
//! mutates the engine. The webhook and DNS are peers exactly as trunks are: they answer late, twice
//! or never, and late answers are harmless.

use std::net::IpAddr;
use std::sync::Arc;

use crate::call::facts::CallFacts;
use crate::call::instructions::Document;
use crate::call::outcome::{CallStatus, DialOutcome};
use crate::call::record::Record;
use crate::call::trace::TraceItem;
use crate::flow::Flow;
use crate::ids::CallSid;
use crate::reason::Reason;
use crate::routing::Directory;
use crate::routing::model::Hook;
use crate::time::Instant;

/// What the world tells the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// One whole message: a datagram, or one frame of a stream.
    Received {
        /// What it came through.
        flow: Flow,
        /// Its bytes, lent for this call only.
        bytes: &'a [u8],
    },
    /// A stream connection is gone. Ends no call by itself.
    FlowClosed(Flow),
    /// What [`Output::Send`] asked for could not be sent (connect failed or took too long, ICMP).
    SendFailed(SendToken),
    /// The answer to an ask.
    Answered {
        /// Which ask.
        ask: AskId,
        /// What was learned.
        answer: Answer,
    },
    /// A new generation of the directory.
    Directory(Arc<Directory>),
    /// Somebody outside wants a call ended.
    Hangup {
        /// Which call.
        call: CallSid,
    },
    /// No new calls from here on (true), or again (false).
    Drain(bool),
    /// The journal can take no more (true), or can again (false): new INVITEs get 503 `journal_full`.
    JournalFull(bool),
    /// The moment [`Output::Wait`] named has come.
    Timeout,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Output<'e> {
    /// Send these bytes.
    Send {
        /// Through what.
        flow: Flow,
        /// One whole message, lent from the engine's print buffer until the next call into it.
        bytes: &'e [u8],
        /// Names this send in [`Input::SendFailed`].
        token: SendToken,
    },
    /// Ask this. Leaves only after every record polled before it is written.
    Ask(Box<Ask>),
    /// An ask whose answer is no longer wanted: end the HTTP request.
    Abort(AskId),
    /// One journal record, to be written in the order polled.
    Record(Box<Record>),
    /// One line of a call's trace. Never journaled, may be dropped.
    Trace {
        /// Whose.
        call: CallSid,
        /// When.
        at: Instant,
        /// What.
        item: TraceItem,
    },
    /// Something worth counting (`callgate_…_total` by name).
    Count(Counter),
    /// Nothing more until the given moment (`None`: until the next input).
    Wait(Option<Instant>),
}

/// Names one send, so that its failure finds its transaction. Zero: nobody waits for news of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SendToken(pub u64);

/// Names one ask for the life of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// A question with a deadline.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its name.
    pub id: AskId,
    /// The call it is for.
    pub call: CallSid,
    /// What is asked.
    pub question: Question,
    /// After this the engine goes on without an answer. Whoever answers a webhook question keeps
    /// its own budget inside this one, which is the hard limit.
    pub deadline: Instant,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// "What shall this call do?"
    Webhook(Box<WebhookQuestion>),
    /// The addresses of a host name (A and AAAA).
    Resolve {
        /// The name.
        host: Arc<str>,
    },
}

/// One question to an application; the webhook room signs it, guards it, falls back and reads the
/// document.
#[derive(Clone, Debug)]
pub struct WebhookQuestion {
    /// The parameters that stay the same for the call.
    pub facts: Arc<CallFacts>,
    /// Which URL, and why.
    pub purpose: Purpose,
    /// `CallStatus` now.
    pub status: CallStatus,
    /// The sid of the last B leg, where there is one (`OutboundCallSid`).
    pub outbound: Option<CallSid>,
}

/// Why an application is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new call: `facts.profile.voice`, then `voice_fallback`.
    Voice,
    /// `<Redirect>`.
    Redirect(Hook),
    /// A Dial's `action`.
    Action(Hook, Box<DialOutcome>),
}

/// What was learned.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The application's instructions.
    Document(Box<Document>),
    /// No URL gave a document, the fallback included.
    NoDocument {
        /// The reason code of the last failure.
        reason: Reason,
        /// The last HTTP status, where one came: 404 becomes 404 to the caller.
        http_status: Option<u16>,
    },
    /// Addresses of the name, in order of preference.
    Addresses(Vec<IpAddr>),
    /// The name has no address, or DNS did not answer.
    NoAddress,
}

/// Things the engine counts; `telemetry` owns the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// A message that could not be read nor answered.
    Unreadable,
    /// A response without a transaction.
    StrayResponse,
    /// A request from an unknown source.
    UnknownSource,
    /// A retransmission absorbed.
    Retransmission,
    /// A new INVITE was refused.
    Refused(Reason),
    /// A call ended.
    Ended(Reason),
    /// A panic inside one call was caught.
    Panic,
}
