//! What happens to a call, handed to the part of it that knows: transactions, timers, birth, burial.

use std::sync::Arc;

use crate::call::desk::{CallKey, Desk, Role, What};
use crate::call::facts::CallFacts;
use crate::call::instructions::{Dial, Document, Noun, Target, Verb};
use crate::call::mint::{Chain, Tag};
use crate::call::outcome::{HangupSource, Terminal};
use crate::call::program::{Failure, Program};
use crate::call::state::{Answering, Call, LegState, Phase, Run, Side};
use crate::call::target;
use crate::flow::Flow;
use crate::ids::VirtualShard;
use crate::reason::Reason;
use crate::routing::model::{Gateway, Trunk};
use crate::sip::{Kept, Message};
use crate::transaction::step::Tell;
use crate::transaction::table::{Kind, TransactionId};
use crate::transport::response;

/// What a call is born from.
pub struct Birth {
    /// Its name.
    pub key: CallKey,
    /// The shard its ids carry.
    pub shard: VirtualShard,
    /// What applications are told.
    pub facts: Arc<CallFacts>,
    /// Its trunk, or what stands in for one.
    pub trunk: Arc<Trunk>,
    /// Where it has been, this passage included.
    pub chain: Chain,
    /// The caller's INVITE.
    pub invite: Kept,
    /// What that came through.
    pub flow: Flow,
    /// Its transaction.
    pub server: TransactionId,
    /// An emergency call's gateway.
    pub emergency: Option<Arc<Gateway>>,
}

impl Call {
    /// A call that has done nothing yet: [`Call::start`] comes next.
    #[must_use]
    pub fn new(desk: &mut Desk, birth: Birth) -> Self {
        let own_tag = desk.mint_tag(birth.shard, birth.key);
        let mut program = Program::default();
        if birth.emergency.is_some() {
            let fits = program.load(emergency_document(&birth.facts.to));
            debug_assert!(fits, "the first document of a call is never one too many");
        }
        let flow = birth.flow;
        let empty = Self::empty(birth.key, birth.shard, birth.facts, birth.trunk, flow, own_tag);
        let mut call = Self {
            chain: birth.chain,
            invite: Some(Box::new(birth.invite)),
            server: Some(birth.server),
            emergency: birth.emergency,
            program,
            ..empty
        };
        call.ride(desk, &flow);
        call
    }

    /// A response to a request of ours.
    pub fn responded(&mut self, desk: &mut Desk, role: Role, response: &Message<'_>) {
        let code = response.code().unwrap_or(500);
        desk.trace_received(self.facts.call, self.leg_of_role(role), response);
        match role {
            Role::Leg(leg) => self.leg_responded(desk, leg, response),
            Role::Transfer => self.transferee_responded(desk, response),
            Role::Settle => {
                self.settling &= code < 200;
                self.late_success(desk, response);
            }
            Role::RelayClient(id) => self.relay_responded(desk, id, response),
            Role::Bye(pair, caller) if code >= 200 => {
                self.bye_answered(desk, pair, side_of(caller), response);
            }
            Role::LoserBye(leg, at) if code >= 200 => self.loser_answered(desk, leg, at, response),
            Role::Liveness(pair, caller) if code >= 200 => {
                self.liveness_answered(desk, pair, side_of(caller), code)
            }
            _ => {}
        }
    }

