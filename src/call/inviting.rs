//! The INVITE of each leg: written, sent, tried another way, given up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::call::auth::Auth;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role, What};
use crate::call::leg_events;
use crate::call::outcome::CallStatus;
use crate::call::passage::{End, Passage};
use crate::call::program::Failure;
use crate::call::record::{Change, InvitedLeg};
use crate::call::running::ringing;
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, Leg, LegState, Run, Side, one_at_first};
use crate::call::target;
use crate::flow::{Destination, Flow, Transport};
use crate::reason::Reason;
use crate::sip::{Message, Method, Name, Writer};

/// How long a target that took no TCP is spared another try.
const NO_TCP: Duration = Duration::from_secs(600);

impl Call {
    /// Sends the INVITE of one leg. False: no listener reaches the address.
    pub(super) fn invite_at(&mut self, desk: &mut Desk, fork: usize, hop: Destination) -> bool {
        let run = ringing(&self.dial, &self.transfer);
        let Some(plan) = run.map(|run| &run.forks[fork].plan) else { return false };
        let shown = self.shown(plan);
        let peer = hop.address;
        let near = &self.flow;
        let Some(mut flow) = target::flow_to(&desk.config, near, hop.transport, peer) else { return false };
        if let Some(host) = plan.host() {
            flow = desk.meant_for(&flow, host);
        }
        let open = plan.transport.is_none() && hop.transport == Transport::Udp;
        let sid = desk.mint_sid();
        let tag = desk.mint_tag(self.shard, self.key);
        let call_id: Arc<[u8]> =
            self.chain.call_id(self.shard, &desk.config.shard_key, &mut desk.generator).into();
        one_at_first(&mut self.legs);
        self.legs.push(Leg {
            call_id,
            request_uri: plan.request_uri.clone(),
            trusted: plan.trusted,
            rules: plan.rules.clone(),
            origin: plan.origin,
            told: leg_events::facts(plan, sid, &shown),
            gateway: plan.gateway,
            auth: plan.credentials.clone().map(|credentials| Box::new(Auth::new(credentials))),
            ..Leg::blank(sid, tag, flow)
        });
        let leg = self.legs.len() - 1;
        if let Some(run) = self.run_mut() {
            run.forks[fork].leg = Some(leg);
        }
        self.write_invite(desk, leg, flow);
        if open && desk.paper.len() > desk.config.udp_size_limit && !self.is_spared_tcp(desk, peer) {
            // RFC 3261 18.1.1: a large request goes over TCP, and over UDP only where that fails.
            if let Some(tcp) = target::flow_to(&desk.config, &self.flow, Transport::Tcp, peer) {
                self.legs[leg].retry_udp = Some(Box::new(flow));
                flow = tcp;
                self.write_invite(desk, leg, flow);
            }
        }
        self.send_invite(desk, leg, flow);
        self.gateway_news(desk, leg, GatewayNews::Tried);
        self.tell_leg(desk, leg, CallStatus::Initiated);
        true
    }

    fn is_spared_tcp(&self, desk: &mut Desk, peer: SocketAddr) -> bool {
        let now = desk.now;
        desk.no_tcp.retain(|_, until| *until > now);
        desk.no_tcp.contains_key(&peer)
    }

    /// Tries a leg again over UDP after its large INVITE found no TCP. False: that was not the case.
    pub(super) fn retry_over_udp(&mut self, desk: &mut Desk, leg: usize) -> bool {
        let Some(flow) = self.legs[leg].retry_udp.take().map(|flow| *flow) else { return false };
        if self.legs[leg].heard || self.legs[leg].state != LegState::Ringing || !self.may_invite() {
            return false;
        }
        desk.no_tcp.insert(flow.peer, desk.now + NO_TCP);
        desk.stop(&mut self.legs[leg].first_response);
        self.legs[leg].cseq += 1;
        self.write_invite(desk, leg, flow);
        self.send_invite(desk, leg, flow);
        true
    }

    /// The INVITE of a leg once more, with the next number.
    pub(super) fn invite_again(&mut self, desk: &mut Desk, leg: usize) {
        let flow = self.legs[leg].flow;
        self.legs[leg].cseq = self.next_invite_cseq(leg);
        self.write_invite(desk, leg, flow);
        self.send_invite(desk, leg, flow);
    }

    /// Writes the INVITE of a leg onto the paper; its branch is minted when it is sent.
    fn write_invite(&mut self, desk: &mut Desk, leg: usize, flow: Flow) {
        match self.transfer.is_some() {
            true => self.write_transfer_invite(desk, leg, flow),
            false => self.write_callers_invite(desk, leg, flow),
        }
    }

