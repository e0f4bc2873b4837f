//! The caller's side of a call: what it is answered, its ACK and its CANCEL.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::{Counter, Purpose, Question, WebhookQuestion};
use crate::call::compose;
use crate::call::desk::{Desk, What};
use crate::call::mint::Tag;
use crate::call::outcome::{CallStatus, HangupSource, Terminal};
use crate::call::passage;
use crate::call::program::Failure;
use crate::call::record::{CallerSide, Change, DialogState, Event, Record};
use crate::call::reliable::Source;
use crate::call::session;
use crate::call::state::{Call, LegState, Phase, Rung, Side};
use crate::call::trace::TraceItem;
use crate::reason::Reason;
use crate::sip::{Message, Name, Writer};

/// How often a ringing call says so again (13.3.1.1).
const RING_AGAIN: Duration = Duration::from_secs(60);

impl Call {
    /// The call is admitted: journal, ring, ask.
    pub fn start(&mut self, desk: &mut Desk) {
        let caller = self.caller_side();
        let facts = self.facts.clone();
        self.record(desk, Change::Admitted { facts, caller: Box::new(caller) }, None);
        self.start_expiry(desk);
        if self.trunk.ring_at_once && !self.redirects() && !self.wants_offer_reliably() {
            self.ring(desk, 180, self.own_tag, None, None);
        }
        if self.emergency.is_some() {
            self.perform(desk);
        } else {
            self.ask(desk, Purpose::Voice);
        }
    }

    /// Asks the application.
    pub(super) fn ask(&mut self, desk: &mut Desk, purpose: Purpose) {
        let what = match &purpose {
            Purpose::Voice => "voice",
            Purpose::Redirect(_) => "redirect",
            Purpose::Action(..) => "action",
            Purpose::Message(..) => "message",
            Purpose::Refer(..) => "refer",
        };
        let talks = self.transfer.is_some();
        let status = if talks { CallStatus::InProgress } else { CallStatus::Ringing };
        let question = self.question(purpose, status);
        let id = desk.ask(self.key, self.facts.call, question);
        match &mut self.transfer {
            Some(transfer) => transfer.asked = Some(id),
            None => self.phase = Phase::Asking(id),
        }
        desk.trace(self.facts.call, TraceItem::Asked(id, what.into()));
    }

    pub(super) fn question(&self, purpose: Purpose, status: CallStatus) -> Question {
        let winner = self.winner.map(|pair| &self.legs[self.pairs[pair].leg]);
        let outbound = winner.or(self.legs.last()).map(|leg| leg.sid);
        Question::Webhook(Box::new(WebhookQuestion { facts: self.facts.clone(), purpose, status, outbound }))
    }