    /// What a transaction has to say beside messages.
    pub fn told(&mut self, desk: &mut Desk, kind: Kind, role: Role, tell: Tell) {
        match (kind, role, tell) {
            (Kind::ClientInvite, Role::Transfer, Tell::TimedOut(_) | Tell::TransportError) => {
                self.transferee_silent(desk);
            }
            (Kind::ClientInvite, Role::Settle, Tell::TimedOut(_) | Tell::TransportError) => {
                self.settling = false;
            }
            (Kind::ClientInvite, Role::Leg(leg), Tell::TimedOut(_)) => self.leg_timed_out(desk, leg),
            (Kind::ClientInvite, Role::Leg(leg), Tell::TransportError) => self.leg_unreachable(desk, leg),
            (_, Role::RelayClient(id), Tell::TimedOut(_)) => self.relay_timed_out(desk, id),
            (_, Role::RelayClient(id), Tell::TransportError) => self.relay_unreachable(desk, id),
            (Kind::ServerInvite, _, Tell::TransportError) => self.answer_elsewhere(desk),
            (_, Role::Bye(..) | Role::LoserBye(..), Tell::TimedOut(_) | Tell::TransportError) => {
                self.bye_over();
            }
            (_, Role::Liveness(pair, caller), Tell::TimedOut(_)) => {
                self.liveness_answered(desk, pair, side_of(caller), 408);
            }
            (_, Role::Liveness(pair, caller), Tell::TransportError) => {
                self.liveness_unreached(desk, pair, side_of(caller));
            }
            _ => {}
        }
    }

    /// A transaction of this call is over.
    pub fn transaction_over(&mut self, id: TransactionId, kind: Kind, role: Role) {
        match role {
            Role::RelayClient(_) | Role::Transfer | Role::Settle if kind == Kind::ClientInvite => {
                self.reinvites = self.reinvites.saturating_sub(1)
            }
            Role::Leg(leg) if self.legs[leg].client == Some(id) => {
                self.legs[leg].client = None;
                self.drop_ack(leg);
                if self.legs[leg].state == LegState::Abandoned {
                    self.legs[leg].state = LegState::Ended;
                }
            }
            Role::RelayServer(id) => self.relay_server_gone(id),
            _ => {}
        }
    }

    /// A CANCEL of an INVITE of this call; its own answer has left.
    pub fn cancel_received(&mut self, desk: &mut Desk, role: Role, cancel: &Message<'_>) {
        desk.trace_received(self.facts.call, None, cancel);
        match role {
            Role::Caller => self.cancelled(desk, cancel),
            Role::RelayServer(id) => self.relay_cancelled(desk, id),
            _ => {}
        }
    }

    /// A timer of this call is due.
    pub fn timer_due(&mut self, desk: &mut Desk, what: What) {
        match what {
            What::DialTimeout => self.dial_timed_out(desk),
            What::FirstResponse(leg) => self.first_response_over(desk, leg),
            What::RingAgain => self.ring_again(desk),
            What::Reliable(at) => self.reliable_again(desk, at),
            What::Session(pair) => self.session_over(desk, pair),
            What::TimerC(leg) => self.rang_too_long(desk, leg),
            What::InviteExpires => self.invite_expired(desk),
            What::PauseOver => self.pause_over(desk),
            What::TimeLimit => self.time_limit(desk),
            What::Answer(pair) => self.answer_again(desk, pair),
            What::Transfer => self.transfer_timed_out(desk),
            What::TransferOffer => self.offer_again(desk),
            What::Liveness(pair) => self.check_liveness(desk, pair),
            What::Probe(pair) => self.probe(desk, pair),
        }
    }

    /// Something in this call panicked: it ends, and nothing else does. Only steps that touch little
    /// are taken; what cannot be sent any more is left to the timers of the other sides.
    pub fn fail(&mut self, desk: &mut Desk) {
        let failure = Failure { status: 500, reason: Reason::Internal };
        if self.server.is_some() {
            self.refuse(desk, failure, HangupSource::Router);
        } else if let Some(pair) = self.winner {
            self.hang_up(desk, pair, Reason::Internal, HangupSource::Router, None);
            // Nothing is waited for any more.
            self.release_held_bye(desk, pair);
        }
        if !self.over {
            self.bury(desk);
        }
    }

    /// The terminal record of a call that can do nothing else any more.
    pub fn bury(&mut self, desk: &mut Desk) {
        let status = crate::call::outcome::CallStatus::Failed;
        let duration = self.answered.map_or(std::time::Duration::ZERO, |answered| desk.now.since(answered));
        let sip_code = if self.answered.is_some() { 200 } else { 500 };
        self.finish(
            desk,
            Terminal { status, sip_code, reason: Reason::Internal, source: HangupSource::Router, duration },
        );
    }

