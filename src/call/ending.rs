//! How an answered call ends: BYE from either side, from outside, or by us.

use std::time::Duration;

use crate::call::ask::Purpose;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role, What};
use crate::call::outcome::{CallStatus, HangupSource, Terminal};
use crate::call::passage;
use crate::call::program::Failure;
use crate::call::state::{Call, Phase, Side};
use crate::flow::Flow;
use crate::reason::Reason;
use crate::routing::model::Hook;
use crate::sip::{Message, Method, Name, Writer};
use crate::transaction::table::TransactionId;

impl Call {
    /// BYE from one side: 200 at once, then BYE to the other, with its Reason and body.
    pub(super) fn hung_up(
        &mut self,
        desk: &mut Desk,
        pair: usize,
        side: Side,
        server: TransactionId,
        flow: &Flow,
        bye: &Message<'_>,
    ) {
        self.refuse_request(desk, server, flow, bye, 200, None);
        if !self.pairs[pair].confirmed {
            // A BYE of an early dialog: the caller's ends the call, a target's only its dialog (15.1).
            match side {
                Side::A => return self.cancelled(desk, bye),
                Side::B if self.held_answer.as_ref().is_some_and(|held| held.0 == pair) => {
                    let failure = Failure { status: 480, reason: Reason::TargetRefused };
                    return self.refuse(desk, failure, HangupSource::Callee);
                }
                Side::B => return self.pairs[pair].alive = [false; 2],
            }
        }
        if self.is_joining(pair, side) {
            // A transfer's target leaves before it is connected: the call goes on without it.
            self.pairs[pair].alive[side as usize] = false;
            return self.transfer_failed(desk, 480);
        }
        self.left_unacknowledged(desk, pair, side);
        // Who was transferred away, or never joined, is no part of the call: its BYE crossed ours.
        let apart = self.winner.is_some_and(|winner| winner != pair);
        if apart || self.leaves_transfer(pair, side) {
            return self.pairs[pair].alive[side as usize] = false;
        }
        self.drop_transfer(desk);
        let mut extra = Vec::new();
        let mut writer = Writer::append(&mut extra);
        passage::reasons(&mut writer, bye);
        passage::body_headers(&mut writer, bye);
        let source = if side == Side::A { HangupSource::Caller } else { HangupSource::Callee };
        self.pairs[pair].alive[side as usize] = false;
        self.bye(desk, pair, side.other(), &extra, bye.body());
        self.end_talking(desk, pair, Reason::Completed, source);
    }

    /// Ends an answered call from here: BYE to both sides. `gone` needs none any more, but gets one
    /// all the same, in case it is only deaf.
    pub(super) fn hang_up(
        &mut self,
        desk: &mut Desk,
        pair: usize,
        reason: Reason,
        source: HangupSource,
        gone: Option<Side>,
    ) {
        let cause: &[u8] = match (reason, gone) {
            (Reason::PeerLost, _) => b"Reason: SIP;cause=408;text=\"Peer lost\"\r\n",
            _ => b"",
        };
        self.drop_transfer(desk);
        for side in [Side::A, Side::B] {
            self.bye(desk, pair, side, cause, &[]);
        }
        self.end_talking(desk, pair, reason, source);
    }

    /// No ACK within 64*T1 (13.3.1.4): ACK and BYE to the side whose 2xx it was for, BYE to the other.
    pub(super) fn no_ack(&mut self, desk: &mut Desk, pair: usize) {
        let Some(answering) = self.pairs[pair].answering.take() else { return };
        self.ensure_ack(desk, pair, answering.side.other(), answering.far_cseq);
        self.release_held_bye(desk, pair);
        self.drop_transfer(desk);
        for side in [Side::A, Side::B] {
            self.bye(desk, pair, side, b"", &[]);
        }
        self.end_talking(desk, pair, Reason::NoAck, HangupSource::Router);
    }

    /// Somebody outside wants the call ended.
    pub fn hang_up_from_outside(&mut self, desk: &mut Desk) {
        match (self.server.is_some(), self.winner) {
            (true, _) => {
                let failure = Failure { status: 603, reason: Reason::HungUp };
                self.refuse(desk, failure, HangupSource::Application);
            }
            (false, Some(pair)) if !self.over => {
                self.hang_up(desk, pair, Reason::HungUp, HangupSource::Application, None);
            }
            _ => {}
        }
    }

    /// Somebody outside gives an unanswered call another document: what rings is cancelled, and its
    /// action not asked, as this URL stands in for it.
    pub fn go_on_from_outside(&mut self, desk: &mut Desk, hook: Hook) {
        let held = self.winner.is_some() || self.held_answer.is_some();
        if self.server.is_none() || held || self.over || self.emergency.is_some() {
            return;
        }
        if let Phase::Asking(ask) = self.phase {
            desk.abort(ask);
        }
        desk.stop(&mut self.phase_timer);
        let leg = self.ringing_leg();
        self.stop_forks(desk, 487, b"");
        if let Some(mut run) = self.dial.take() {
            desk.stop(&mut run.timer);
            self.dial_given_up(desk, &run, leg);
        }
        self.ask(desk, Purpose::Redirect(hook));
    }

    /// The Dial's time limit.
    pub(super) fn time_limit(&mut self, desk: &mut Desk) {
        // A transfer may have left two Dials: the other one's goes with it.
        desk.stop(&mut self.phase_timer);
        if let (Some(pair), false) = (self.winner, self.over) {
            self.hang_up(desk, pair, Reason::TimeLimit, HangupSource::Router, None);
        }
    }

