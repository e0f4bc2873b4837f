//! What a call remembers. The rooms beside this one (`caller`, `dialling`, `target_side`, `relay`,
//! `ending`) are its behaviour, by the side that something comes from.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::call::ask::AskId;
use crate::call::auth::Auth;
use crate::call::desk::CallKey;
use crate::call::facts::CallFacts;
use crate::call::history::{self, Origin};
use crate::call::instructions::{Credentials, Dial, NounCallback};
use crate::call::mint::{Branch, Chain, Tag};
use crate::call::planning::Host;
use crate::call::program::{Failure, Program};
use crate::call::record::LegFacts;
use crate::call::reliable::{Reliable, Source};
use crate::call::session::Session;
use crate::call::target;
use crate::call::transfer::{Described, Transfer};
use crate::dialog::Dialog;
use crate::flow::{ConnectionId, Destination, Flow, Transport};
use crate::ids::{CallSid, GatewaySid, VirtualShard};
use crate::routing::model::{Follow, ForwardedAs, Gateway, HeaderRules, Trunk};
use crate::sip::Kept;
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transaction::table::TransactionId;
use crate::transport::next_hop::Unresolved;

/// One call: its A leg, its B legs, its document.
#[derive(Debug)]
pub struct Call {
    pub(super) key: CallKey,
    pub(super) shard: VirtualShard,
    pub(super) facts: Arc<CallFacts>,
    pub(super) trunk: Arc<Trunk>,
    /// What the Call-IDs of its B legs carry.
    pub(super) chain: Chain,
    /// The caller's INVITE; gone when the call is answered or over. What most calls do not have most of the time
    /// stands apart: a call that talks is as large as this is.
    pub(super) invite: Option<Box<Kept>>,
    pub(super) flow: Flow,
    /// The caller's INVITE transaction, until its final response.
    pub(super) server: Option<TransactionId>,
    /// Our To tag that no target's dialog stands behind: of the 180 at once, and of refusals.
    pub(super) own_tag: Tag,
    pub(super) phase: Phase,
    /// The gateway of an emergency call: nobody is asked.
    pub(super) emergency: Option<Arc<Gateway>>,
    pub(super) program: Program,
    /// The Dial that rings, or that was answered: its target is on the target's side.
    pub(super) dial: Option<Box<Run>>,
    /// The Dial of a transfer that brought somebody to the caller's side.
    pub(super) dial_of_caller: Option<Box<Run>>,
    pub(super) legs: Vec<Leg>,
    pub(super) pairs: Vec<Pair>,
    /// The pair that was answered.
    pub(super) winner: Option<usize>,
    pub(super) relays: Vec<Relay>,
    /// Its session, where somebody refreshes it.
    pub(super) session: Option<Session>,
    /// Reliable provisional responses to the caller, by To tag.
    pub(super) reliables: Vec<Reliable>,
    /// The winner's 2xx that waits for a PRACK of the caller.
    pub(super) held_answer: Option<Box<(usize, Kept)>>,
    /// The last 18x as it left, repeated each minute while unanswered (13.3.1.1).
    pub(super) last_ringing: Option<Box<Rung>>,
    pub(super) ringing_timer: Option<TimerId>,
    /// The caller's INVITE is valid until then (its Expires).
    pub(super) expiry: Option<TimerId>,
    /// A timer of the phase: Pause, time limit.
    pub(super) phase_timer: Option<TimerId>,
    pub(super) rang: bool,
    pub(super) records: u32,
    pub(super) events: u32,
    pub(super) answered: Option<Instant>,
    /// The terminal record left: nothing follows it.
    pub(super) over: bool,
    /// BYEs of ours without a final response.
    pub(super) byes: u8,
    /// INVITEs of ours inside dialogs whose transactions live: a 2xx of theirs may still come.
    pub(super) reinvites: u8,
    /// The caller's ACK came.
    pub(super) acked: bool,
    /// The Reason lines of the caller's CANCEL, for ours.
    pub(super) cancel_reason: Vec<u8>,
    /// Next hops of dialogs whose names are being resolved.
    pub(super) resolving: Vec<(AskId, usize, Side, Unresolved)>,
    pub(super) next_relay: u32,
    /// A REFER that is carried out.
    pub(super) transfer: Option<Box<Transfer>>,
    /// A re-INVITE tells a target the transferee's last word.
    pub(super) settling: bool,
    /// The connections it would send something over.
    pub(super) connections: Vec<ConnectionId>,
}

