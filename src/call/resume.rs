//! A call of an earlier life of this node goes on, where it was answered, or is ended toward both
//! sides.
//!
//! What is forgotten: early dialogs, requests on their way, PRACKs. Nobody who waits for such a thing
//! waits for ever: transactions of the other sides have timers of their own.

use std::sync::Arc;
use std::time::Duration;

use crate::call::compose;
use crate::call::desk::{CallKey, Desk, What};
use crate::call::dialling::ELSEWHERE;
use crate::call::instructions::Dial;
use crate::call::mint::Tag;
use crate::call::outcome::HangupSource;
use crate::call::program::Failure;
use crate::call::record::{Change, DialLeft};
use crate::call::recover::{Place, Recovered, Talk};
use crate::call::revive::settled;
use crate::call::session::Session;
use crate::call::state::{Call, Phase, Run, Side};
use crate::call::trace::TraceItem;
use crate::flow::Flow;
use crate::reason::Reason;
use crate::routing::model::Trunk;
use crate::sip::{Message, Writer};
use crate::time::Instant;
use crate::timers::TimerId;

impl Call {
    /// The call as far as its records and events must go on counting: [`Call::resume`] comes next.
    #[must_use]
    pub fn recovered(desk: &mut Desk, key: CallKey, trunk: Arc<Trunk>, from: &Recovered) -> Self {
        let shard = from.shard();
        let own_tag = from.own_tag().unwrap_or_else(|| Tag::mint(shard, &mut desk.generator));
        desk.tags.insert(own_tag, key);
        let flow = Flow { connection: None, ..from.caller.flow };
        let mut call = Self::empty(key, shard, from.facts.clone(), trunk, flow, own_tag);
        (call.records, call.events) = (from.next_record, from.next_event);
        call.answered = from.talk.as_ref().map(|talk| talk.answered);
        call
    }

    /// Goes on where it was answered; else 500 to the caller, CANCEL to each target that may ring, and
    /// the terminal record. A 2xx that comes all the same gets ACK and BYE.
    pub fn resume(&mut self, desk: &mut Desk, from: &Recovered) {
        desk.trace(self.facts.call, TraceItem::Recovered);
        self.flow = settled(desk, &from.caller.flow);
        match &from.talk {
            Some(talk) => self.go_on(desk, from, talk),
            None => {
                for leg in &from.legs {
                    self.revive(desk, leg);
                }
                self.refuse_after_all(desk, from);
            }
        }
    }

    /// What an answered call still needs of a Dial whose target is connected now.
    pub(super) fn dial_left(&self, desk: &Desk, run: Option<&Run>) -> DialLeft {
        let rang = run.and_then(|run| run.rang);
        DialLeft {
            time_limit: run.map_or(Duration::ZERO, |run| run.dial.time_limit),
            action: run.and_then(|run| run.dial.action.clone()),
            rang_for: rang.map_or(Duration::ZERO, |rang| desk.now.since(rang)),
        }
    }

    fn refuse_after_all(&mut self, desk: &mut Desk, from: &Recovered) {
        let failure = Failure { status: 500, reason: Reason::Internal };
        if let Some(server) = self.revive_invite(desk, from) {
            let refusal = from.refusal();
            let head = refusal.len() - b"Content-Length: 0\r\n\r\n".len();
            desk.paper.clear();
            let mut writer = Writer::append(&mut desk.paper);
            writer.bytes(&refusal[..head]);
            compose::own_reason(&mut writer, self.told_reason(Some(failure.reason)));
            writer.finish();
            desk.respond(server, failure.status);
            desk.trace_sent(self.facts.call, None);
        }
        for leg in 0..self.legs.len() {
            self.abandon_leg(desk, leg, failure.status, b"");
        }
        self.finish_unanswered(desk, failure, HangupSource::Router);
    }

