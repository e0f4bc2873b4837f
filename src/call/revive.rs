//! What of an earlier life is put back: transactions, legs, the two dialogs.

use std::sync::Arc;

use crate::call::auth::Auth;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::mint::{Branch, Tag};
use crate::call::record::{CSEQ_STEP, InvitedLeg};
use crate::call::recover::{Recovered, RecoveredLeg, Talk};
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, Leg, LegState, Pair, Side};
use crate::call::target;
use crate::flow::{Domain, Flow};
use crate::routing::model::Gateway;
use crate::sip::Message;
use crate::transaction::client::Request;
use crate::transaction::key::RequestParts;
use crate::transaction::table::TransactionId;
use crate::transport::response;

impl Call {
    /// The transaction of the caller's INVITE, so that its repetitions and its ACK are known.
    pub(super) fn revive_invite(&self, desk: &mut Desk, from: &Recovered) -> Option<TransactionId> {
        let refusal = from.refusal();
        let message = Message::scan(&refusal).ok()?;
        let (via, from_header) = (message.top_via(), message.from());
        let parts = RequestParts {
            method: b"INVITE",
            uri: b"",
            via: via.raw,
            branch: via.branch(),
            host: via.host,
            port: via.port,
            from_tag: from_header.tag(),
            to_tag: None,
            call_id: message.call_id(),
            cseq: message.cseq().number,
        };
        let gone = response::fallback(from.caller.flow, &via);
        let reply = gone.unwrap_or_else(|| response::flow(from.caller.flow, &via, self.force_rport()));
        let reply = settled(desk, &reply);
        let owner = Owner { call: self.key, role: Role::Caller };
        Some(desk.table.serve(desk.now, &parts, reply, owner, &mut desk.timers))
    }

    /// A leg as it was. One that may still ring, or was cancelled a moment ago, can be cancelled.
    pub(super) fn revive(&mut self, desk: &mut Desk, from: &RecoveredLeg) {
        let invited = &from.invited;
        let text = invite(invited);
        let scanned = Message::scan(&text).ok();
        let tag = scanned.as_ref().and_then(|invite| Tag::parse(invite.from().tag()?));
        let tag = tag.unwrap_or_else(|| Tag::mint(self.shard, &mut desk.generator));
        desk.tags.insert(tag, self.key);
        let cseq = scanned.as_ref().map_or(1, |invite| invite.cseq().number);
        let flow = settled(desk, &invited.flow);
        let flow = target::host_named(&invited.request_uri).map_or(flow, |host| desk.meant_for(&flow, host));
        // What it may be told is what its gateway may be told now; one that is gone is trusted with nothing.
        let gateway = invited.gateway.and_then(|sid| desk.provision.as_ref()?.gateway(sid));
        let raw = |value: Option<&[u8]>| Arc::from(value.unwrap_or_default());
        let leg = Leg {
            call_id: raw(scanned.as_ref().map(Message::call_id)),
            local: raw(scanned.as_ref().map(|invite| invite.from().raw)),
            remote: raw(scanned.as_ref().map(|invite| invite.to().raw)),
            cseq,
            said: cseq + CSEQ_STEP,
            branch: scanned.as_ref().and_then(|invite| Branch::parse(invite.top_via().branch()?)),
            request_uri: invited.request_uri.clone(),
            told: from.told.clone(),
            gateway: invited.gateway.filter(|_| from.ended.is_none()),
            ..Leg::blank(invited.leg, tag, flow)
        };
        self.legs.push(through(leg, gateway.as_deref()));
        let at = self.legs.len() - 1;
        self.gateway_news(desk, at, GatewayNews::Recovered);
        // Nobody is asked about a call for help: it is of no number.
        if self.facts.number.is_none() {
            self.emergency = self.emergency.take().or(gateway);
        }
        let Some((ended, code)) = from.ended else {
            return self.legs[at].client = self.revive_client(desk, at, invited, false);
        };
        self.legs[at].state = LegState::Ended;
        // What we cancelled ends with these.
        if matches!(code, 408 | 487) && desk.now.since(ended) < desk.give_up() {
            self.legs[at].client = self.revive_client(desk, at, invited, false);
            self.cancel_again(desk, at);
        }
    }

    /// A leg that was cancelled a moment ago: its CANCEL may not have come through.
    fn cancel_again(&mut self, desk: &mut Desk, leg: usize) {
        let Some(client) = self.legs[leg].client else { return };
        self.legs[leg].state = LegState::Abandoned;
        desk.cancel(client, b"", self.facts.call, Some(self.legs[leg].sid));
    }

