//! Where the requests inside a call go: targets that change, names to be resolved, connections that
//! are gone.

use crate::call::ask::{Answer, AskId, Question};
use crate::call::desk::Desk;
use crate::call::record::Change;
use crate::call::state::{Call, Relay, Side};
use crate::call::target;
use crate::flow::{Flow, Transport};
use crate::sip::Message;

impl Call {
    /// A request with a new Contact succeeded, or its 2xx brought one (12.2.1.2, 12.2.2).
    pub(super) fn refresh(&mut self, desk: &mut Desk, relay: &Relay, response: &Message<'_>) {
        if !relay.refreshes {
            return;
        }
        let (near, far) = (relay.from, relay.from.other());
        let mut changed = [false; 2];
        if let Some(target) = &relay.target
            && self.pairs[relay.pair].dialog(near).target != *target
        {
            self.pairs[relay.pair].dialog_mut(near).target = target.clone();
            changed[near as usize] = true;
        }
        let reached = self.pairs[relay.pair].dialog(far).flow;
        if !response.contacts().next().is_some_and(|contact| target::lacks_tls(contact.uri, &reached)) {
            changed[far as usize] = self.pairs[relay.pair].dialog_mut(far).refresh(response);
        }
        for side in [Side::A, Side::B] {
            if changed[side as usize] {
                self.retarget(desk, relay.pair, side, (side == near).then_some(relay.flow));
            }
        }
    }

    /// A dialog's target changed: so may its flow.
    fn retarget(&mut self, desk: &mut Desk, pair: usize, side: Side, source: Option<Flow>) {
        self.forget_way(desk, pair, side);
        let dialog = self.pairs[pair].dialog(side);
        let source = source.unwrap_or(dialog.flow);
        if side == Side::A && target::goes_to_source(dialog, &source, self.trunk.nat) {
            self.pairs[pair].a.flow = source;
        } else {
            self.aim(desk, pair, side);
        }
        if self.answered.is_some() && !self.over && self.winner == Some(pair) {
            let dialog = self.kept(pair, side);
            self.record(desk, Change::DialogChanged { caller: side == Side::A, dialog }, None);
        }
    }

    /// Sets the flow of a dialog from its route set or target; a name is asked for.
    pub(super) fn aim(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        let leg = self.pairs[pair].leg;
        let near = if side == Side::A { self.flow } else { self.legs[leg].flow };
        self.forget_way(desk, pair, side);
        let dialog = self.pairs[pair].dialog_mut(side);
        let Some(name) = target::aim(&desk.config, dialog, &near) else { return };
        if !self.pairs[pair].confirmed
            && side == Side::B
            && self.legs[leg].state != super::state::LegState::Won
        {
            return;
        }
        let question = Question::Resolve(name.clone());
        let ask = desk.ask(self.key, self.facts.call, question);
        self.resolving.push((ask, pair, side, name));
    }

    /// What is still asked about the way to a target before leads nowhere any more.
    fn forget_way(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        let asked = self.resolving.extract_if(.., |(_, of, toward, _)| (*of, *toward) == (pair, side));
        asked.for_each(|(ask, ..)| desk.abort(ask));
    }

    /// The connection a dialog used is gone: the address its peer named is next.
    pub(super) fn leave_connection(&mut self, desk: &mut Desk, pair: usize, side: Side) {
        let dialog = self.pairs[pair].dialog_mut(side);
        let transport = dialog.flow.transport;
        dialog.flow.connection = None;
        if let Some(peer) = target::named_address(dialog)
            && let Some(flow) = target::flow_to(&desk.config, &dialog.flow, transport, peer)
        {
            dialog.flow = target::same_peer(&dialog.flow, flow);
        }
    }

    /// The next hop of a dialog is known.
    pub(super) fn hop_resolved(&mut self, desk: &mut Desk, ask: AskId, answer: Option<Answer>) {
        let Some(at) = self.resolving.iter().position(|(waiting, ..)| *waiting == ask) else { return };
        let (_, pair, side, name) = self.resolving.swap_remove(at);
        let Some(Answer::Addresses(addresses)) = answer else { return };
        let dialog = self.pairs[pair].dialog_mut(side);
        let near = dialog.flow;
        // An address among them that is in use already stays: the peer is there.
        let used = addresses.iter().find(|found| found.address.ip() == near.peer.ip());
        if let Some(found) = used.or_else(|| addresses.first()) {
            let (address, port) = (found.address.ip(), found.address.port());
            // UDP that nobody named gives way to the connection its peer came over.
            let chosen = (found.transport != Transport::Udp).then_some(found.transport);
            let wanted = name.transport.or(chosen);
            let flow = target::to_address(&desk.config, &near, address, port, wanted);
            dialog.flow = desk.meant_for(&flow, name.host);
        }
    }
}