/// An 18x that left.
#[derive(Debug)]
pub(super) struct Rung {
    pub code: u16,
    pub tag: Tag,
    /// As it left; `None`: reliably, so that it must not leave again.
    pub bytes: Option<Arc<[u8]>>,
}

/// How far the call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// An application is asked.
    Asking(AskId),
    /// `<Pause>`.
    Pausing,
    /// A Dial runs.
    Dialling,
    /// Answered.
    Talking,
    /// Refused, or hung up: only leftovers are absorbed.
    Over,
}

/// One running `<Dial>`.
#[derive(Debug)]
pub(super) struct Run {
    pub dial: Box<Dial>,
    /// Its nouns, rung together.
    pub forks: Vec<Fork>,
    pub timer: Option<TimerId>,
    pub began: Option<Instant>,
    pub rang: Option<Instant>,
    /// Nouns that have not begun: nothing of theirs was invited or looked up.
    pub unbegun: usize,
    /// The best failure so far, and the leg it came from.
    pub best: Option<(Failure, Option<usize>)>,
}

impl Run {
    /// A Dial that has not begun.
    pub const fn new(dial: Box<Dial>) -> Self {
        Self { dial, forks: Vec::new(), timer: None, began: None, rang: None, unbegun: 0, best: None }
    }

    /// How many legs it may still invite.
    pub fn ahead(&self) -> u16 {
        let ahead: usize = self.forks.iter().map(Fork::ahead).sum();
        u16::try_from(ahead + self.unbegun).unwrap_or(u16::MAX)
    }
}

/// One noun of a running Dial: it goes through its addresses by itself.
#[derive(Debug)]
pub(super) struct Fork {
    pub plan: Plan,
    /// Its share of Max-Breadth (RFC 5393).
    pub breadth: u32,
    /// Where it can still be reached.
    pub hops: VecDeque<Destination>,
    /// The other gateways that lead to it, each tried where those before it failed.
    pub more: VecDeque<(Plan, Host)>,
    /// Its host name is being resolved.
    pub resolving: Option<AskId>,
    /// The leg that is ringing.
    pub leg: Option<usize>,
    /// The addresses it had so far, where it is redirected: none is tried twice.
    pub tried: Vec<Box<[u8]>>,
}

impl Fork {
    /// There is another place to try.
    pub fn may_go_on(&self) -> bool {
        !self.hops.is_empty() || !self.more.is_empty()
    }

    /// How many legs it may still invite: a name has at least one address.
    pub fn ahead(&self) -> usize {
        self.hops.len() + self.more.len() + usize::from(self.resolving.is_some())
    }

    /// Nothing rings, nothing will.
    pub const fn is_over(&self) -> bool {
        self.leg.is_none() && self.resolving.is_none()
    }

    /// What is tried next is a Contact of a 3xx: it is tried whatever the one before it said.
    pub fn is_redirected(&self) -> bool {
        self.more.front().is_some_and(|(plan, _)| plan.depth > 0)
    }
}

/// A noun made ready to be invited.
#[derive(Debug)]
pub(super) struct Plan {
    pub request_uri: Arc<[u8]>,
    /// What the URI or the gateway names: size does not change it.
    pub transport: Option<Transport>,
    /// The user part of From, where it is not the caller's own.
    pub caller_id: Option<Arc<str>>,
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Identity headers may be told.
    pub trusted: bool,
    /// Its gateway's header rules.
    pub rules: HeaderRules,
    /// How it hears that the call was for another number first.
    pub told: ForwardedAs,
    /// Which Contacts of its 3xx are followed, and how many redirections led to it.
    pub follow: Follow,
    pub depth: u8,
    /// How we came to it.
    pub origin: Origin,
    /// The gateway it leads through.
    pub gateway: Option<GatewaySid>,
    /// What its challenges are answered with.
    pub credentials: Option<Arc<Credentials>>,
    /// The noun's text: `To` of the leg.
    pub to: Arc<str>,
    /// The noun's status callback.
    pub callback: Option<Arc<NounCallback>>,
}

