//! What the journal keeps of a call: enough to tell its applications its end, and to route its
//! dialogs or end it properly, after `kill -9`.
//!
//! The engine emits records in order; `seq` counts per call from 0 without gap. A record that an
//! application is to hear of carries its event, so that state and delivery are one write.

use std::sync::Arc;
use std::time::Duration;

use crate::call::facts::CallFacts;
use crate::call::instructions::NounCallback;
use crate::call::outcome::{CallStatus, DialOutcome, Terminal};
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::ids::{CallSid, GatewaySid};
use crate::routing::model::Hook;
use crate::time::Instant;

/// How much higher the CSeq numbers of our side go on after a restart: they are not journaled per
/// request, and must not be below one that was used (RFC 3261 12.2.1.1).
pub const CSEQ_STEP: u32 = 1_000;

/// One state change of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub call: CallSid,
    /// Counts per call from 0 without gap.
    pub seq: u32,
    /// When, on the engine's scale; the journal writes wall time.
    pub at: Instant,
    /// What changed.
    pub change: Change,
    /// What the number's status callback is to hear, where it has one.
    pub event: Option<Event>,
}

/// One report for the number's status callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// `SequenceNumber`: counts the events of the call from 0 without gap.
    pub sequence: u32,
    /// `CallStatus`.
    pub status: CallStatus,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Admitted; written before the webhook is asked. Room for every later record of the call is
    /// reserved with it.
    Admitted {
        /// The constants.
        facts: Arc<CallFacts>,
        /// What a final response to the caller needs.
        caller: Box<CallerSide>,
    },
    /// The first 180 left.
    Ringing,
    /// An INVITE left toward a target. The same leg again: it went another way (over UDP, where its
    /// large INVITE found no TCP), and the last one counts.
    Invited(Box<InvitedLeg>),
    /// A leg ended: without an answer, or as somebody took its place by transfer (200).
    LegEnded {
        /// The leg.
        leg: CallSid,
        /// Its final response or what stood for it.
        sip_code: u16,
    },
    /// Our 2xx to the caller left.
    Answered {
        /// The target's leg.
        leg: CallSid,
        /// The caller's dialog.
        caller: Box<DialogState>,
        /// The winning target's dialog.
        target: Box<DialogState>,
        /// Our 2xx as it left, until it is ACKed.
        response: Arc<[u8]>,
        /// What is left of its Dial.
        dial: Box<DialLeft>,
    },
    /// The caller's ACK came: no 2xx is outstanding.
    Acked,
    /// A dialog's remote target, route set or flow changed (re-INVITE, UPDATE).
    DialogChanged {
        /// True: the caller's; false: the target's.
        caller: bool,
        /// How it is now.
        dialog: Box<DialogState>,
    },
    /// A transfer brought another leg into the call, at the caller's place or the target's.
    Transferred {
        /// The leg that came.
        leg: CallSid,
        /// True: at the caller's place; false: at the target's.
        caller: bool,
        /// Its dialog.
        joined: Box<DialogState>,
        /// The dialog of the side that stayed.
        stayed: Box<DialogState>,
        /// What is left of its Dial.
        dial: Box<DialLeft>,
    },
    /// A target's leg whose noun has a status callback came this far.
    Leg(Box<LegEvent>),
    /// A new process took the answered call over: its CSeq numbers on both sides go on
    /// [`CSEQ_STEP`] higher.
    Recovered,
    /// A Dial is over.
    Dialled(Box<DialOutcome>),
    /// Nothing follows; the event with it is terminal.
    Ended(Terminal),
}

/// The caller's INVITE as far as answering it after a restart needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerSide {
    /// Header lines of the response, CRLF-terminated: Via (with received and rport), From, To with
    /// our tag, Call-ID, CSeq, Record-Route.
    pub response_headers: Arc<[u8]>,
    /// Where responses go.
    pub flow: Flow,
}

/// An INVITE toward a target as far as cancelling it, or acknowledging its answer, needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitedLeg {
    /// The leg.
    pub leg: CallSid,
    /// `From` and `To` of the leg, as applications read them.
    pub parties: (Arc<str>, Arc<str>),
    /// The INVITE's Request-URI.
    pub request_uri: Arc<[u8]>,
    /// Header lines that CANCEL repeats: our Via, From, To without tag, Call-ID, CSeq, Route.
    pub headers: Arc<[u8]>,
    /// Where it went.
    pub flow: Flow,
    /// The same leg was invited before.
    pub again: bool,
    /// The gateway it goes through: what it is trusted with, and its header rules, hold in its dialogs.
    pub gateway: Option<GatewaySid>,
    /// How many legs may be invited beside it before its Dial, or its transfer, is over: other nouns,
    /// addresses, gateways. Room for their records is kept from here on.
    pub ahead: u16,
}

