//! The targets' side of a call: what their responses to our INVITEs do.

use std::sync::Arc;
use std::time::Duration;

use crate::call::capabilities;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::dialled;
use crate::call::dialling::ELSEWHERE;
use crate::call::mint::Tag;
use crate::call::program::Failure;
use crate::call::record::Change;
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, LegState, Loser, Pair, Side, one_at_first};
use crate::call::target;
use crate::dialog::{Dialog, Local};
use crate::reason::Reason;
use crate::sip::{Kept, Message, Method, Name};

/// Dialogs that one INVITE may open, early ones included, and 2xx of it that may lose: a proxy behind
/// the target has no more branches than Max-Breadth grants, and what goes beyond is nobody's.
const MOST_DIALOGS: usize = 64;

impl Call {
    /// A response to the INVITE of a leg.
    pub(super) fn leg_responded(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let code = response.code().unwrap_or(500);
        self.legs[leg].heard = true;
        self.legs[leg].progressed |= (101..200).contains(&code);
        if code != 503 {
            desk.dead.forget(&self.legs[leg].flow.destination());
        }
        desk.stop(&mut self.legs[leg].first_response);
        self.keep_ringing(desk, leg, code);
        match (self.legs[leg].state, code) {
            (LegState::Ringing, 199) => self.early_dialog_over(desk, leg, response),
            (LegState::Ringing, 101..=199) => self.early(desk, leg, response),
            (LegState::Ringing, 200..=299) => self.won(desk, leg, response),
            (LegState::Ringing, 300..) => self.leg_refused(desk, leg, code, response),
            (LegState::Won, 200..=299) => self.another_success(desk, leg, response),
            (LegState::Abandoned | LegState::Ended, 200..=299) => self.lost(desk, leg, response),
            (LegState::Abandoned, 300..) => self.legs[leg].state = LegState::Ended,
            _ => {}
        }
    }

    /// The INVITE of a leg got no final response in time.
    pub(super) fn leg_timed_out(&mut self, desk: &mut Desk, leg: usize) {
        let silent = !self.legs[leg].heard;
        let reason = if silent { Reason::TargetSilent } else { Reason::NoAnswer };
        // A leg that was left has been noted when it was.
        if silent && self.legs[leg].state == LegState::Ringing {
            self.note_dead(desk, leg);
        }
        self.leg_failed(desk, leg, Failure { status: 408, reason }, true);
    }

    /// The INVITE of a leg could not be sent.
    pub(super) fn leg_unreachable(&mut self, desk: &mut Desk, leg: usize) {
        if self.retry_over_udp(desk, leg) {
            return;
        }
        self.note_dead(desk, leg);
        self.leg_failed(desk, leg, Failure { status: 500, reason: Reason::TargetUnreachable }, true);
    }

    /// The target of a leg was silent, unreachable or answered 503: others are tried before it.
    pub(super) fn note_dead(&self, desk: &mut Desk, leg: usize) {
        desk.dead.note(desk.now, self.legs[leg].flow.destination(), desk.config.dead_target);
    }

    /// A provisional response: through the dialog it opens, or under our own tag.
    pub(super) fn early(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let code = response.code().unwrap_or(180);
        if code == 180
            && let Some(run) = self.run_mut()
        {
            run.rang.get_or_insert(desk.now);
            self.leg_rings(desk, leg);
        }
        if self.transfer.is_some() {
            return;
        }
        if self.trunk.single_early_dialog {
            return self.ring(desk, 180, self.own_tag, None, None);
        }
        let (mut tag, mut of) = (self.own_tag, None);
        if self.opens_too_many(leg, response) {
            return;
        }
        if let Some(pair) = self.pair_of(desk, leg, response) {
            self.listen(pair, Side::B, response);
            let Ok(source) = self.in_order(pair, response) else { return };
            (tag, of) = (self.pairs[pair].a_tag, source);
        }
        self.ring(desk, code, tag, Some((leg, response)), of);
    }

