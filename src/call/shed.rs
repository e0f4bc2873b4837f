//! What a call that was hung up lets go of: until its INVITE's transaction ends, 64*T1 after the 2xx, only a
//! 2xx of it may still come (13.2.2.4), and that needs little.

use std::sync::Arc;

use crate::call::desk::Desk;
use crate::call::events::forget_run;
use crate::call::facts::CallFacts;
use crate::call::state::{Call, LegState, Loser, Pair, Side};

impl Call {
    /// Lets go of dialogs, Dials and facts as soon as nothing but a 2xx of a leg's INVITE can come: the
    /// winner's own finds its ACK as a loser's does, any other gets ACK and BYE from what the leg keeps.
    pub fn shed(&mut self, desk: &mut Desk) {
        if !self.rests() {
            return;
        }
        let Some(pair) = self.pairs.pop() else { return };
        self.pairs = Vec::new();
        self.winner = None;
        // CANCEL and BYE that crossed ours still find the call by the dialog's tag.
        let own = std::mem::replace(&mut self.own_tag, pair.a_tag);
        if own != pair.a_tag {
            desk.tags.remove(&own);
        }
        let Pair { leg, b, ack: [_, ack], .. } = pair;
        if let Some((flow, ack)) = ack.and_then(|ack| ack.left).map(|left| *left) {
            let tag = b.remote_tag;
            self.legs[leg].losers.reserve_exact(1);
            self.legs[leg].losers.push(Loser { tag, ack, flow, dialog: None, again: true });
        }
        for leg in &mut self.legs {
            (leg.told, leg.offered, leg.refusal) = (None, None, None);
            leg.extensions = Vec::new();
        }
        for mut run in [self.dial.take(), self.dial_of_caller.take()].into_iter().flatten() {
            forget_run(desk, &mut run);
        }
        (self.relays, self.reliables, self.cancel_reason) = Default::default();
        self.facts = Arc::new(CallFacts::bare(&self.facts));
    }

    /// Whether it was answered and hung up, both BYEs are through, and all that holds it is the transaction
    /// of the INVITE that was answered.
    fn rests(&self) -> bool {
        let quiet = self.over && self.byes == 0 && self.reinvites == 0 && self.relays.is_empty();
        let [pair] = &self.pairs[..] else { return false };
        let leg = &self.legs[pair.leg];
        let acked = pair.ack[Side::B as usize].as_ref().is_some_and(|ack| ack.cseq == leg.cseq);
        let waits = pair.answering.is_some() || pair.held_bye.is_some();
        let apart = self.transfer.is_some() || self.settling || pair.a_leg.is_some();
        quiet && pair.confirmed && acked && !waits && !apart && leg.state == LegState::Won
    }

    /// Whether it has let go of its dialogs: they were ended.
    pub(super) fn has_shed(&self) -> bool {
        self.over && self.answered.is_some() && self.pairs.is_empty()
    }
}