    /// A provisional response toward the caller; the leg's that is `relayed` lends headers and body.
    /// It leaves reliably where the target's did (`of`), or where the caller requires it.
    pub(super) fn ring(
        &mut self,
        desk: &mut Desk,
        code: u16,
        tag: Tag,
        relayed: Option<(usize, &Message<'_>)>,
        of: Option<Source>,
    ) {
        let Some(server) = self.server.filter(|_| self.held_answer.is_none()) else { return };
        let reliably = of.is_some() || self.requires_100rel();
        let mut rseq = None;
        if reliably {
            rseq = self.next_rseq(desk, tag, code, relayed, of);
            if rseq.is_none() {
                return;
            }
        }
        self.write_response(desk, code, tag, relayed, rseq, None);
        if !desk.respond(server, code) {
            return;
        }
        desk.trace_sent(self.facts.call, None);
        if reliably {
            let has_body = relayed.is_some_and(|(_, response)| !response.body().is_empty());
            self.await_prack(desk, tag, code, of, has_body);
        }
        if code == 199 {
            return;
        }
        let bytes = (!reliably).then(|| desk.paper.as_slice().into());
        self.last_ringing = Some(Box::new(Rung { code, tag, bytes }));
        desk.stop(&mut self.ringing_timer);
        self.ringing_timer = Some(desk.start(RING_AGAIN, self.key, What::RingAgain));
        if code == 180 && !self.rang {
            self.rang = true;
            self.record(desk, Change::Ringing, Some(CallStatus::Ringing));
        }
    }

    /// A minute passed without an answer: the last 18x once more.
    pub(super) fn ring_again(&mut self, desk: &mut Desk) {
        self.ringing_timer = None;
        let (Some(server), Some(last)) = (self.server, &self.last_ringing) else { return };
        let (code, tag) = (last.code, last.tag);
        let Some(bytes) = &last.bytes else {
            // RFC 3262 3: what has its PRACK must not be repeated; another one says the same.
            return self.ring(desk, code, tag, None, None);
        };
        desk.paper.clear();
        desk.paper.extend_from_slice(bytes);
        if desk.respond(server, code) {
            self.ringing_timer = Some(desk.start(RING_AGAIN, self.key, What::RingAgain));
        }
    }

    /// Refuses the caller: the final response, the terminal record, and an end to all that rings.
    pub(super) fn refuse(&mut self, desk: &mut Desk, failure: Failure, source: HangupSource) {
        let Some(server) = self.server.take() else { return };
        let reason = Some(failure.reason);
        self.write_response(desk, failure.status, self.own_tag, None, None, reason);
        desk.respond(server, failure.status);
        desk.trace_sent(self.facts.call, None);
        desk.trace(self.facts.call, TraceItem::Refused(failure.reason, failure.status));
        self.finish_unanswered(desk, failure, source);
    }

    /// The caller's CANCEL (its own 200 has left already). After a final response it means nothing.
    pub fn cancelled(&mut self, desk: &mut Desk, cancel: &Message<'_>) {
        let Some(server) = self.server.take() else { return };
        let failure = Failure { status: 487, reason: Reason::Canceled };
        self.write_response(desk, 487, self.own_tag, None, None, None);
        desk.respond(server, 487);
        desk.trace_sent(self.facts.call, None);
        let mut reasons = Vec::new();
        passage::reasons(&mut Writer::append(&mut reasons), cancel);
        self.cancel_reason = reasons;
        self.finish_unanswered(desk, failure, HangupSource::Caller);
    }

    /// The end of a call that was never answered, its final response having left.
    pub(super) fn finish_unanswered(&mut self, desk: &mut Desk, failure: Failure, source: HangupSource) {
        if let Phase::Asking(ask) = self.phase {
            desk.abort(ask);
        }
        self.stop_reliables(desk);
        self.drop_held_answer(desk);
        self.abandon_dial(desk, failure);
        let status = CallStatus::of_refusal(failure.status);
        let terminal = Terminal {
            status,
            sip_code: failure.status,
            reason: failure.reason,
            source,
            duration: Duration::ZERO,
        };
        self.finish(desk, terminal);
    }

    /// Answers the caller with a target's 2xx, through this pair.
    pub(super) fn answer(&mut self, desk: &mut Desk, pair: usize, response: &Message<'_>) {
        let Some(server) = self.server.take() else { return };
        let tag = self.pairs[pair].a_tag;
        let code = response.code().unwrap_or(200);
        let leg = self.pairs[pair].leg;
        self.write_response(desk, code, tag, Some((leg, response)), None, None);
        desk.respond(server, code);
        let flow = desk.table.flow(server).unwrap_or(self.flow);
        desk.trace_sent(self.facts.call, None);
        desk.stop(&mut self.ringing_timer);
        desk.stop(&mut self.expiry);
        self.stop_reliables(desk);
        self.last_ringing = None;
        self.answered = Some(desk.now);
        self.legs[leg].answered = Some(desk.now);
        self.phase = Phase::Talking;
        self.winner = Some(pair);
        let bytes: Arc<[u8]> = desk.paper.as_slice().into();
        // The ACK has the INVITE's number, whatever came in the early dialog since.
        let cseq = self.invite.as_ref().map_or(0, |kept| kept.message().cseq().number);
        let far_cseq = self.legs[leg].cseq;
        let answering = self.answering(desk, pair, Side::A, (cseq, far_cseq), flow, bytes.clone());
        self.pairs[pair].answering = Some(answering);
        self.listen_to_caller(pair);
        self.pairs[pair].confirmed = true;
        let agreed = self
            .invite
            .as_ref()
            .and_then(|kept| session::agreed(&kept.message(), self.legs[leg].session, response));
        self.set_session(desk, pair, agreed);
        let (caller, target) = (self.kept(pair, Side::A), self.kept(pair, Side::B));
        let (leg_sid, dial) = (self.legs[leg].sid, Box::new(self.dial_left(desk, self.dial.as_deref())));
        let change = Change::Answered { leg: leg_sid, caller, target, response: bytes, dial };
        self.record(desk, change, Some(CallStatus::InProgress));
        self.tell_leg(desk, leg, CallStatus::Answered);
        // What was only for ringing goes now: a call that talks may stand for hours.
        self.invite = None;
        if let Some(run) = &mut self.dial {
            (run.forks, run.dial.nouns) = (Vec::new(), Vec::new());
        }
        self.start_time_limit(desk);
    }

    /// Writes one record.
    pub(super) fn record(&mut self, desk: &mut Desk, change: Change, event: Option<CallStatus>) {
        let heard = event.filter(|_| self.facts.profile.status_callback.is_some());
        let event = heard.map(|status| Event { sequence: self.events, status });
        self.events += u32::from(event.is_some());
        let record = Record { call: self.facts.call, seq: self.records, at: desk.now, change, event };
        self.records += 1;
        desk.effects.push_back(crate::call::desk::Effect::Record(record));
    }

    /// The terminal record: the last one, once.
    pub(super) fn finish(&mut self, desk: &mut Desk, terminal: Terminal) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.phase = Phase::Over;
        // What only a living call needs goes now; the rest absorbs what may still come.
        self.invite = None;
        self.last_ringing = None;
        self.program = crate::call::program::Program::default();
        desk.stop(&mut self.ringing_timer);
        desk.stop(&mut self.expiry);
        desk.stop(&mut self.phase_timer);
        self.legs_over(desk, terminal.sip_code);
        self.record(desk, Change::Ended(terminal), Some(terminal.status));
        desk.count(Counter::Ended(terminal.reason));
    }

