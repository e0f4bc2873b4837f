//! Targets that ring: for how long they may without a word (Timer C), and when the caller hears that
//! one has stopped (199, RFC 6228).

use std::time::Duration;

use crate::call::compose;
use crate::call::desk::{Desk, What};
use crate::call::program::Failure;
use crate::call::state::{Call, LegState};
use crate::reason::Reason;
use crate::sip::{Message, Name};

/// Timer C (16.6 step 11): more than three minutes, as whoever rings says so each minute (13.3.1.1).
const RINGS: Duration = Duration::from_secs(190);

impl Call {
    /// A provisional response of a leg: the first of any kind starts Timer C, 101 to 199 start it anew
    /// (16.7 step 2). An emergency call rings as long as it must.
    pub(super) fn keep_ringing(&mut self, desk: &mut Desk, leg: usize, code: u16) {
        let rings = self.legs[leg].state == LegState::Ringing && code < 200;
        if !rings || self.emergency.is_some() || (code == 100 && self.legs[leg].timer_c.is_some()) {
            return;
        }
        desk.stop(&mut self.legs[leg].timer_c);
        self.legs[leg].timer_c = Some(desk.start(RINGS, self.key, What::TimerC(leg)));
    }

    /// A target has said nothing for too long: CANCEL, as if it had answered 408 (16.8).
    pub(super) fn rang_too_long(&mut self, desk: &mut Desk, leg: usize) {
        self.legs[leg].timer_c = None;
        if self.legs[leg].state != LegState::Ringing {
            return;
        }
        self.abandon_leg(desk, leg, 408, &[]);
        self.fork_failed(desk, leg, Failure { status: 408, reason: Reason::NoAnswer }, false);
        self.tell_early_over(desk, 408);
    }

    /// Whether the caller wants to hear that an early dialog is over.
    pub(super) fn hears_of_ends(&self) -> bool {
        let Some(kept) = &self.invite else { return false };
        // What it takes only reliably is not worth a PRACK (RFC 6228 6).
        kept.message().lists(Name::Supported, "199")
            && !self.requires_100rel()
            && !self.trunk.single_early_dialog
    }

    /// Tells the caller of each early dialog whose target rings no more, while others may.
    pub(super) fn tell_early_over(&mut self, desk: &mut Desk, code: u16) {
        if self.server.is_none() || !self.hears_of_ends() {
            return;
        }
        for pair in 0..self.pairs.len() {
            let rings = matches!(self.legs[self.pairs[pair].leg].state, LegState::Ringing | LegState::Won);
            if !rings && !std::mem::replace(&mut self.pairs[pair].told_over, true) {
                self.send_199(desk, pair, code);
            }
        }
    }

    fn send_199(&mut self, desk: &mut Desk, pair: usize, code: u16) {
        let (Some(server), Some(kept)) = (self.server, &self.invite) else { return };
        let (request, tag) = (kept.message(), self.pairs[pair].a_tag);
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = compose::response(&mut paper, &request, &self.flow, 199, Some(tag.as_bytes()));
        writer.record_routes(&request);
        let by_sips = compose::asks_for_sips(&request);
        compose::contact(&mut writer, &desk.config, &self.flow, self.flow.local, by_sips);
        // RFC 6228 4: the code that ended it.
        writer.begin(Name::Reason).bytes(b"SIP;cause=").number(code.into()).end();
        writer.finish();
        desk.paper = paper;
        if desk.respond(server, 199) {
            desk.trace_sent(self.facts.call, None);
        }
    }

    /// A target's own 199: one of its early dialogs is over.
    pub(super) fn early_dialog_over(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        if !self.hears_of_ends() {
            return;
        }
        let tag = response.to().tag().unwrap_or_default();
        let pair = self.pairs.iter().position(|pair| pair.leg == leg && &*pair.b.remote_tag == tag);
        if let Some(pair) = pair {
            self.pairs[pair].told_over = true;
            self.early(desk, leg, response);
        }
    }
}
