//! Is the other side still there? In-dialog OPTIONS to both where nothing else went on, and nobody
//! refreshes the session.

use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role, What};
use crate::call::state::{Call, Side};
use crate::sip::{Method, Name};

impl Call {
    /// The caller's ACK came: from now on both sides are looked after.
    pub(super) fn start_liveness(&mut self, desk: &mut Desk, pair: usize) {
        let every = desk.config.liveness;
        if !every.is_zero() && !self.over {
            self.pairs[pair].liveness = Some(desk.start(every, self.key, What::Liveness(pair)));
        }
    }

    pub(super) fn stop_liveness(&mut self, desk: &mut Desk, pair: usize) {
        desk.stop(&mut self.pairs[pair].liveness);
    }

    /// A period is over.
    pub(super) fn check_liveness(&mut self, desk: &mut Desk, pair: usize) {
        self.pairs[pair].liveness = None;
        if self.over {
            return;
        }
        if !std::mem::replace(&mut self.pairs[pair].stirred, false) && self.session.is_none() {
            for side in [Side::A, Side::B] {
                self.send_options(desk, pair, side);
            }
        }
        self.start_liveness(desk, pair);
    }

    /// The call comes from an earlier life: whoever hung up meanwhile, or in the moment that was not
    /// written any more, does not know its dialog now.
    pub(super) fn probe(&mut self, desk: &mut Desk, pair: usize) {
        self.pairs[pair].liveness = None;
        if self.over {
            return;
        }
        for side in [Side::A, Side::B] {
            self.send_options(desk, pair, side);
        }
        self.start_liveness(desk, pair);
    }

    /// The answer to such an OPTIONS: any but 408 and 481 says that the dialog is known.
    pub(super) fn liveness_answered(&mut self, desk: &mut Desk, pair: usize, side: Side, code: u16) {
        self.pairs[pair].unreached[side as usize] = false;
        if matches!(code, 408 | 481) && !self.over {
            self.peer_lost(desk, pair, Some(side));
        }
    }

    /// Such an OPTIONS could not be sent. A lost connection ends no call; a side that cannot be reached
    /// at the next look either is gone (8.1.3.1).
    pub(super) fn liveness_unreached(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        if std::mem::replace(&mut self.pairs[pair].unreached[side as usize], true) && !self.over {
            self.peer_lost(desk, pair, Some(side));
        }
    }

    fn send_options(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        if !self.pairs[pair].alive[side as usize] {
            return;
        }
        let credentials = self.dialog_credentials(desk, (pair, side), Method::Options);
        let branch = desk.mint_branch(self.shard);
        let cseq = self.pairs[pair].dialog_mut(side).next_cseq();
        let known = self.flow.local;
        let dialog = self.pairs[pair].dialog(side);
        let mut paper = std::mem::take(&mut desk.paper);
        let parts = compose::InDialog { method: Method::Options, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials);
        writer.numeric(Name::MaxForwards, 70);
        writer.finish();
        let flow = dialog.flow;
        desk.paper = paper;
        let owner = Owner { call: self.key, role: Role::Liveness(pair, side == Side::A) };
        desk.request(b"OPTIONS", branch, flow, owner);
        desk.trace_sent(self.facts.call, self.leg_of(pair, side));
    }
}