/// What an answered Dial still does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialLeft {
    /// The longest the call may last from its answer on.
    pub time_limit: Duration,
    /// Who is asked when it is over.
    pub action: Option<Hook>,
    /// How long it rang; zero: it did not.
    pub rang_for: Duration,
}

/// One report for a noun's status callback. It stands for itself, so that whoever reads it needs
/// nothing that was written before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegEvent {
    /// Whose, and who is told.
    pub leg: Arc<LegFacts>,
    /// `initiated`, `ringing`, `answered` or `completed`.
    pub status: CallStatus,
    /// With `completed`: the leg's final response or what stood for it.
    pub sip_code: u16,
    /// With `completed`: from answer to BYE; zero when unanswered.
    pub duration: Duration,
}

impl LegEvent {
    /// `SequenceNumber`: fixed by the event, so that gaps appear where one is not wanted.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        match self.status {
            CallStatus::Initiated => 0,
            CallStatus::Ringing => 1,
            CallStatus::Answered => 2,
            _ => 3,
        }
    }

    /// Whether the noun's `statusCallbackEvent` lists it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.leg.callback.events & (1 << self.sequence()) != 0
    }
}

/// What stays the same about a leg whose noun has a status callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegFacts {
    /// `CallSid` of the leg.
    pub leg: CallSid,
    /// `From`: the caller id that the target is shown.
    pub from: Arc<str>,
    /// `To`: the noun's text.
    pub to: Arc<str>,
    /// Who is told, and of what.
    pub callback: Arc<NounCallback>,
}

/// One side's dialog (RFC 3261 12) as far as routing its requests after a restart needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogState {
    /// Call-ID.
    pub call_id: Arc<[u8]>,
    /// Our tag.
    pub local_tag: Arc<[u8]>,
    /// The peer's tag.
    pub remote_tag: Arc<[u8]>,
    /// Our From or To as written, the tag included.
    pub local: Arc<[u8]>,
    /// The peer's.
    pub remote: Arc<[u8]>,
    /// The peer's Contact URI.
    pub target: Arc<[u8]>,
    /// The route set in the order it is written into Route; empty: none.
    pub routes: Vec<Arc<[u8]>>,
    /// The flow requests take: the source flow under `nat`, else what the next hop resolved to.
    pub flow: Flow,
    /// Our last CSeq number.
    pub local_cseq: u32,
    /// The peer's last CSeq number, 0: none yet.
    pub remote_cseq: u32,
    /// Session interval in seconds, 0: none.
    pub session_interval: u32,
}

impl Record {
    /// The noun's event in it, where its callback wants that one.
    #[must_use]
    pub fn leg_event(&self) -> Option<&LegEvent> {
        match &self.change {
            Change::Leg(event) if event.is_wanted() => Some(event),
            _ => None,
        }
    }
}

impl DialogState {
    /// What is to be kept of a dialog.
    #[must_use]
    pub fn of(dialog: &Dialog, session_interval: u32) -> Self {
        Self {
            call_id: Arc::clone(&dialog.call_id),
            local_tag: Arc::clone(&dialog.local_tag),
            remote_tag: Arc::clone(&dialog.remote_tag),
            local: Arc::clone(&dialog.local),
            remote: Arc::clone(&dialog.remote),
            target: Arc::clone(&dialog.target),
            routes: dialog.routes.clone(),
            flow: dialog.flow,
            local_cseq: dialog.local_cseq,
            remote_cseq: dialog.remote_cseq.unwrap_or(0),
            session_interval,
        }
    }

    /// The dialog as it was kept.
    #[must_use]
    pub fn to_dialog(&self) -> Dialog {
        Dialog {
            call_id: Arc::clone(&self.call_id),
            local_tag: Arc::clone(&self.local_tag),
            remote_tag: Arc::clone(&self.remote_tag),
            local: Arc::clone(&self.local),
            remote: Arc::clone(&self.remote),
            target: Arc::clone(&self.target),
            routes: self.routes.clone(),
            flow: self.flow,
            local_cseq: self.local_cseq,
            remote_cseq: (self.remote_cseq > 0).then_some(self.remote_cseq),
        }
    }
}