    /// Writes the INVITE that carries the caller's.
    fn write_callers_invite(&mut self, desk: &mut Desk, leg: usize, flow: Flow) {
        let credentials = self.invite_credentials(desk, leg);
        let branch = desk.mint_branch(self.shard);
        let (Some(kept), Some(run)) = (&self.invite, &self.dial) else { return };
        let Some(fork) = run.forks.iter().find(|fork| fork.leg == Some(leg)) else { return };
        let plan = &fork.plan;
        let caller = kept.message();
        let target = End {
            trusted: plan.trusted,
            rules: &plan.rules,
            // Who calls for help reaches the emergency gateway whatever the trunk is trusted with.
            helps: self.emergency.is_some(),
        };
        let passage = Passage::new(End::of_trunk(&self.trunk), target, Side::B, &caller);
        let steps = self.legs[..=leg].iter().map(Leg::step).collect();
        let before = compose::Before { told: plan.told, dialled: &self.facts.to, steps };
        let host = compose::own_host(&desk.config, &flow, self.flow.local);
        let to = &self.legs[leg];
        let withheld = passage.privacy.withholds_caller();
        let mut paper = std::mem::take(&mut desk.paper);
        let shown = plan.caller_id.as_deref();
        let local = compose::from_value(&mut paper, &caller.from(), shown, &host, to.tag, withheld);
        let remote = compose::to_value(&mut paper, &caller.to(), &host);
        let parts = compose::Invite {
            request_uri: &plan.request_uri,
            branch,
            flow: &flow,
            known: self.flow.local,
            call_id: &to.call_id,
            cseq: to.cseq,
            local: &local,
            remote: &remote,
            headers: &plan.headers,
            credentials: &credentials,
            breadth: fork.breadth,
            passage: &passage,
            host: &host,
            before,
            least_session: to.least_session,
            // One early dialog leaves no room for reliable responses of several.
            without: if self.trunk.single_early_dialog { &[b"100rel"] } else { &[] },
        };
        let session = compose::invite(&mut paper, &desk.config, &caller, &parts);
        desk.paper = paper;
        let to = &mut self.legs[leg];
        (to.flow, to.branch, to.local, to.remote, to.session) = (flow, Some(branch), local, remote, session);
    }

    /// Sends the INVITE on the paper.
    fn send_invite(&mut self, desk: &mut Desk, leg: usize, flow: Flow) {
        let Some(branch) = self.legs[leg].branch else { return };
        let owner = Owner { call: self.key, role: Role::Leg(leg) };
        let client = desk.request(b"INVITE", branch, flow, owner);
        self.legs[leg].client = Some(client);
        desk.trace_sent(self.facts.call, Some(self.legs[leg].sid));
        let invited = self.invited(desk, leg);
        self.record(desk, Change::Invited(Box::new(invited)), None);
        let key = self.key;
        let Some(run) = self.run_mut() else { return };
        if run.began.is_none() {
            run.began = Some(desk.now);
            run.timer = Some(desk.start(run.dial.timeout, key, What::DialTimeout));
        }
        let elsewhere = run.forks.iter().any(|fork| fork.leg == Some(leg) && fork.may_go_on());
        if elsewhere {
            let after = desk.config.first_response;
            self.legs[leg].first_response = Some(desk.start(after, self.key, What::FirstResponse(leg)));
        }
    }

    fn invited(&self, desk: &Desk, leg: usize) -> InvitedLeg {
        let to = &self.legs[leg];
        let mut headers = Vec::with_capacity(512);
        let mut uri: Arc<[u8]> = Arc::default();
        if let Ok(invite) = Message::scan(&desk.paper) {
            uri = invite.uri_bytes().into();
            let mut writer = Writer::append(&mut headers);
            writer.vias(&invite, None);
            writer.header(Name::From, &[&to.local]).header(Name::To, &[&to.remote]);
            writer.header(Name::CallId, &[&to.call_id]).cseq(to.cseq, Method::Invite);
        }
        let plan = self.run().and_then(|run| run.forks.iter().find(|fork| fork.leg == Some(leg)));
        let parties = plan.map(|fork| (self.shown(&fork.plan), fork.plan.to.clone()));
        let parties = parties.unwrap_or_else(|| (Arc::default(), Arc::default()));
        let ahead = self.run().map_or(0, Run::ahead);
        let headers = headers.into();
        InvitedLeg {
            leg: to.sid,
            parties,
            request_uri: uri,
            headers,
            flow: to.flow,
            again: to.cseq > 1,
            gateway: to.gateway,
            ahead,
        }
    }

    /// Nothing at all came from a target within `first-response`: it is left for the next one.
    pub(super) fn first_response_over(&mut self, desk: &mut Desk, leg: usize) {
        self.legs[leg].first_response = None;
        if self.legs[leg].heard || self.legs[leg].state != LegState::Ringing {
            return;
        }
        self.note_dead(desk, leg);
        self.gateway_news(desk, leg, GatewayNews::Failed);
        self.abandon_leg(desk, leg, 408, &[]);
        self.fork_failed(desk, leg, Failure { status: 408, reason: Reason::TargetSilent }, true);
    }

    /// Nobody waits for this leg any more: CANCEL as soon as that is allowed.
    pub(super) fn abandon_leg(&mut self, desk: &mut Desk, leg: usize, code: u16, extra: &[u8]) {
        desk.stop(&mut self.legs[leg].first_response);
        if self.legs[leg].state != LegState::Ringing {
            return;
        }
        self.legs[leg].state = LegState::Abandoned;
        self.legs[leg].ended = code;
        self.silence_early(desk, leg);
        // Its early dialogs are over for the caller, whatever it still says in them.
        for pair in self.pairs.iter_mut().filter(|pair| pair.leg == leg) {
            pair.alive = [false; 2];
        }
        if let Some(client) = self.legs[leg].client {
            desk.cancel(client, extra, self.facts.call, Some(self.legs[leg].sid));
        }
        let sid = self.legs[leg].sid;
        self.record(desk, Change::LegEnded { leg: sid, sip_code: code }, None);
        self.leg_over(desk, leg, code, Duration::ZERO);
    }
}