    fn go_on(&mut self, desk: &mut Desk, from: &Recovered, talk: &Talk) {
        // What came within 64*T1 before may still be answered or repeated.
        let fresh = desk.now.since(talk.answered) < desk.give_up();
        for leg in &from.legs {
            self.revive(desk, leg);
            let at = self.legs.len() - 1;
            match talk.holds(leg.invited.leg) {
                Some(place) => {
                    self.keep_leg(desk, at, fresh.then_some(&leg.invited));
                    self.legs[at].answered = Some(place.since);
                }
                // It lost, or a transfer was on its way to it.
                None => self.abandon_leg(desk, at, 487, ELSEWHERE),
            }
        }
        let found = |of: &Self, sid| of.legs.iter().position(|leg| leg.sid == sid);
        let leg = found(self, talk.target_side.leg).unwrap_or_else(|| self.unknown_leg(talk));
        let pair = self.revive_pair(desk, leg, talk);
        self.pairs[pair].a_leg = talk.caller_side.as_ref().and_then(|place| found(self, place.leg));
        self.winner = Some(pair);
        self.phase = Phase::Talking;
        self.revive_dials(desk, talk);
        self.revive_session(desk, pair, talk);
        self.record(desk, Change::Recovered, None);
        self.acked = talk.acked;
        let server = if fresh || !talk.acked { self.revive_invite(desk, from) } else { None };
        let flow = server.and_then(|server| desk.table.flow(server)).unwrap_or(self.flow);
        if let Some(server) = server {
            // From now on it absorbs what is repeated; the 2xx itself is ours to repeat.
            desk.paper.clear();
            desk.paper.extend_from_slice(&talk.response);
            let responded = desk.table.respond(desk.now, server, 200, &talk.response, &mut desk.timers);
            debug_assert!(responded.is_ok(), "it was made a moment ago");
        }
        if talk.acked {
            self.pairs[pair].liveness = Some(desk.start(from.probe_after, self.key, What::Probe(pair)));
        } else {
            self.answer_once_more(desk, pair, flow, &talk.response);
        }
    }

    /// Our 2xx has no ACK that was written: it is repeated from the beginning.
    fn answer_once_more(&mut self, desk: &mut Desk, pair: usize, flow: Flow, bytes: &Arc<[u8]>) {
        let Some(cseq) = Message::scan(bytes).ok().map(|response| response.cseq().number) else {
            return self.no_longer(desk, pair);
        };
        let far_cseq = self.legs[self.pairs[pair].leg].cseq;
        let answering = self.answering(desk, pair, Side::A, (cseq, far_cseq), flow, bytes.clone());
        self.pairs[pair].answering = Some(answering);
        desk.send(flow, bytes, crate::call::ask::SendToken::default());
    }

    /// A 2xx that cannot be read, which nothing that was printed here can be.
    fn no_longer(&mut self, desk: &mut Desk, pair: usize) {
        self.hang_up(desk, pair, Reason::Internal, HangupSource::Router, None);
    }

    fn revive_dials(&mut self, desk: &mut Desk, talk: &Talk) {
        self.dial = Some(Box::new(revived(&talk.target_side)));
        self.phase_timer = Some(self.limit_again(desk, &talk.target_side));
        self.dial_of_caller = talk.caller_side.as_ref().map(|place| {
            let timer = Some(self.limit_again(desk, place));
            Box::new(Run { timer, ..revived(place) })
        });
    }

    /// The time limit of a Dial, as far as it has not passed.
    fn limit_again(&self, desk: &mut Desk, place: &Place) -> TimerId {
        let remains = place.dial.time_limit.saturating_sub(desk.now.since(place.since));
        desk.start(remains, self.key, What::TimeLimit)
    }

    /// Nobody knows when the last refresh came: the interval begins anew.
    fn revive_session(&mut self, desk: &mut Desk, pair: usize, talk: &Talk) {
        let interval = talk.caller.session_interval.max(talk.target.session_interval);
        if interval > 0 {
            let after = Duration::from_secs(interval.into());
            let timer = Some(desk.start(after, self.key, What::Session(pair)));
            self.session = Some(Session { interval, timer });
        }
    }
}

/// A Dial that was answered, as far as its end needs it.
fn revived(place: &Place) -> Run {
    let left = &place.dial;
    let dial = Dial {
        nouns: Vec::new(),
        timeout: Duration::ZERO,
        time_limit: left.time_limit,
        caller_id: None,
        action: left.action.clone(),
    };
    let before = place.since.since(Instant::ZERO).saturating_sub(left.rang_for);
    let rang = (!left.rang_for.is_zero()).then_some(Instant::ZERO + before);
    Run { rang, ..Run::new(Box::new(dial)) }
}