    /// After a panic: nothing that comes is waited for any more, so that the call can be forgotten.
    pub fn give_up(&mut self) {
        self.over = true;
        self.byes = 0;
        self.reinvites = 0;
        self.server = None;
        self.relays.clear();
        self.held_answer = None;
        for leg in &mut self.legs {
            leg.client = None;
        }
        for pair in &mut self.pairs {
            pair.held_bye = None;
            pair.answering = None;
        }
    }

    /// Something may be sent over the connection of `flow` later: its end is of interest.
    pub(super) fn ride(&mut self, desk: &mut Desk, flow: &Flow) {
        if let Some(connection) = flow.connection
            && !self.connections.contains(&connection)
        {
            self.connections.push(connection);
            desk.riders.entry(connection).or_default().insert(self.key);
        }
    }

    /// A message of a transaction of this call could not be sent over its connection: nothing else is
    /// tried over it. A BYE is sent once more the way that is left (18.4 leaves that to us, and a peer
    /// that hears none stays in the call).
    pub fn connection_failed(&mut self, desk: &mut Desk, role: Role, flow: &Flow) {
        self.connection_closed(desk, flow);
        if let Role::Bye(pair, caller) = role {
            let mut tail = Vec::new();
            crate::sip::Writer::append(&mut tail).finish();
            self.send_bye(desk, pair, side_of(caller), &tail);
        }
    }

    /// A stream connection is gone. It ends nothing; what would have used it goes to the address the
    /// peer named instead, over a connection to be opened.
    pub fn connection_closed(&mut self, desk: &mut Desk, closed: &Flow) {
        if let Some(connection) = closed.connection {
            self.leave(desk, connection);
        }
        let gone = |flow: &Flow| flow.connection.is_some() && flow.connection == closed.connection;
        for pair in 0..self.pairs.len() {
            for side in [Side::A, Side::B] {
                if gone(&self.pairs[pair].dialog(side).flow) {
                    self.leave_connection(desk, pair, side);
                }
            }
        }
        if gone(&self.flow) {
            let invite = self.invite.as_ref();
            let first =
                invite.and_then(|kept| kept.message().contacts().next().map(|contact| contact.uri.to_vec()));
            let contact = first.or_else(|| self.winner.map(|pair| self.pairs[pair].a.target.to_vec()));
            self.flow = target::without_connection(&self.flow, contact.as_deref());
        }
        for answering in self.pairs.iter_mut().filter_map(|pair| pair.answering.as_mut()) {
            if gone(&answering.flow) {
                answering.flow = elsewhere(answering);
            }
        }
    }

    fn leave(&mut self, desk: &mut Desk, connection: crate::flow::ConnectionId) {
        self.connections.retain(|known| *known != connection);
        if let Some(riders) = desk.riders.get_mut(&connection) {
            riders.remove(&self.key);
            if riders.is_empty() {
                desk.riders.remove(&connection);
            }
        }
    }

    /// A 2xx of ours could not be sent: at once where 18.2.2 says it goes then.
    fn answer_elsewhere(&mut self, desk: &mut Desk) {
        for answering in self.pairs.iter_mut().filter_map(|pair| pair.answering.as_mut()) {
            if answering.flow.connection.is_some() {
                answering.flow = elsewhere(answering);
            }
            if answering.flow.transport.is_reliable() && answering.retries == 0 {
                answering.retries += 1;
                desk.send(answering.flow, &answering.bytes, crate::call::ask::SendToken::default());
            }
        }
    }

