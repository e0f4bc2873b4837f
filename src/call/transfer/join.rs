//! The target's offer goes to the transferee, the answer back in the ACK; then they are one call.

use std::time::Duration;

use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::outcome::CallStatus;
use crate::call::passage;
use crate::call::record::Change;
use crate::call::state::{Call, LegState, Pair, Side, StoredAck};
use crate::call::target;
use crate::sip::{Message, Method, Name};

use super::Joined;

impl Call {
    /// The target answered with its offer: it goes to the transferee.
    pub(super) fn target_joins(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) {
        let Some(transfer) = self.transfer.as_ref() else { return };
        let (old, by) = (transfer.pair, transfer.by);
        let waits = self.pairs[old].answering.is_some()
            || self.relays.iter().any(|relay| relay.invite && relay.pair == old);
        let dialog = self.target_dialog(leg, response).filter(|_| !response.body().is_empty() && !waits);
        let Some(dialog) = dialog else {
            self.lost(desk, leg, response);
            self.transfer_leg_failed(desk, leg, 488);
            return self.legs[leg].state = LegState::Abandoned;
        };
        self.legs[leg].state = LegState::Won;
        // Both copies of the transferee's dialog count the re-INVITE.
        let cseq = self.pairs[old].dialog_mut(by.other()).next_cseq();
        let mut pair = match by {
            Side::B => Pair::early(leg, self.pairs[old].a.clone(), dialog, self.pairs[old].a_tag),
            Side::A => {
                Pair::early(self.pairs[old].leg, dialog, self.pairs[old].b.clone(), self.legs[leg].tag)
            }
        };
        pair.confirmed = true;
        self.pairs.push(pair);
        let made = self.pairs.len() - 1;
        let near = self.legs[leg].flow;
        let unresolved = target::aim(&desk.config, self.pairs[made].dialog_mut(by), &near);
        if unresolved.is_some() {
            self.pairs[made].dialog_mut(by).flow = near;
        }
        if let Some(transfer) = self.transfer.as_mut() {
            transfer.made = Some(made);
        }
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let dialog = self.pairs[made].dialog(by.other());
        let known = self.flow.local;
        let parts = compose::InDialog { method: Method::Invite, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.numeric(Name::MaxForwards, 70);
        compose::contact(&mut writer, &desk.config, &dialog.flow, known, dialog.is_sips());
        writer.header(Name::Allow, &[compose::ALLOW]);
        passage::body_headers(&mut writer, response);
        writer.body(response.body());
        let flow = dialog.flow;
        desk.paper = paper;
        let owner = Owner { call: self.key, role: Role::Transfer };
        desk.request(b"INVITE", branch, flow, owner);
        desk.trace_sent(self.facts.call, self.leg_of(made, by.other()));
        self.reinvites += 1;
    }

    /// What the transferee says to the target's offer.
    pub(in crate::call) fn transferee_responded(&mut self, desk: &mut Desk, response: &Message<'_>) {
        let code = response.code().unwrap_or(500);
        let made = self.transfer.as_ref().and_then(|transfer| Some((transfer.made?, transfer.by)));
        let Some((made, by)) = made else { return self.late_success(desk, response) };
        match code {
            100..=199 => {}
            200..=299 => {
                self.send_ack(desk, made, by.other(), response.cseq().number, None);
                self.pairs[made].dialog_mut(by.other()).refresh(response);
                self.transferred(desk, made, response);
            }
            _ => self.transfer_failed(desk, code),
        }
    }

    /// The transferee did not answer the re-INVITE.
    pub(in crate::call) fn transferee_silent(&mut self, desk: &mut Desk) {
        self.transfer_failed(desk, 408);
    }

    /// The transferee's answer goes to the target in its ACK; the transferor is told, and released.
    pub(super) fn transferred(&mut self, desk: &mut Desk, made: usize, response: &Message<'_>) {
        let Some(transfer) = self.transfer.take() else { return };
        let (old, by) = (transfer.pair, transfer.by);
        let Some(leg) = transfer.leg else { return };
        self.ack_with(desk, made, by, self.legs[leg].cseq, response);
        // What went on meanwhile went on in the old pair.
        let near = self.pairs[old].dialog(by.other());
        let (local, remote) = (near.local_cseq, near.remote_cseq);
        let kept = self.pairs[made].dialog_mut(by.other());
        kept.local_cseq = kept.local_cseq.max(local);
        kept.remote_cseq = kept.remote_cseq.max(remote);
        self.pairs[old].alive[by.other() as usize] = false;
        self.stop_liveness(desk, old);
        self.winner = Some(made);
        self.joined.push(Joined { leg, pair: made, side: by });
        self.tell_leg(desk, leg, CallStatus::Answered);
        let (joined, stayed) = (self.kept(made, by), self.kept(made, by.other()));
        let leg_sid = self.legs[leg].sid;
        let change = Change::Transferred { leg: leg_sid, caller: by == Side::A, joined, stayed };
        self.record(desk, change, None);
        self.start_liveness(desk, made);
        let mut timer = transfer.timer;
        desk.stop(&mut timer);
        self.notify_of(desk, &transfer, 200);
        self.bye(desk, old, by, b"", &[]);
        if by == Side::B {
            let (leg, since) = (self.pairs[old].leg, self.answered);
            let duration = since.map_or(Duration::ZERO, |since| desk.now.since(since));
            self.leg_over(desk, leg, 200, duration);
        }
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
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let dialog = self.pairs[pair].dialog(side);
        let known = self.flow.local;
        let parts = compose::InDialog { method: Method::Ack, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.numeric(Name::MaxForwards, 70);
        passage::body_headers(&mut writer, answer);
        writer.body(answer.body());
        let flow = dialog.flow;
        desk.paper = paper;
        desk.send_paper(flow);
        desk.trace_sent(self.facts.call, self.leg_of(pair, side));
        let stored = StoredAck { cseq, bytes: desk.paper.as_slice().into(), flow };
        self.pairs[pair].ack[side as usize] = Some(stored);
    }
}
