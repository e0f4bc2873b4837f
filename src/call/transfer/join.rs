//! The target's offer goes to the transferee, the answer back in the ACK; then they are one call.

use std::time::Duration;

use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role, What};
use crate::call::outcome::CallStatus;
use crate::call::passage;
use crate::call::program::Failure;
use crate::call::record::Change;
use crate::call::session::{self, Wish};
use crate::call::state::{Call, LegState, Pair, Side};
use crate::call::target;
use crate::dialog::Dialog;
use crate::reason::Reason;
use crate::sip::{Kept, Message, Method, Name};

use super::{Described, Transfer};

/// How often the transferee may be busy with another offer.
const MOST_WAITS: u8 = 4;

impl Transfer {
    /// What the transferee is told of the session: that the target refreshes it, or that it shall itself.
    fn wish_of_transferee(&self) -> Option<Wish> {
        let least = self.least_session;
        let told = self.refreshed.map(|interval| Wish::of_other(interval, least));
        told.or(self.session.map(|interval| Wish::of_peer(interval, least)))
    }
}

impl Call {
    /// The target answered: what it describes goes to the transferee.
    pub(in crate::call) fn target_joins(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let Some(transfer) = self.transfer.as_ref() else { return };
        let (old, by) = (transfer.pair, transfer.by);
        let dialog = self.target_dialog(leg, response).filter(|_| !response.body().is_empty());
        let Some(dialog) = dialog else {
            self.lost(desk, leg, response);
            self.leg_failed(desk, leg, Failure { status: 488, reason: Reason::TargetRefused }, true);
            // Its repetitions get the ACK again as long as its transaction lives.
            return self.legs[leg].state = LegState::Abandoned;
        };
        self.wins(desk, leg, response);
        let made = self.make_pair(old, by, leg, dialog);
        let near = self.legs[leg].flow;
        let unresolved = target::aim(&desk.config, self.pairs[made].dialog_mut(by), &near);
        if unresolved.is_some() {
            self.pairs[made].dialog_mut(by).flow = near;
        }
        self.listen(made, by, response);
        let asked = self.legs[leg].session;
        if let Some(transfer) = self.transfer.as_mut() {
            (transfer.leg, transfer.made) = (Some(leg), Some(made));
            transfer.answer = Some(Kept::new(response));
            transfer.refreshed = session::refreshed_by_peer(response);
            transfer.session = response.session_expires().map(|said| said.interval).or(asked);
        }
        if self.legs[leg].offered.is_some() {
            self.send_ack(desk, made, by, self.legs[leg].cseq, None);
        }
        self.offer_to_transferee(desk);
    }

    /// The target's dialog beside the transferee's.
    fn make_pair(&mut self, old: usize, by: Side, leg: usize, dialog: Dialog) -> usize {
        let of = &self.pairs[old];
        let mut pair = match by {
            Side::B => Pair::early(leg, of.a.clone(), dialog, of.a_tag),
            Side::A => Pair::early(of.leg, dialog, of.b.clone(), self.legs[leg].tag),
        };
        let stays = by.other() as usize;
        pair.a_leg = if by == Side::A { Some(leg) } else { of.a_leg };
        pair.spoken[stays].clone_from(&of.spoken[stays]);
        pair.confirmed = true;
        self.pairs.push(pair);
        self.pairs.len() - 1
    }

    /// The target's description goes to the transferee, as soon as nothing else is offered there.
    fn offer_to_transferee(&mut self, desk: &mut Desk) {
        let Some(mut transfer) = self.transfer.take() else { return };
        let (old, by) = (transfer.pair, transfer.by);
        if let (Some(made), Some(answer)) = (transfer.made, transfer.answer.as_ref()) {
            let is_busy = self.pairs[old].answering.is_some()
                || self.relays.iter().any(|relay| relay.offers && relay.pair == old);
            if is_busy {
                self.wait_to_offer(desk, &mut transfer);
            } else {
                // Who stays knows its peer by what it heard first, if only in the ACK that was waited for.
                let (of, stays) = (&self.pairs[old], by.other() as usize);
                let heard = of.spoken[by as usize].as_deref().and_then(Described::of).map(Box::new);
                self.pairs[made].origins[stays] = of.origins[stays].clone().or(heard);
                // Both copies of the transferee's dialog count the re-INVITE.
                let cseq = self.pairs[old].dialog_mut(by.other()).next_cseq();
                self.pairs[made].dialog_mut(by.other()).local_cseq = cseq;
                let wish = transfer.wish_of_transferee();
                self.reinvite(desk, (made, by.other()), Role::Transfer, (&answer.message(), wish));
            }
        }
        self.transfer = Some(transfer);
    }

