//! How a Dial ends: its timeout, its failure, its answer's end; its action hears of it.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::Purpose;
use crate::call::desk::Desk;
use crate::call::hand_over::is_hand_over;
use crate::call::instructions::Dial;
use crate::call::outcome::{CallStatus, DialOutcome};
use crate::call::program::Failure;
use crate::call::record::Change;
use crate::call::state::{Call, Phase, Run, Side};
use crate::call::trace::TraceItem;
use crate::reason::Reason;
use crate::sip::{Message, Name};

/// The headers that an action hears of.
const EXTENSIONS: usize = 32;
/// Their names and values, in bytes.
const EXTENSIONS_BYTES: usize = 4 << 10;

impl Call {
    /// The Dial's timeout.
    pub(super) fn dial_timed_out(&mut self, desk: &mut Desk) {
        let failure = Failure { status: 408, reason: Reason::NoAnswer };
        if let Some(run) = self.run_mut() {
            run.timer = None;
        }
        let leg = self.ringing_leg();
        self.stop_forks(desk, 408, b"");
        self.dial_failed(desk, failure, leg);
        self.tell_early_over(desk, 408);
    }

    /// The Dial is over without an answer, nothing rings any more: its action, or the next verb.
    pub(super) fn dial_failed(&mut self, desk: &mut Desk, failure: Failure, leg: Option<usize>) {
        let Some(mut run) = self.run_place().take() else { return };
        desk.stop(&mut run.timer);
        self.program_mut().dial_failed(failure);
        let status = CallStatus::of_refusal(failure.status);
        let outcome = self.outcome(desk, &run, leg, status, Some(failure.status), Duration::ZERO);
        self.record(desk, Change::Dialled(Box::new(outcome.clone())), None);
        if is_hand_over(&run.dial) {
            return self.fall_back(desk, failure);
        }
        match run.dial.action.clone() {
            Some(action) => self.ask(desk, Purpose::Action(action, Box::new(outcome))),
            None => self.perform(desk),
        }
    }

    /// The caller is gone or refused while a Dial may run: cancel it, tell its action.
    pub(super) fn abandon_dial(&mut self, desk: &mut Desk, failure: Failure) {
        let leg = self.ringing_leg();
        let extra = std::mem::take(&mut self.cancel_reason);
        self.stop_forks(desk, 487, &extra);
        let Some(mut run) = self.dial.take() else { return };
        self.run_given_up(desk, &mut run, leg, failure.status);
    }

    /// A Dial nobody waits for any more, whose legs are abandoned: its action hears of it.
    pub(super) fn run_given_up(&mut self, desk: &mut Desk, run: &mut Run, leg: Option<usize>, code: u16) {
        desk.stop(&mut run.timer);
        let status = CallStatus::of_refusal(code);
        let outcome = self.outcome(desk, run, leg, status, None, Duration::ZERO);
        self.tell_action(desk, &run.dial, outcome);
    }

    /// The Dial that brought who stood on a side of the call is over: its action is asked, and its
    /// document not executed.
    pub(super) fn dial_completed(&mut self, desk: &mut Desk, side: Side) {
        let place = if side == Side::B { &mut self.dial } else { &mut self.dial_of_caller };
        let Some(mut run) = place.take() else { return };
        desk.stop(&mut run.timer);
        let leg = self.winner.and_then(|pair| self.pairs[pair].leg_at(side));
        let duration = leg.map_or(Duration::ZERO, |leg| self.talked(desk, leg));
        let outcome = self.outcome(desk, &run, leg, CallStatus::Completed, Some(200), duration);
        self.tell_action(desk, &run.dial, outcome);
    }

    /// A Dial that another document takes the place of.
    pub(super) fn dial_given_up(&mut self, desk: &mut Desk, run: &Run, leg: Option<usize>) {
        let outcome = self.outcome(desk, run, leg, CallStatus::Canceled, None, Duration::ZERO);
        self.record(desk, Change::Dialled(Box::new(outcome)), None);
    }

    fn tell_action(&mut self, desk: &mut Desk, dial: &Dial, outcome: DialOutcome) {
        // The call goes on where somebody is, or was, transferred.
        let goes_on = self.phase == Phase::Talking;
        let status = if goes_on { CallStatus::InProgress } else { outcome.status };
        self.record(desk, Change::Dialled(Box::new(outcome.clone())), None);
        if let Some(action) = dial.action.clone() {
            let question = self.question(Purpose::Action(action, Box::new(outcome)), status);
            let id = desk.ask_aside(self.facts.call, question);
            desk.trace(self.facts.call, TraceItem::Asked(id, "action".into()));
        }
    }

    fn outcome(
        &self,
        desk: &Desk,
        run: &Run,
        leg: Option<usize>,
        status: CallStatus,
        sip_code: Option<u16>,
        duration: Duration,
    ) -> DialOutcome {
        let leg = leg.map(|leg| &self.legs[leg]);
        let rang_until = leg.and_then(|leg| leg.answered).unwrap_or(desk.now);
        DialOutcome {
            status,
            leg: leg.map(|leg| leg.sid),
            duration,
            ring_duration: run.rang.map_or(Duration::ZERO, |rang| rang_until.since(rang)),
            sip_code: leg.and(sip_code),
            sip_call_id: leg.map(|leg| String::from_utf8_lossy(&leg.call_id).into_owned()),
            sip_headers: leg.map(|leg| leg.extensions.clone()).unwrap_or_default(),
        }
    }
}

/// The `X-` headers of a leg's final response, as its Dial's action hears of them: the first 32, of
/// 4 KiB altogether.
pub(super) fn extensions(response: &Message<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    let is_extension = |name: &[u8]| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"X-"));
    let text = |bytes: &[u8]| -> Arc<str> { String::from_utf8_lossy(bytes).into() };
    let mut room = EXTENSIONS_BYTES;
    let headers = response.headers().filter(|header| header.name == Name::Other && is_extension(header.text));
    let told = headers.map(|header| (text(header.text), text(&header.unfolded())));
    let fits = |(name, value): &(Arc<str>, Arc<str>)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    told.take(EXTENSIONS).take_while(fits).collect()
}