    /// Writes a response to the caller's INVITE onto the desk's paper.
    fn write_response(
        &self,
        desk: &mut Desk,
        code: u16,
        tag: Tag,
        relayed: Option<(usize, &Message<'_>)>,
        rseq: Option<u32>,
        reason: Option<Reason>,
    ) {
        let Some(kept) = &self.invite else { return };
        let request = kept.message();
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = compose::response(&mut paper, &request, &self.flow, code, Some(tag.as_bytes()));
        let opens_dialog = (101..300).contains(&code);
        if opens_dialog {
            writer.record_routes(&request);
            let by_sips = compose::asks_for_sips(&request);
            compose::contact(&mut writer, &desk.config, &self.flow, self.flow.local, by_sips);
        }
        if let Some(rseq) = rseq {
            writer.header(Name::Require, &[b"100rel"]).numeric(Name::RSeq, rseq.into());
        }
        compose::own_reason(&mut writer, self.told_reason(reason));
        match relayed {
            Some((leg, response)) => {
                // What an untrusted target asserts is no one's identity to a trusted trunk (RFC 3325 5).
                let passage = self.passage_of(leg, Side::A, response);
                passage::response_headers(&mut writer, response, &passage);
                if code >= 200 {
                    let agreed = session::agreed(&request, self.legs[leg].session, response);
                    session::tell(&mut writer, &request, agreed);
                }
                writer.body(response.body());
            }
            None => {
                self.write_facts(&mut writer, code, reason);
                passage::own_headers(&mut writer, &self.trunk.header_rules);
                writer.finish();
            }
        }
        desk.paper = paper;
    }

    /// What a target's refusal names that the caller can act on.
    fn write_facts(&self, writer: &mut Writer<'_>, code: u16, reason: Option<Reason>) {
        if code == 405 {
            writer.header(Name::Allow, &[compose::ALLOW]);
        }
        let refused = || self.legs.iter().rev().filter_map(|leg| leg.refusal.as_ref());
        let found = refused().find(|(refused, _)| *refused == code);
        if let Some((_, lines)) = found.filter(|_| reason == Some(Reason::TargetRefused)) {
            writer.bytes(lines);
        }
    }

    /// The caller's INVITE is valid no longer (its Expires, 13.3.1).
    pub(super) fn invite_expired(&mut self, desk: &mut Desk) {
        self.expiry = None;
        let failure = Failure { status: 487, reason: Reason::InviteExpired };
        self.refuse(desk, failure, HangupSource::Caller);
    }

    fn start_expiry(&mut self, desk: &mut Desk) {
        let of_caller = self.invite.as_ref().and_then(|kept| kept.message().expires());
        if let Some(seconds) = of_caller {
            let after = Duration::from_secs(seconds.into());
            self.expiry = Some(desk.start(after, self.key, What::InviteExpires));
        }
    }

    /// A dialog as the journal keeps it.
    pub(super) fn kept(&self, pair: usize, side: Side) -> Box<DialogState> {
        Box::new(DialogState::of(self.pairs[pair].dialog(side), self.session_interval()))
    }

    fn caller_side(&self) -> CallerSide {
        // Room for the usual lines at once.
        let mut headers = Vec::with_capacity(768);
        if let Some(kept) = &self.invite {
            let request = kept.message();
            let tag = Some(self.own_tag.as_bytes());
            let mut writer = compose::response(&mut headers, &request, &self.flow, 500, tag);
            writer.record_routes(&request);
        }
        let status_line = memchr::memchr(b'\n', &headers).map_or(0, |at| at + 1);
        CallerSide { response_headers: headers[status_line..].into(), flow: self.flow }
    }

    /// Whether nothing is left that could still come for this call.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let rings = |leg: &crate::call::state::Leg| leg.client.is_some() && leg.state != LegState::Ended;
        self.over
            && self.byes == 0
            && self.reinvites == 0
            && !self.legs.iter().any(rings)
            && !self.pairs.iter().any(|pair| pair.answering.is_some() || pair.held_bye.is_some())
            && self.relays.is_empty()
    }
}