    /// Takes back all that leads to this call: its tags, its timers.
    pub fn forget(&mut self, desk: &mut Desk) {
        for connection in std::mem::take(&mut self.connections) {
            self.leave(desk, connection);
        }
        self.stop_reliables(desk);
        self.stop_session(desk);
        desk.tags.remove(&self.own_tag);
        for leg in &mut self.legs {
            desk.tags.remove(&leg.tag);
            desk.stop(&mut leg.first_response);
            desk.stop(&mut leg.timer_c);
        }
        for pair in &mut self.pairs {
            desk.tags.remove(&pair.a_tag);
            desk.stop(&mut pair.liveness);
            if let Some(answering) = pair.answering.as_mut() {
                desk.stop(&mut answering.timer);
            }
        }
        self.forget_transfer(desk);
        for run in [self.dial.as_mut(), self.dial_of_caller.as_mut()].into_iter().flatten() {
            forget_run(desk, run);
        }
        desk.stop(&mut self.ringing_timer);
        desk.stop(&mut self.expiry);
        desk.stop(&mut self.phase_timer);
        if let Phase::Asking(ask) = self.phase {
            desk.abort(ask);
        }
        for (ask, ..) in std::mem::take(&mut self.resolving) {
            desk.abort(ask);
        }
    }

    /// The To tag of the final response to the caller's INVITE, or of the one it would get now.
    #[must_use]
    pub fn invite_tag(&self) -> Tag {
        self.winner.map_or(self.own_tag, |pair| self.pairs[pair].a_tag)
    }

    /// Whether its trunk wants answers at the source port in any case.
    #[must_use]
    pub fn force_rport(&self) -> bool {
        self.trunk.force_rport
    }

    /// Its sid.
    #[must_use]
    pub fn sid(&self) -> crate::ids::CallSid {
        self.facts.call
    }

    /// Its name.
    #[must_use]
    pub const fn key(&self) -> CallKey {
        self.key
    }

    /// Whether the caller still waits for a final response.
    #[must_use]
    pub const fn is_unanswered(&self) -> bool {
        self.server.is_some()
    }

    /// Whether its terminal record has left.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// How many dialogs it holds.
    #[must_use]
    pub fn dialogs(&self) -> usize {
        self.pairs.iter().map(|pair| pair.alive.iter().filter(|alive| **alive).count()).sum()
    }

    /// What of a reason the caller's side is told: sources without a trunk hear none.
    pub(super) fn told_reason(&self, reason: Option<Reason>) -> Option<Reason> {
        reason.filter(|_| self.facts.trunk.is_some())
    }

    /// The leg of a transaction, for traces.
    #[must_use]
    pub fn leg_of_role(&self, role: Role) -> Option<crate::ids::CallSid> {
        match role {
            Role::Leg(leg) | Role::LoserBye(leg, _) => Some(self.legs[leg].sid),
            Role::Bye(pair, caller) | Role::Liveness(pair, caller) => self.leg_of(pair, side_of(caller)),
            Role::RelayClient(id) => {
                let relay = self.relays.iter().find(|relay| relay.id == id)?;
                self.leg_of(relay.pair, relay.from.other())
            }
            Role::RelayServer(id) => {
                let relay = self.relays.iter().find(|relay| relay.id == id)?;
                self.leg_of(relay.pair, relay.from)
            }
            _ => None,
        }
    }
}

/// Takes back what a Dial waits for.
pub(super) fn forget_run(desk: &mut Desk, run: &mut Run) {
    desk.stop(&mut run.timer);
    for ask in run.forks.iter_mut().filter_map(|fork| fork.resolving.take()) {
        desk.abort(ask);
    }
}

/// Where a 2xx goes whose connection is gone: the sent-by of its Via (18.2.2).
fn elsewhere(answering: &Answering) -> Flow {
    let found =
        Message::scan(&answering.bytes).ok().and_then(|ok| response::fallback(answering.flow, &ok.top_via()));
    found.unwrap_or(answering.flow)
}

const fn side_of(caller: bool) -> Side {
    if caller { Side::A } else { Side::B }
}

/// What an emergency call does: straight to the gateway.
fn emergency_document(dialled: &Arc<str>) -> Document {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    let noun = Noun {
        target: Target::Number(dialled.clone()),
        headers: Vec::new(),
        credentials: None,
        group: None,
        callback: None,
    };
    // No limit worth the name: an emergency call is never ended by us, and rings as long as it must.
    let dial =
        Dial { nouns: vec![noun], timeout: HOUR, time_limit: HOUR * 24, caller_id: None, action: None };
    Document { verbs: vec![Verb::Dial(dial)], ..Document::default() }
}
