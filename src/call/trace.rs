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
        start: Arc<str>,
        /// Its CSeq: `1 INVITE`.
        cseq: Arc<str>,
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
    /// A remark in words.
    Note(Arc<str>),
}