impl Plan {
    /// Whom its URI names.
    pub fn host(&self) -> Option<Arc<str>> {
        target::host_named(&self.request_uri)
    }
}

/// One INVITE toward a target.
#[derive(Debug)]
pub(super) struct Leg {
    pub sid: CallSid,
    pub client: Option<TransactionId>,
    pub state: LegState,
    /// Any response came.
    pub heard: bool,
    /// A provisional response beyond 100 came: its noun is tried nowhere else any more.
    pub progressed: bool,
    pub call_id: Arc<[u8]>,
    pub tag: Tag,
    /// Our From, tag included, and our To, as written.
    pub local: Arc<[u8]>,
    pub remote: Arc<[u8]>,
    pub flow: Flow,
    pub cseq: u32,
    pub first_response: Option<TimerId>,
    /// The flow of another try over UDP, where the large INVITE went over TCP.
    pub retry_udp: Option<Box<Flow>>,
    pub branch: Option<Branch>,
    pub request_uri: Arc<[u8]>,
    /// Identity headers may be told, and are believed.
    pub trusted: bool,
    /// Its gateway's header rules.
    pub rules: HeaderRules,
    /// How we came to it, and its final response where one came or stood for it (0: none).
    pub origin: Origin,
    pub ended: u16,
    /// Rings until then without another word.
    pub timer_c: Option<TimerId>,
    /// What it was offered, as it would not make an offer itself.
    pub offered: Option<Arc<[u8]>>,
    /// Since when it is connected; left as it is at its end.
    pub answered: Option<Instant>,
    /// The `X-` headers of its final response.
    pub extensions: Vec<(Arc<str>, Arc<str>)>,
    /// The session interval its INVITE asked for, and the shortest it takes, in seconds.
    pub session: Option<u32>,
    pub least_session: u32,
    /// What its refusal is to the caller: the code, and the header lines that go with it.
    pub refusal: Option<(u16, Box<[u8]>)>,
    /// Who hears of it, where somebody does, until its `completed` is told.
    pub told: Option<Arc<LegFacts>>,
    /// The gateway it went through, until it is over.
    pub gateway: Option<GatewaySid>,
    /// `ringing` was told.
    pub rang: bool,
    /// Who we are to it, where it may ask.
    pub auth: Option<Box<Auth>>,
    /// Our last number in its dialogs that nothing else here knows of: an earlier life used some.
    pub said: u32,
    /// 2xx of this INVITE that lost.
    pub losers: Vec<Loser>,
}

impl Leg {
    /// As its History-Info entry shows it.
    pub fn step(&self) -> history::Step<'_> {
        history::Step { uri: &self.request_uri, origin: self.origin, code: self.ended }
    }
}

/// A 2xx that lost: its tag, the ACK that its repetitions get again, and the dialog its BYE goes in.
#[derive(Debug)]
pub(super) struct Loser {
    pub tag: Arc<[u8]>,
    pub ack: Arc<[u8]>,
    pub flow: Flow,
    pub dialog: Option<Box<Dialog>>,
    /// Its BYE left a second time, for a challenge.
    pub again: bool,
}

/// How a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegState {
    /// Rings, or will.
    Ringing,
    /// Nobody waits for it: a provisional gets CANCEL, a 2xx ACK and BYE.
    Abandoned,
    /// Answered and connected.
    Won,
    /// Over.
    Ended,
}

/// Room for one, as most calls have one leg, one pair, one noun; a vector's own first step has four.
pub(super) fn one_at_first<T>(vector: &mut Vec<T>) {
    if vector.capacity() == 0 {
        vector.reserve_exact(1);
    }
}

