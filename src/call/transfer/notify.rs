//! The transferor's subscription: NOTIFY with a sipfrag (RFC 3515 2.4.4).

use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::phrases;
use crate::call::state::Call;
use crate::sip::{Method, Name};

use super::{SUBSCRIBED, Transfer};

impl Call {
    pub(super) fn notify(&mut self, desk: &mut Desk, code: u16) {
        if let Some(transfer) = self.transfer.take() {
            self.notify_of(desk, &transfer, code);
            self.transfer = Some(transfer);
        }
    }

    /// NOTIFY with how it stands (RFC 3515 2.4.5).
    pub(super) fn notify_of(&mut self, desk: &mut Desk, transfer: &Transfer, code: u16) {
        if transfer.silent || transfer.gone {
            return;
        }
        let branch = desk.mint_branch(self.shard);
        let cseq = self.pairs[transfer.pair].dialog_mut(transfer.by).next_cseq();
        let dialog = self.pairs[transfer.pair].dialog(transfer.by);
        let mut paper = std::mem::take(&mut desk.paper);
        let known = self.flow.local;
        let parts = compose::InDialog { method: Method::Notify, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.numeric(Name::MaxForwards, 70);
        compose::contact(&mut writer, &desk.config, &dialog.flow, known, dialog.is_sips());
        writer.header(Name::Event, &[b"refer;id=", transfer.id.to_string().as_bytes()]);
        let state = if code < 200 { SUBSCRIBED } else { b"terminated;reason=noresource".as_slice() };
        writer.header(Name::SubscriptionState, &[state]);
        writer.header(Name::ContentType, &[b"message/sipfrag;version=2.0"]);
        let status =
            [b"SIP/2.0 ", code.to_string().as_bytes(), b" ", phrases::phrase(code), b"\r\n"].concat();
        writer.body(&status);
        let flow = dialog.flow;
        desk.paper = paper;
        desk.request(b"NOTIFY", branch, flow, Owner { call: 0, role: Role::None });
        desk.trace_sent(self.facts.call, self.leg_of(transfer.pair, transfer.by));
    }
}