    pub(super) fn start_time_limit(&mut self, desk: &mut Desk) {
        desk.stop(&mut self.phase_timer);
        if let Some(run) = &self.dial {
            self.phase_timer = Some(desk.start(run.dial.time_limit, self.key, What::TimeLimit));
        }
    }

    /// Sends BYE to a side that is still there. Toward the side that owes us an ACK it waits for it,
    /// at most 64*T1 (15: the callee's UA must not send a BYE before).
    pub(super) fn bye(&mut self, desk: &mut Desk, pair: usize, side: Side, extra: &[u8], body: &[u8]) {
        if !std::mem::replace(&mut self.pairs[pair].alive[side as usize], false) {
            return;
        }
        let far_owed =
            self.pairs[pair].answering.as_ref().map(|answering| (answering.side, answering.far_cseq));
        match far_owed {
            Some((waits_for, _)) if waits_for == side => {
                let mut held = extra.to_vec();
                Writer::append(&mut held).body(body);
                self.pairs[pair].held_bye = Some(Box::new((side, held)));
                return;
            }
            // Its 2xx has no ACK yet, as the other side's never came: first that, then BYE.
            Some((_, far_cseq)) => self.ensure_ack(desk, pair, side, far_cseq),
            None => {}
        }
        let mut tail = extra.to_vec();
        Writer::append(&mut tail).body(body);
        self.send_bye(desk, pair, side, &tail);
    }

    /// The ACK that a BYE waited for is there, or will not come.
    pub(super) fn release_held_bye(&mut self, desk: &mut Desk, pair: usize) {
        let Some((side, tail)) = self.pairs[pair].held_bye.take().map(|held| *held) else { return };
        self.send_bye(desk, pair, side, &tail);
    }

    pub(super) fn send_bye(&mut self, desk: &mut Desk, pair: usize, side: Side, tail: &[u8]) {
        let credentials = self.dialog_credentials(desk, (pair, side), Method::Bye);
        let branch = desk.mint_branch(self.shard);
        let cseq = self.pairs[pair].dialog_mut(side).next_cseq();
        let known = self.flow.local;
        let dialog = self.pairs[pair].dialog(side);
        let mut paper = std::mem::take(&mut desk.paper);
        let parts = compose::InDialog { method: Method::Bye, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials);
        writer.numeric(Name::MaxForwards, 70).bytes(tail);
        let flow = dialog.flow;
        desk.paper = paper;
        let owner = Owner { call: self.key, role: Role::Bye(pair, side == Side::A) };
        desk.request(b"BYE", branch, flow, owner);
        desk.trace_sent(self.facts.call, self.leg_of(pair, side));
        self.byes += 1;
    }

    /// A BYE of ours was answered. Where its target wants to know who hangs up, it leaves once more.
    pub(super) fn bye_answered(&mut self, desk: &mut Desk, pair: usize, side: Side, response: &Message<'_>) {
        let wants = matches!(response.code(), Some(401 | 407)) && self.challenged(pair, side, response);
        if wants && !std::mem::replace(&mut self.pairs[pair].bye_again, true) {
            let mut tail = Vec::new();
            Writer::append(&mut tail).finish();
            self.send_bye(desk, pair, side, &tail);
        }
        self.bye_over();
    }

    /// A BYE of ours got its final response, or none ever.
    pub(super) fn bye_over(&mut self) {
        self.byes = self.byes.saturating_sub(1);
    }

    /// A side sends BYE and owes us an ACK. Our 2xx is repeated all the same, as it may never have
    /// come and then its INVITE still waits (13.3.1.4); no BYE of ours waits any more.
    fn left_unacknowledged(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        self.pairs[pair].held_bye.take_if(|held| held.0 == side);
        let Some(answering) = self.pairs[pair].answering.as_ref().filter(|answering| answering.side == side)
        else {
            return;
        };
        // The far side's 2xx is acknowledged before its BYE leaves.
        let far_cseq = answering.far_cseq;
        self.ensure_ack(desk, pair, side.other(), far_cseq);
    }

    /// The terminal record of an answered call.
    pub(super) fn end_talking(&mut self, desk: &mut Desk, pair: usize, reason: Reason, source: HangupSource) {
        if self.over {
            return;
        }
        self.drop_transfer(desk);
        self.stop_liveness(desk, pair);
        self.stop_session(desk);
        self.drop_relays(desk);
        let duration = self.answered.map_or(Duration::ZERO, |answered| desk.now.since(answered));
        self.phase = Phase::Over;
        for side in [Side::B, Side::A] {
            self.dial_completed(desk, side);
        }
        for ask in std::mem::take(&mut self.resolving) {
            desk.abort(ask.0);
        }
        let failed = matches!(reason, Reason::NoAck | Reason::Internal);
        let status = if failed { CallStatus::Failed } else { CallStatus::Completed };
        self.finish(desk, Terminal { status, sip_code: 200, reason, source, duration });
    }

    /// Requests still on their way through the dialog that ends: 487 for each (15.1.2).
    fn drop_relays(&mut self, desk: &mut Desk) {
        for relay in std::mem::take(&mut self.relays) {
            if let Some(server) = relay.server {
                let request = relay.request.message();
                self.refuse_request(desk, server, &relay.flow, &request, 487, Some(Reason::Canceled));
            }
            if let Some(client) = relay.client.filter(|_| relay.invite) {
                let leg = self.leg_of(relay.pair, relay.from.other());
                desk.cancel(client, b"", self.facts.call, leg);
            }
        }
    }
}