    /// The first 2xx of any leg.
    fn won(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        if self.transfer.is_some() {
            return self.target_joins(desk, leg, response);
        }
        let Some(pair) = self.pair_of(desk, leg, response) else {
            // A 2xx without Contact opens no dialog that could be used (12.1.2), nor does one whose
            // requests would need TLS (26.2.2): it gets ACK and BYE.
            self.lost(desk, leg, response);
            let failure = Failure { status: 500, reason: Reason::TargetRefused };
            self.leg_failed(desk, leg, failure, true);
            // Its repetitions get the ACK again as long as its transaction lives.
            return self.legs[leg].state = LegState::Abandoned;
        };
        self.listen(pair, Side::B, response);
        self.wins(desk, leg, response);
        // Whatever was said about its early dialog, it is one now.
        self.pairs[pair].alive = [true; 2];
        self.confirm(desk, pair, response);
        self.drop_losing_pairs(pair);
        if self.must_wait(self.pairs[pair].a_tag) {
            self.held_answer = Some(Box::new((pair, Kept::new(response))));
        } else {
            self.answer(desk, pair, response);
        }
    }

    /// A leg of the Dial has won: the others are cancelled.
    pub(super) fn wins(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        self.legs[leg].state = LegState::Won;
        self.legs[leg].extensions = dialled::extensions(response);
        self.gateway_news(desk, leg, GatewayNews::Answered);
        desk.stop(&mut self.legs[leg].timer_c);
        if let Some(run) = self.run_mut() {
            desk.stop(&mut run.timer);
        }
        // The winner's state is not `Ringing`: it is left alone.
        self.stop_forks(desk, 487, ELSEWHERE);
    }

    /// The early dialogs beside the winner's are over. Under a single To tag they were one dialog to
    /// the caller: its numbers go on.
    fn drop_losing_pairs(&mut self, winner: usize) {
        let tag = self.pairs[winner].a_tag;
        let of_caller = self
            .pairs
            .iter()
            .filter(|pair| pair.a_tag == tag)
            .map(|pair| (pair.a.local_cseq, pair.a.remote_cseq));
        let (local, remote) =
            of_caller.fold((0, None), |most, this| (most.0.max(this.0), most.1.max(this.1)));
        let a = &mut self.pairs[winner].a;
        (a.local_cseq, a.remote_cseq) = (local, remote);
        for (at, other) in self.pairs.iter_mut().enumerate() {
            if at != winner {
                other.alive = [false; 2];
            }
        }
    }

    /// A further 2xx of the INVITE that won: a repetition, or another fork that lost.
    fn another_success(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let tag = response.to().tag().unwrap_or_default();
        if self.holds_answer(leg, tag) {
            return;
        }
        let cseq = response.cseq().number;
        // A leg that a transfer brings, or brought, to either side is this call's, and one it replaced was.
        let is_here = |&(pair, side): &(usize, Side)| {
            let of = &self.pairs[pair];
            of.confirmed && of.leg_at(side) == Some(leg) && *of.dialog(side).remote_tag == *tag
        };
        let sides = (0..self.pairs.len()).flat_map(|pair| [(pair, Side::B), (pair, Side::A)]);
        let talks = |pair| self.winner == Some(pair);
        let place =
            sides.filter(is_here).max_by_key(|&(pair, side)| (self.has_acked(pair, side, cseq), talks(pair)));
        match place {
            // It was acknowledged before a restart.
            Some((pair, side))
                if talks(pair) && self.acked && self.pairs[pair].ack[side as usize].is_none() =>
            {
                self.ensure_ack(desk, pair, side, cseq);
            }
            Some((pair, side)) => self.repeat_ack(desk, pair, side, cseq),
            None => self.lost(desk, leg, response),
        }
    }