    /// A leg that was answered: its transaction absorbs the 2xx that comes again, while one may.
    pub(super) fn keep_leg(&mut self, desk: &mut Desk, leg: usize, invited: Option<&InvitedLeg>) {
        self.legs[leg].state = LegState::Won;
        if let Some(client) = self.legs[leg].client.take() {
            desk.table.abandon(client, &mut desk.timers);
        }
        self.legs[leg].client = invited.and_then(|invited| self.revive_client(desk, leg, invited, true));
    }

    fn revive_client(
        &self,
        desk: &mut Desk,
        leg: usize,
        invited: &InvitedLeg,
        answered: bool,
    ) -> Option<TransactionId> {
        let text = invite(invited);
        let branch = self.legs[leg].branch?;
        let request = Request { method: b"INVITE", branch: branch.as_bytes(), bytes: &text };
        let owner = Owner { call: self.key, role: Role::Leg(leg) };
        let flow = self.legs[leg].flow;
        Some(desk.table.revive(desk.now, &request, flow, owner, answered, &mut desk.timers))
    }

    /// The target's leg, where its own record is not there.
    pub(super) fn unknown_leg(&mut self, talk: &Talk) -> usize {
        let of = &talk.target;
        let tag = Tag::parse(&of.local_tag).unwrap_or(self.own_tag);
        self.legs.push(Leg {
            call_id: of.call_id.clone(),
            local: of.local.clone(),
            remote: of.remote.clone(),
            cseq: of.local_cseq,
            answered: Some(talk.target_side.since),
            ..Leg::blank(talk.target_side.leg, tag, of.flow)
        });
        self.legs.len() - 1
    }

    pub(super) fn revive_pair(&mut self, desk: &mut Desk, leg: usize, talk: &Talk) -> usize {
        let a_tag = Tag::parse(&talk.caller.local_tag).unwrap_or(self.own_tag);
        let (mut a, mut b) = (talk.caller.to_dialog(), talk.target.to_dialog());
        for dialog in [&mut a, &mut b] {
            dialog.local_cseq += CSEQ_STEP;
            dialog.flow = settled(desk, &dialog.flow);
        }
        for tag in [Some(a_tag), Tag::parse(&b.local_tag)].into_iter().flatten() {
            desk.tags.insert(tag, self.key);
        }
        let lost = [&talk.caller, &talk.target].map(|kept| kept.flow.connection.is_some());
        self.pairs.push(Pair { confirmed: true, ..Pair::early(leg, a, b, a_tag) });
        let pair = self.pairs.len() - 1;
        for side in [Side::A, Side::B] {
            if lost[side as usize] {
                self.leave_connection(desk, pair, side);
            }
            let invited = (side == Side::B).then(|| &self.legs[leg]);
            let dialog = self.pairs[pair].dialog_mut(side);
            let named = target::host_named(dialog.next_hop());
            // Who names itself by its address is still whom its INVITE was meant for.
            let invited = invited.filter(|of| of.flow.peer.ip() == dialog.flow.peer.ip());
            let named = named.filter(|host| Domain::of(host).is_some());
            let named = named.or_else(|| invited.and_then(|of| target::host_named(&of.request_uri)));
            if let Some(host) = named {
                dialog.flow = desk.meant_for(&dialog.flow, host);
            }
        }
        pair
    }
}

/// A leg as its gateway's row lets it be.
fn through(leg: Leg, gateway: Option<&Gateway>) -> Leg {
    let Some(gateway) = gateway else { return leg };
    let auth = gateway.credentials.clone().map(|credentials| Box::new(Auth::new(credentials)));
    Leg { trusted: gateway.trusted, rules: gateway.header_rules.clone(), auth, ..leg }
}

/// A flow of an earlier process: without its connection, and through a listener there is.
pub(super) fn settled(desk: &Desk, flow: &Flow) -> Flow {
    let flow = Flow { connection: None, ..*flow };
    let known = target::listener(&desk.config, flow.listener);
    if known.is_some_and(|listener| listener.transport == flow.transport) {
        return flow;
    }
    target::flow_to(&desk.config, &flow, flow.transport, flow.peer).unwrap_or(flow)
}

/// The INVITE of a leg as far as its CANCEL and its ACK are made from it.
fn invite(leg: &InvitedLeg) -> Vec<u8> {
    let parts = [
        b"INVITE ",
        &leg.request_uri[..],
        b" SIP/2.0\r\n",
        &leg.headers,
        b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ];
    parts.concat()
}