    /// RFC 3261 14.1: who made the Call-ID waits longer.
    fn wait_to_offer(&self, desk: &mut Desk, transfer: &mut Transfer) {
        transfer.waits += 1;
        let least = if transfer.by == Side::A { 2_100 } else { 0 };
        let wait = Duration::from_millis(least + u64::from(desk.generator.next_u32() % 1_900));
        transfer.busy = Some(desk.start(wait, self.key, What::TransferOffer));
    }

    /// The transferee's dialog may be free now.
    pub(in crate::call) fn offer_again(&mut self, desk: &mut Desk) {
        let Some(transfer) = self.transfer.as_mut() else { return };
        transfer.busy = None;
        match transfer.waits < MOST_WAITS {
            true => self.offer_to_transferee(desk),
            false => self.transfer_failed(desk, 491),
        }
    }

    /// A re-INVITE of our own with another's description, under the dialog's latest number.
    fn reinvite(
        &mut self,
        desk: &mut Desk,
        (pair, side): (usize, Side),
        role: Role,
        (described, wish): (&Message<'_>, Option<Wish>),
    ) {
        let credentials = self.dialog_credentials(desk, (pair, side), Method::Invite);
        let body = self.body_toward(pair, side, described);
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let dialog = self.pairs[pair].dialog(side);
        let (known, cseq) = (self.flow.local, dialog.local_cseq);
        let parts = compose::InDialog { method: Method::Invite, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials).numeric(Name::MaxForwards, 70);
        compose::contact(&mut writer, &desk.config, &dialog.flow, known, dialog.is_sips());
        writer.header(Name::Allow, &[compose::ALLOW]);
        session::wished(&mut writer, wish);
        passage::body_headers(&mut writer, described);
        writer.body(&body);
        let flow = dialog.flow;
        desk.paper = paper;
        desk.request(b"INVITE", branch, flow, Owner { call: self.key, role });
        desk.trace_sent(self.facts.call, self.leg_of(pair, side));
        self.reinvites += 1;
    }

    /// What the transferee says to the target's description.
    pub(in crate::call) fn transferee_responded(&mut self, desk: &mut Desk, response: &Message<'_>) {
        let code = response.code().unwrap_or(500);
        let made = self.transfer.as_ref().and_then(|transfer| Some((transfer.made?, transfer.by)));
        let of_this = |call: &Self, (made, by): (usize, Side)| {
            call.pairs[made].dialog(by.other()).local_cseq == response.cseq().number
        };
        let Some((made, by)) = made.filter(|made| of_this(self, *made)) else {
            return self.late_success(desk, response);
        };
        match code {
            100..=199 => {}
            200..=299 => {
                self.send_ack(desk, made, by.other(), response.cseq().number, None);
                self.listen(made, by.other(), response);
                self.transferred(desk, made, response);
            }
            491 => {
                if let Some(mut transfer) = self.transfer.take() {
                    self.wait_to_offer(desk, &mut transfer);
                    self.transfer = Some(transfer);
                }
            }
            401 | 407 if self.challenged(made, by.other(), response) => self.offer_once_more(desk),
            422 if self.wishes_longer(response) => self.offer_once_more(desk),
            _ => self.transfer_failed(desk, code),
        }
    }

    /// The transferee takes no session as short as that.
    fn wishes_longer(&mut self, response: &Message<'_>) -> bool {
        let least = session::least_of(response);
        let Some((transfer, least)) = self.transfer.as_mut().zip(least) else { return false };
        least > std::mem::replace(&mut transfer.least_session, least)
    }

    /// The transferee wants to know who offers, or a longer session.
    fn offer_once_more(&mut self, desk: &mut Desk) {
        if let Some(transfer) = self.transfer.as_mut() {
            transfer.waits += 1;
        }
        match self.transfer.as_ref().is_some_and(|transfer| transfer.waits < MOST_WAITS) {
            true => self.offer_to_transferee(desk),
            false => self.transfer_failed(desk, 403),
        }
    }

    /// The transferee did not answer the re-INVITE.
    pub(in crate::call) fn transferee_silent(&mut self, desk: &mut Desk) {
        self.transfer_failed(desk, 408);
    }

    /// The transferee's answer goes to the target in its ACK; the transferor is told, and released.
    fn transferred(&mut self, desk: &mut Desk, made: usize, response: &Message<'_>) {
        let Some(mut transfer) = self.transfer.take() else { return };
        let (old, by) = (transfer.pair, transfer.by);
        let Some(leg) = transfer.leg else { return };
        transfer.forget(desk);
        // What went on meanwhile went on in the old pair.
        let mut near = self.pairs[old].dialog(by.other()).clone();
        near.refresh(response);
        *self.pairs[made].dialog_mut(by.other()) = near;
        let of_transferee = session::refreshed_by_peer(response).filter(|_| transfer.refreshed.is_none());
        self.tell_target(desk, &transfer, (made, leg), response, of_transferee);
        self.begin_session(desk, made, transfer.refreshed.or(of_transferee));
        self.pairs[old].alive[by.other() as usize] = false;
        self.stop_liveness(desk, old);
        self.take_place(desk, &mut transfer, made, leg);
        self.start_liveness(desk, made);
        self.notify_of(desk, &transfer, 200);
        self.bye(desk, old, by, b"", &[]);
    }

    /// What the transferee answered is for the target: in its ACK, or, where the target had an offer, in
    /// a re-INVITE if it is news.
    fn tell_target(
        &mut self,
        desk: &mut Desk,
        transfer: &Transfer,
        (made, leg): (usize, usize),
        response: &Message<'_>,
        of_transferee: Option<u32>,
    ) {
        let by = transfer.by;
        match &self.legs[leg].offered {
            None => self.ack_with(desk, made, by, self.legs[leg].cseq, response),
            Some(known) if **known == *response.body() || response.body().is_empty() => {}
            Some(_) => {
                let own = transfer.refreshed.map(|interval| Wish::of_peer(interval, 0));
                let wish = own.or(of_transferee.map(|interval| Wish::of_other(interval, 0)));
                self.settling = true;
                self.pairs[made].dialog_mut(by).next_cseq();
                self.reinvite(desk, (made, by), Role::Settle, (response, wish));
            }
        }
    }

    /// The target takes the transferor's place: that one's Dial and leg are over, and its own begin to
    /// count.
    fn take_place(&mut self, desk: &mut Desk, transfer: &mut Transfer, made: usize, leg: usize) {
        let (old, by) = (transfer.pair, transfer.by);
        let left = self.pairs[old].leg_at(by);
        self.legs[leg].answered = Some(desk.now);
        self.tell_leg(desk, leg, CallStatus::Answered);
        let (joined, stayed) = (self.kept(made, by), self.kept(made, by.other()));
        let (sid, caller) = (self.legs[leg].sid, by == Side::A);
        let mut run = transfer.run.take();
        let dial = Box::new(self.dial_left(desk, run.as_deref()));
        self.record(desk, Change::Transferred { leg: sid, caller, joined, stayed, dial }, None);
        self.dial_completed(desk, by);
        if let Some(left) = left {
            let duration = self.talked(desk, left);
            self.leg_over(desk, left, 200, duration);
            let sid = self.legs[left].sid;
            self.record(desk, Change::LegEnded { leg: sid, sip_code: 200 }, None);
        }
        self.winner = Some(made);
        if by == Side::B {
            self.dial = run;
            return self.start_time_limit(desk);
        }
        if let Some(run) = &mut run {
            run.timer = Some(desk.start(run.dial.time_limit, self.key, What::TimeLimit));
        }
        self.dial_of_caller = run;
    }

    /// ACK with the body of another's 2xx.
    pub(super) fn ack_with(
        &mut self,
        desk: &mut Desk,
        pair: usize,
        side: Side,
        cseq: u32,
        answer: &Message<'_>,
    ) {
        let credentials = self.dialog_credentials(desk, (pair, side), Method::Ack);
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let dialog = self.pairs[pair].dialog(side);
        let known = self.flow.local;
        let parts = compose::InDialog { method: Method::Ack, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials).numeric(Name::MaxForwards, 70);
        passage::body_headers(&mut writer, answer);
        writer.body(answer.body());
        let flow = dialog.flow;
        desk.paper = paper;
        self.leave_ack(desk, (pair, side), cseq, flow);
    }
}