/// The side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The caller's.
    A,
    /// The target's.
    B,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A dialog of a target and the dialog it is to the caller.
#[derive(Debug)]
pub(super) struct Pair {
    pub leg: usize,
    pub a: Dialog,
    pub b: Dialog,
    pub a_tag: Tag,
    pub confirmed: bool,
    /// The RSeq of the target's latest reliable response, and the number of the INVITE it was to: each
    /// transaction counts by itself (RFC 3262 3).
    pub heard_rseq: Option<(u32, u32)>,
    /// The caller knows that its early dialog is over.
    pub told_over: bool,
    /// Our 2xx that waits for its ACK.
    pub answering: Option<Box<Answering>>,
    /// The ACK we sent last, by the side it went to.
    pub ack: [Option<StoredAck>; 2],
    /// Its BYE left a second time, for a challenge.
    pub bye_again: bool,
    /// A BYE that waits for the ACK of our 2xx toward the same side: all of it behind Max-Forwards.
    pub held_bye: Option<Box<(Side, Vec<u8>)>>,
    pub alive: [bool; 2],
    /// The leg that stands on the caller's side, where it joined by transfer.
    pub a_leg: Option<usize>,
    /// What each side described last, where a transfer may need it.
    pub spoken: [Option<Arc<[u8]>>; 2],
    /// What descriptions toward a side go on from, where its peer is another one than at first.
    pub origins: [Option<Box<Described>>; 2],
    /// Something went on since the last liveness check.
    pub stirred: bool,
    /// The last OPTIONS of a liveness check could not be sent to this side.
    pub unreached: [bool; 2],
    pub liveness: Option<TimerId>,
}

impl Pair {
    pub fn dialog(&self, side: Side) -> &Dialog {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The leg that stands on this side.
    pub fn leg_at(&self, side: Side) -> Option<usize> {
        if side == Side::B { Some(self.leg) } else { self.a_leg }
    }

    pub fn dialog_mut(&mut self, side: Side) -> &mut Dialog {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// The ACK of a 2xx: its CSeq number, and as it left, for as long as the 2xx may come again.
#[derive(Debug)]
pub(super) struct StoredAck {
    pub cseq: u32,
    pub left: Option<Box<(Flow, Arc<[u8]>)>>,
}

/// A 2xx of ours to an INVITE, repeated until its ACK (13.3.1.4).
#[derive(Debug)]
pub(super) struct Answering {
    /// Toward whom.
    pub side: Side,
    /// The INVITE's number on that side, and on the other.
    pub cseq: u32,
    pub far_cseq: u32,
    pub bytes: Arc<[u8]>,
    pub flow: Flow,
    pub interval: std::time::Duration,
    pub give_up: Instant,
    pub timer: Option<TimerId>,
    /// Tries over another connection, as the first could not be sent.
    pub retries: u8,
    /// How often it has been repeated.
    pub repeats: u16,
}

/// A request on its way through a dialog.
#[derive(Debug)]
pub(super) struct Relay {
    pub pair: usize,
    /// Who sent it.
    pub from: Side,
    pub server: Option<TransactionId>,
    pub client: Option<TransactionId>,
    pub id: u32,
    pub invite: bool,
    /// Its Contact is a new target when it succeeds (INVITE, UPDATE).
    pub refreshes: bool,
    /// The session interval it asks for, in seconds.
    pub session: Option<u32>,
    /// It carries an offer, or asks for one.
    pub offers: bool,
    pub request: Kept,
    /// What a PRACK acknowledges, by the far side's numbers.
    pub acknowledges: Option<Source>,
    pub flow: Flow,
    /// Its number on the side it came from, and on the other.
    pub cseq: u32,
    pub far_cseq: u32,
    /// The sender's new Contact, in force once the request succeeds.
    pub target: Option<Arc<[u8]>>,
    /// The sender wants it cancelled.
    pub cancel: bool,
    /// It left a second time, for a challenge.
    pub authorized: bool,
}
