//! The targets of the refer application's document, one after another, invited without a body.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::Question;
use crate::call::auth::Auth;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::leg_events;
use crate::call::outcome::CallStatus;
use crate::call::planning::Host;
use crate::call::record::{Change, InvitedLeg};
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, Leg, LegState, Plan, Side};
use crate::call::target;
use crate::flow::Destination;
use crate::ids::CallSid;
use crate::sip::{Message, Method, Name, Writer};

use super::Transfer;

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
            let planned = self
                .gateways_of(desk, noun)
                .and_then(|gateways| self.plan(desk, noun, &dial, gateways.first().map(AsRef::as_ref)));
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

    /// Invites the document's target at an address. False: no listener reaches it.
    pub(super) fn transfer_invite(&mut self, desk: &mut Desk, hop: Destination) -> bool {
        let Some(flow) = target::flow_to(&desk.config, &self.flow, hop.transport, hop.address) else {
            return false;
        };
        let Some(transfer) = self.transfer.as_ref() else { return false };
        let Some(plan) = transfer.plan.as_ref() else { return false };
        let shown = self.shown_in(transfer, plan);
        let sid = CallSid(desk.generator.next_u128());
        let tag = desk.mint_tag(self.shard, self.key);
        let host = compose::own_host(&desk.config, &flow, self.flow.local);
        self.legs.push(Leg {
            call_id: self.chain.call_id(self.shard, &desk.config.shard_key, &mut desk.generator).into(),
            local: named(&shown, &host, Some(tag.as_bytes())),
            remote: [b"<", &*plan.request_uri, b">"].concat().into(),
            request_uri: plan.request_uri.clone(),
            trusted: plan.trusted,
            rules: plan.rules.clone(),
            told: leg_events::facts(plan, sid, &shown),
            auth: plan.credentials.clone().map(|credentials| Box::new(Auth::new(credentials))),
            gateway: plan.gateway,
            ..Leg::blank(sid, tag, flow)
        });
        let leg = self.legs.len() - 1;
        if let Some(transfer) = self.transfer.as_mut() {
            (transfer.leg, transfer.offered) = (Some(leg), None);
        }
        self.gateway_news(desk, leg, GatewayNews::Tried);
        self.send_transfer_invite(desk, leg);
        self.tell_leg(desk, leg, CallStatus::Initiated);
        true
    }

    /// Who is called is shown whom it will talk to.
    fn shown_in(&self, transfer: &Transfer, plan: &Plan) -> Arc<str> {
        let transferee = if transfer.by == Side::B { &self.facts.from } else { &self.facts.to };
        plan.caller_id.as_ref().unwrap_or(transferee).clone()
    }

    /// The INVITE of a transfer's leg: without a body, or with the transferee's last description.
    fn send_transfer_invite(&mut self, desk: &mut Desk, leg: usize) {
        let credentials = self.invite_credentials(desk, leg);
        let branch = desk.mint_branch(self.shard);
        self.legs[leg].branch = Some(branch);
        let Some(transfer) = self.transfer.as_ref() else { return };
        let Some(plan) = transfer.plan.as_ref() else { return };
        let of = &self.legs[leg];
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = Writer::request(&mut paper, Method::Invite, &plan.request_uri);
        compose::via(&mut writer, &desk.config, &of.flow, self.flow.local, branch);
        writer.numeric(Name::MaxForwards, 70);
        writer.header(Name::From, &[&of.local]).header(Name::To, &[&of.remote]);
        writer.header(Name::CallId, &[&of.call_id]).cseq(of.cseq, Method::Invite);
        let by_sips = compose::is_sips(&plan.request_uri);
        compose::contact(&mut writer, &desk.config, &of.flow, self.flow.local, by_sips);
        writer.bytes(&credentials).header(Name::Allow, &[compose::ALLOW]);
        for (name, value) in &plan.headers {
            writer.text(name.as_bytes()).bytes(b": ").text(value.as_bytes()).end();
        }
        match &transfer.offered {
            Some(body) => {
                writer.header(Name::ContentType, &[b"application/sdp"]);
                writer.body(body);
            }
            None => writer.finish(),
        }
        desk.paper = paper;
        let (flow, parties) = (of.flow, (self.shown_in(transfer, plan), plan.to.clone()));
        let ahead = transfer.ahead();
        let owner = Owner { call: self.key, role: Role::Leg(leg) };
        self.legs[leg].client = Some(desk.request(b"INVITE", branch, flow, owner));
        desk.trace_sent(self.facts.call, Some(self.legs[leg].sid));
        let invited = self.transfer_invited(desk, leg, parties, ahead);
        self.record(desk, Change::Invited(Box::new(invited)), None);
    }

    fn transfer_invited(
        &self,
        desk: &Desk,
        leg: usize,
        parties: (Arc<str>, Arc<str>),
        ahead: u16,
    ) -> InvitedLeg {
        let of = &self.legs[leg];
        let mut headers = Vec::new();
        if let Ok(invite) = Message::scan(&desk.paper) {
            let mut writer = Writer::append(&mut headers);
            writer.vias(&invite, None);
            writer.header(Name::From, &[&of.local]).header(Name::To, &[&of.remote]);
            writer.header(Name::CallId, &[&of.call_id]).cseq(of.cseq, Method::Invite);
        }
        let (request_uri, again) = (of.request_uri.clone(), of.cseq > 1);
        let headers = headers.into();
        InvitedLeg { leg: of.sid, parties, request_uri, headers, flow: of.flow, again, ahead }
    }

    /// A refusal that the same target may take back: it wants to know who calls, or an offer.
    fn transfer_retried(&mut self, desk: &mut Desk, leg: usize, code: u16, response: &Message<'_>) -> bool {
        let again = match code {
            401 | 407 => self.may_authenticate(leg, response),
            400 | 415 | 488 | 606 => self.offer_instead(),
            _ => false,
        };
        if again {
            self.legs[leg].cseq += 1;
            self.send_transfer_invite(desk, leg);
        }
        again
    }

    /// The target will not make an offer: it gets the transferee's last description, once.
    fn offer_instead(&mut self) -> bool {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.offered.is_none()) else {
            return false;
        };
        transfer.offered = self.pairs[transfer.pair].spoken[transfer.by.other() as usize].clone();
        transfer.offered.is_some()
    }

    /// Whether a response of this leg is the transfer's business; then it is done.
    pub(in crate::call) fn transfer_responded(
        &mut self,
        desk: &mut Desk,
        leg: usize,
        response: &Message<'_>,
    ) -> bool {
        let code = response.code().unwrap_or(500);
        let success = (200..300).contains(&code);
        let tag = response.to().tag().unwrap_or_default();
        let is_peer = |pair: usize, side| *self.pairs[pair].dialog(side).remote_tag == *tag;
        if let Some(joined) = self.joined.iter().copied().find(|joined| joined.leg == leg) {
            match success {
                true if is_peer(joined.pair, joined.side) => {
                    self.repeat_ack(desk, joined.pair, joined.side, response.cseq().number);
                }
                true => self.lost(desk, leg, response),
                false => {}
            }
            return true;
        }
        let Some(transfer) = self.transfer.as_ref().filter(|transfer| transfer.leg == Some(leg)) else {
            return false;
        };
        match code {
            // Its repetitions wait for the transferee's answer, unless it had the offer; another fork's
            // 2xx has lost.
            200..=299 if transfer.made.is_some_and(|made| is_peer(made, transfer.by)) => {
                if let (Some(made), by) = (transfer.made, transfer.by) {
                    self.repeat_ack(desk, made, by, response.cseq().number);
                }
            }
            200..=299 if transfer.made.is_some() => self.lost(desk, leg, response),
            200..=299 => {
                self.gateway_news(desk, leg, GatewayNews::Answered);
                self.target_joins(desk, leg, response);
            }
            180 => self.leg_rings(desk, leg),
            300.. if self.transfer_retried(desk, leg, code, response) => {}
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
        self.gateway_news(desk, leg, GatewayNews::Failed);
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