    /// Sends the stored ACK once more; before there is one, the repeated 2xx is absorbed.
    pub(super) fn repeat_ack(&mut self, desk: &mut Desk, pair: usize, side: Side, cseq: u32) {
        if let Some(ack) = self.pairs[pair].ack[side as usize].as_ref().filter(|ack| ack.cseq == cseq)
            && let Some((flow, bytes)) = ack.left.as_deref()
        {
            desk.send(*flow, bytes, crate::call::ask::SendToken::default());
        }
    }

    /// A 2xx that nobody waits for: ACK, then BYE (13.2.2.4); its repetitions get the ACK again.
    pub(super) fn lost(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let tag: Arc<[u8]> = response.to().tag().unwrap_or_default().into();
        if let Some(loser) = self.legs[leg].losers.iter().find(|loser| loser.tag == tag) {
            return desk.send(loser.flow, &loser.ack, crate::call::ask::SendToken::default());
        }
        if self.legs[leg].losers.len() >= MOST_DIALOGS {
            return;
        }
        let mut dialog = self.target_dialog(leg, response).unwrap_or_else(|| self.bare_dialog(leg, response));
        let near = dialog.flow;
        target::aim(&desk.config, &mut dialog, &near);
        let (known, cseq) = (self.flow.local, self.legs[leg].cseq);
        let credentials = self.leg_credentials(desk, leg, &dialog.target, Method::Ack);
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let parts = compose::InDialog { method: Method::Ack, dialog: &dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials).numeric(Name::MaxForwards, 70);
        writer.finish();
        desk.paper = paper;
        desk.send_paper(dialog.flow);
        desk.trace_sent(self.facts.call, Some(self.legs[leg].sid));
        dialog.local_cseq = self.used_in(leg, &dialog.remote_tag).max(cseq);
        let (flow, ack) = (dialog.flow, desk.paper.as_slice().into());
        self.legs[leg].losers.push(Loser { tag, ack, flow, dialog: Some(Box::new(dialog)), again: false });
        self.loser_bye(desk, leg, self.legs[leg].losers.len() - 1);
    }

    /// BYE to a 2xx that lost.
    fn loser_bye(&mut self, desk: &mut Desk, leg: usize, at: usize) {
        let Some(mut dialog) = self.legs[leg].losers[at].dialog.take() else { return };
        let credentials = self.leg_credentials(desk, leg, &dialog.target, Method::Bye);
        let branch = desk.mint_branch(self.shard);
        let (known, cseq) = (self.flow.local, dialog.next_cseq());
        let mut paper = std::mem::take(&mut desk.paper);
        let parts = compose::InDialog { method: Method::Bye, dialog: &dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials).numeric(Name::MaxForwards, 70).bytes(ELSEWHERE);
        writer.finish();
        desk.paper = paper;
        let owner = Owner { call: self.key, role: Role::LoserBye(leg, at) };
        desk.request(b"BYE", branch, dialog.flow, owner);
        desk.trace_sent(self.facts.call, Some(self.legs[leg].sid));
        self.legs[leg].losers[at].dialog = Some(dialog);
        self.byes += 1;
    }

    /// The BYE to a 2xx that lost was answered. Where its target wants to know who hangs up, it leaves
    /// once more.
    pub(super) fn loser_answered(&mut self, desk: &mut Desk, leg: usize, at: usize, answer: &Message<'_>) {
        let wants = matches!(answer.code(), Some(401 | 407));
        if wants && !self.legs[leg].losers[at].again && self.leg_challenged(leg, answer) {
            self.legs[leg].losers[at].again = true;
            self.loser_bye(desk, leg, at);
        }
        self.bye_over();
    }

    /// Our last number in an early dialog of a leg: PRACK and UPDATE may have been said in it.
    fn used_in(&self, leg: usize, remote_tag: &[u8]) -> u32 {
        let mut pairs = self.pairs.iter().filter(|pair| pair.leg == leg);
        pairs
            .find(|pair| &*pair.b.remote_tag == remote_tag)
            .map_or(self.legs[leg].said, |pair| pair.b.local_cseq)
    }

