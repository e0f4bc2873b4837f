//! What a call asks of the world and tells it: sends, asks, counters. The door lends these types on.

use std::sync::Arc;

use crate::call::facts::CallFacts;
use crate::call::instructions::Document;
use crate::call::outcome::{CallStatus, DialOutcome};
use crate::flow::Destination;
use crate::ids::{AccountSid, CallSid, TrunkSid};
use crate::reason::Reason;
use crate::routing::model::Hook;
use crate::time::Instant;
use crate::transport::next_hop::Unresolved;

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
    /// Where a name leads (RFC 3263).
    Resolve(Unresolved),
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
    /// A MESSAGE with this text: `facts.profile.sms`, then `sms_fallback`; or the document that
    /// its document redirects to.
    Message(Arc<str>, Option<Hook>),
    /// A Dial's `action`.
    Action(Hook, Box<DialOutcome>),
    /// REFER: what the transferee shall be connected to.
    Refer(Hook, Box<Referral>),
}

/// Who is transferred, by whom and whither, as the refer application reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// `ReferTarget`: the user of Refer-To.
    pub target: Arc<str>,
    /// `Transferor`: the user of the REFER's Contact, else of its From.
    pub transferor: Arc<str>,
    /// `Transferee`: the user of the REFER's To.
    pub transferee: Arc<str>,
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
    /// Where the name leads, in order of preference.
    Addresses(Vec<Destination>),
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
    /// A request of a source without a trunk was refused, with or without an answer.
    Stranger,
    /// The same, and it calls itself a scanner.
    Scanner,
    /// An answer to a source without a trunk was larger than its request, and stayed here.
    Withheld,
    /// A request proved by digest to come from its trunk.
    Proved,
    /// A retransmission absorbed.
    Retransmission,
    /// A new INVITE was refused.
    Refused(Reason),
    /// A new INVITE of this trunk, or of none, was refused because this node has more to do than it can.
    Shed(Option<TrunkSid>),
    /// A new INVITE was dropped because it had waited so long that its sender had sent it again.
    Stale,
    /// A target of a document was not dialled, as its account may not.
    DialRefused {
        /// Whose.
        account: AccountSid,
        /// In which call.
        call: CallSid,
        /// Why.
        reason: Reason,
    },
    /// A call ended.
    Ended(Reason),
    /// A panic inside one call was caught.
    Panic,
}
