//! The targets of the refer application's document, one after another, invited without a body.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::Question;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::dialling::Host;
use crate::call::leg_events;
use crate::call::outcome::CallStatus;
use crate::call::record::{Change, InvitedLeg};
use crate::call::state::{Call, Leg, LegState, Side};
use crate::call::target;
use crate::flow::Destination;
use crate::ids::CallSid;
use crate::sip::{Message, Method, Name, Writer};

impl Call {
    /// Invites the next address of the document's targets, one after another.
    pub(super) fn transfer_on(&mut self, desk: &mut Desk) {
        loop {
            let Some(transfer) = self.transfer.as_mut() else { return };
            if let Some(hop) = transfer.hops.pop_front() {
                if self.transfer_invite(desk, hop) {
                    return;
                }
                continue;
            }
            let Some(dial) = transfer.dial.clone() else { return };
            let Some(noun) = dial.nouns.get(transfer.next) else {
                let code = transfer.code;
                return self.transfer_failed(desk, code);
            };
            transfer.next += 1;
            let gateways = self.gateways_of(desk, noun);
            let planned = self.plan(desk, noun, &dial, gateways.first().map(AsRef::as_ref));
            let Some(transfer) = self.transfer.as_mut() else { return };
            match planned {
                Ok((plan, Host::At(hop))) => {
                    transfer.plan = Some(plan);
                    transfer.hops = [hop].into();
                }
                Ok((plan, Host::Name(name))) => {
                    transfer.plan = Some(plan);
                    transfer.asked = Some(desk.ask(self.key, self.facts.call, Question::Resolve(name)));
                    return;
                }
                Err(reason) => transfer.code = reason.status().max(400),
            }
        }
    }

    /// INVITE without a body. False: no listener reaches the address.
    pub(super) fn transfer_invite(&mut self, desk: &mut Desk, hop: Destination) -> bool {
        let Some(flow) = target::flow_to(&desk.config, &self.flow, hop.transport, hop.address) else {
            return false;
        };
        let Some(transfer) = self.transfer.as_ref() else { return false };
        let Some(plan) = transfer.plan.as_ref() else { return false };
        // Who is called is shown whom it will talk to.
        let transferee = if transfer.by == Side::B { &self.facts.from } else { &self.facts.to };
        let shown = plan.caller_id.as_ref().unwrap_or(transferee).clone();
        let sid = CallSid(desk.generator.next_u128());
        let (tag, branch) = (desk.mint_tag(self.shard, self.key), desk.mint_branch(self.shard));
        let call_id: Arc<[u8]> =
            self.chain.call_id(self.shard, &desk.config.shard_key, &mut desk.generator).into();
        let host = compose::own_host(&desk.config, &flow, self.flow.local);
        let local = named(&shown, &host, Some(tag.as_bytes()));
        let remote: Arc<[u8]> = [b"<", &*plan.request_uri, b">"].concat().into();
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = Writer::request(&mut paper, Method::Invite, &plan.request_uri);
        compose::via(&mut writer, &desk.config, &flow, self.flow.local, branch);
        writer.numeric(Name::MaxForwards, 70);
        writer.header(Name::From, &[&local]).header(Name::To, &[&remote]);
        writer.header(Name::CallId, &[&call_id]).cseq(1, Method::Invite);
        let by_sips = compose::is_sips(&plan.request_uri);
        compose::contact(&mut writer, &desk.config, &flow, self.flow.local, by_sips);
        writer.header(Name::Allow, &[compose::ALLOW]);
        for (name, value) in &plan.headers {
            writer.text(name.as_bytes()).bytes(b": ").text(value.as_bytes()).end();
        }
        writer.finish();
        desk.paper = paper;
        let parties = (shown.clone(), plan.to.clone());
        self.legs.push(Leg {
            call_id: call_id.clone(),
            local: local.clone(),
            remote: remote.clone(),
            branch: Some(branch),
            request_uri: plan.request_uri.clone(),
            trusted: plan.trusted,
            rules: plan.rules.clone(),
            told: leg_events::facts(plan, sid, &shown),
            ..Leg::blank(sid, tag, flow)
        });
        let leg = self.legs.len() - 1;
        if let Some(transfer) = self.transfer.as_mut() {
            transfer.leg = Some(leg);
        }
        let owner = Owner { call: self.key, role: Role::Leg(leg) };
        self.legs[leg].client = Some(desk.request(b"INVITE", branch, flow, owner));
        desk.trace_sent(self.facts.call, Some(sid));
        let mut headers = Vec::new();
        let mut uri: Arc<[u8]> = Arc::from([]);
        if let Ok(invite) = Message::scan(&desk.paper) {
            uri = invite.uri_bytes().into();
            let mut writer = Writer::append(&mut headers);
            writer.vias(&invite, None);
            writer.header(Name::From, &[&local]).header(Name::To, &[&remote]);
            writer.header(Name::CallId, &[&call_id]).cseq(1, Method::Invite);
        }
        let (headers, ahead) =
            (headers.into(), self.transfer.as_ref().map_or(0, |transfer| transfer.ahead()));
        let invited = InvitedLeg { leg: sid, parties, request_uri: uri, headers, flow, again: false, ahead };
        self.record(desk, Change::Invited(Box::new(invited)), None);
        self.tell_leg(desk, leg, CallStatus::Initiated);
        true
    }

    /// Whether a response of this leg is the transfer's business; then it is done.
    pub(in crate::call) fn transfer_responded(
        &mut self,
        desk: &mut Desk,
        leg: usize,
        response: &Message<'_>,
    ) -> bool {
        let code = response.code().unwrap_or(500);
        if let Some(joined) = self.joined.iter().copied().find(|joined| joined.leg == leg) {
            if (200..300).contains(&code) {
                self.repeat_ack(desk, joined.pair, joined.side, response.cseq().number);
            }
            return true;
        }
        let Some(transfer) = self.transfer.as_ref().filter(|transfer| transfer.leg == Some(leg)) else {
            return false;
        };
        match code {
            // Its repetitions wait for the transferee's answer.
            200..=299 if transfer.made.is_some() => {}
            200..=299 => self.target_joins(desk, leg, response),
            180 => self.leg_rings(desk, leg),
            300.. => drop(self.transfer_leg_failed(desk, leg, code)),
            _ => {}
        }
        true
    }

    /// The INVITE of a transfer got no answer, or a refusal: the next target.
    pub(in crate::call) fn transfer_leg_failed(&mut self, desk: &mut Desk, leg: usize, code: u16) -> bool {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.leg == Some(leg)) else {
            return false;
        };
        (transfer.leg, transfer.code) = (None, code);
        self.legs[leg].state = LegState::Ended;
        let sid = self.legs[leg].sid;
        self.record(desk, Change::LegEnded { leg: sid, sip_code: code }, None);
        self.leg_over(desk, leg, code, Duration::ZERO);
        self.transfer_on(desk);
        true
    }
}

/// `<sip:user@host>`, with our tag.
fn named(user: &str, host: &[u8], tag: Option<&[u8]>) -> Arc<[u8]> {
    let mut out = Vec::with_capacity(64);
    let mut writer = Writer::append(&mut out);
    writer.bytes(b"<sip:").user(user.as_bytes()).bytes(b"@").bytes(host).bytes(b">");
    if let Some(tag) = tag {
        writer.bytes(b";tag=").bytes(tag);
    }
    out.into()
}