    /// A final refusal.
    fn leg_refused(&mut self, desk: &mut Desk, leg: usize, code: u16, response: &Message<'_>) {
        if code == 422 && self.ask_longer(desk, leg, response) {
            return;
        }
        if matches!(code, 401 | 407) && self.authenticate(desk, leg, response) {
            return;
        }
        if self.offer_instead(desk, leg, code) {
            return;
        }
        self.legs[leg].ended = code;
        self.legs[leg].extensions = dialled::extensions(response);
        if self.follow(desk, leg, code, response) {
            let failure = Failure { status: code, reason: Reason::TargetRefused };
            return self.leg_failed(desk, leg, failure, true);
        }
        let told = self.invite.as_ref().map(|kept| capabilities::refusal(code, response, &kept.message()));
        let status = toward_caller(told.as_ref().map_or(code, |(status, _)| *status));
        self.legs[leg].refusal = told;
        let reason = match code {
            486 | 600 => Reason::TargetBusy,
            _ => Reason::TargetRefused,
        };
        if code == 503 {
            self.note_dead(desk, leg);
            if let Some(gateway) = self.legs[leg].gateway {
                desk.gateway_refuses(gateway, response);
            }
        }
        // Who calls for help is let go by no gateway's refusal while there is another.
        let elsewhere = code == 503 || self.emergency.is_some();
        self.leg_failed(desk, leg, Failure { status, reason }, elsewhere);
    }

    /// A leg ended without an answer; `elsewhere`: its noun may be reached at its next address.
    pub(super) fn leg_failed(&mut self, desk: &mut Desk, leg: usize, failure: Failure, elsewhere: bool) {
        desk.stop(&mut self.legs[leg].first_response);
        let was = std::mem::replace(&mut self.legs[leg].state, LegState::Ended);
        self.silence_early(desk, leg);
        for pair in self.pairs.iter_mut().filter(|pair| pair.leg == leg) {
            pair.alive = [false; 2];
        }
        if was != LegState::Ringing {
            return;
        }
        self.gateway_news(desk, leg, GatewayNews::Failed);
        let of = &mut self.legs[leg];
        of.ended = if of.ended == 0 { failure.status } else { of.ended };
        let sid = of.sid;
        self.record(desk, Change::LegEnded { leg: sid, sip_code: failure.status }, None);
        // Who rang is the one that was meant: its refusal is the noun's.
        let elsewhere = elsewhere && (!self.legs[leg].progressed || self.emergency.is_some());
        self.leg_over(desk, leg, failure.status, Duration::ZERO);
        self.fork_failed(desk, leg, failure, elsewhere);
        self.tell_early_over(desk, failure.status);
    }

    /// Whether a provisional response would open one more dialog than its INVITE may.
    fn opens_too_many(&self, leg: usize, response: &Message<'_>) -> bool {
        let of_leg = || self.pairs.iter().filter(|pair| pair.leg == leg);
        let is_new = |tag: &[u8]| !of_leg().any(|pair| &*pair.b.remote_tag == tag);
        of_leg().count() >= MOST_DIALOGS && response.to().tag().is_some_and(is_new)
    }

    /// The pair of a target's dialog, made when its tag is new. `None`: the response opens none.
    fn pair_of(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) -> Option<usize> {
        // A peer of RFC 2543 may give its 2xx no tag: the tag is null then (12.1.2).
        let is_final = response.code().is_some_and(|code| code >= 200);
        let tag = response.to().tag().or(is_final.then_some(b""))?;
        let known = self.pairs.iter().position(|pair| pair.leg == leg && &*pair.b.remote_tag == tag);
        if let Some(pair) = known {
            // The INVITE may have been sent again since: our numbers only rise (12.2.1.1).
            let b = &mut self.pairs[pair].b;
            b.local_cseq = b.local_cseq.max(self.legs[leg].cseq);
            return known;
        }
        let b = self.target_dialog(leg, response).filter(|b| !target::lacks_tls(b.next_hop(), &b.flow))?;
        let a_tag = match self.trunk.single_early_dialog {
            true => self.own_tag,
            false => desk.mint_tag(self.shard, self.key),
        };
        let Some(a) = self.caller_dialog(desk, a_tag) else {
            if a_tag != self.own_tag {
                desk.tags.remove(&a_tag);
            }
            return None;
        };
        one_at_first(&mut self.pairs);
        self.pairs.push(Pair::early(leg, a, b, a_tag));
        let pair = self.pairs.len() - 1;
        self.aim(desk, pair, Side::B);
        Some(pair)
    }

    /// The caller's dialog under our tag.
    fn caller_dialog(&self, desk: &Desk, tag: Tag) -> Option<Dialog> {
        let kept = self.invite.as_ref()?;
        let mut dialog = Dialog::uas(&kept.message(), tag.as_bytes(), self.flow).ok()?;
        let named = &self.facts.sip_call_id;
        if *dialog.call_id == *named.as_bytes() {
            // The facts stay as long as the dialog does: one text serves both.
            dialog.call_id = Arc::clone(named).into();
        }
        if !target::goes_to_source(&dialog, &self.flow, self.trunk.nat) {
            // A name is resolved when the dialog is confirmed; until then the source serves.
            target::aim(&desk.config, &mut dialog, &self.flow);
        }
        Some(dialog)
    }

    /// The dialog that a target's response opens (12.1.2).
    pub(super) fn target_dialog(&self, leg: usize, response: &Message<'_>) -> Option<Dialog> {
        let to = &self.legs[leg];
        let local = Local {
            call_id: to.call_id.clone(),
            tag: to.tag.as_bytes().into(),
            from: to.local.clone(),
            uri: to.request_uri.clone(),
            cseq: to.cseq,
        };
        Dialog::uac(&local, response, to.flow).ok()
    }

    /// What a 2xx without a usable Contact can be acknowledged and ended in: where the INVITE went.
    fn bare_dialog(&self, leg: usize, response: &Message<'_>) -> Dialog {
        let (of, to) = (&self.legs[leg], response.to());
        Dialog {
            call_id: of.call_id.clone(),
            local_tag: of.tag.as_bytes().into(),
            remote_tag: to.tag().unwrap_or_default().into(),
            local: of.local.clone(),
            remote: to.raw.into(),
            target: of.request_uri.clone(),
            routes: Vec::new(),
            flow: of.flow,
            local_cseq: of.cseq,
            remote_cseq: None,
        }
    }

    /// The 2xx sets route set and target of the target's dialog for good (13.2.2.4).
    fn confirm(&mut self, desk: &mut Desk, pair: usize, response: &Message<'_>) {
        // `pair_of` has read the same Contact and Record-Route where the dialog is new; an early
        // one keeps what its 18x said where the 2xx says nothing.
        if self.pairs[pair].b.confirm(response).is_ok() {
            self.aim(desk, pair, Side::B);
        }
        let source = target::goes_to_source(&self.pairs[pair].a, &self.flow, self.trunk.nat);
        if !source {
            self.aim(desk, pair, Side::A);
        }
    }
}

/// What the caller hears of a target's final response (SIP-wise; the code of our own takes over
/// where a target's would mislead).
const fn toward_caller(code: u16) -> u16 {
    match code {
        401 | 407 => 403,
        300..=399 => 480,
        503 => 500,
        // What it would agree on (RFC 3329) is a matter between neighbours.
        494 => 480,
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use super::toward_caller;

    #[test]
    fn challenges_redirects_and_503_do_not_reach_the_caller() {
        assert_eq!([401, 407, 302, 503, 486, 603].map(toward_caller), [403, 403, 480, 500, 486, 603]);
    }
}
