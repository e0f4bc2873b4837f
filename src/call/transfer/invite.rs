//! The INVITE of a transfer's target: without a body, so that the target makes the offer (RFC 3725 4.1).

use std::sync::Arc;

use crate::call::compose;
use crate::call::desk::Desk;
use crate::call::passage;
use crate::call::running::ringing;
use crate::call::session::{self, Wish};
use crate::call::state::Call;
use crate::flow::Flow;
use crate::sip::{Method, Name, Writer};

impl Call {
    /// Writes the INVITE of a transfer's leg: without a body, or with the transferee's last description.
    pub(in crate::call) fn write_transfer_invite(&mut self, desk: &mut Desk, leg: usize, flow: Flow) {
        let credentials = self.invite_credentials(desk, leg);
        let branch = desk.mint_branch(self.shard);
        let wish = self.wish(desk, self.legs[leg].least_session);
        let run = ringing(&self.dial, &self.transfer);
        let Some(fork) = run.and_then(|run| run.forks.iter().find(|fork| fork.leg == Some(leg))) else {
            return;
        };
        let plan = &fork.plan;
        let host = compose::own_host(&desk.config, &flow, self.flow.local);
        let local = named(&self.shown(plan), &host, self.legs[leg].tag.as_bytes());
        let remote: Arc<[u8]> = [b"<", &*plan.request_uri, b">"].concat().into();
        let to = &self.legs[leg];
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = Writer::request(&mut paper, Method::Invite, &plan.request_uri);
        compose::via(&mut writer, &desk.config, &flow, self.flow.local, branch);
        writer.numeric(Name::MaxForwards, 70).numeric(Name::MaxBreadth, fork.breadth.into());
        writer.header(Name::From, &[&local]).header(Name::To, &[&remote]);
        writer.header(Name::CallId, &[&to.call_id]).cseq(to.cseq, Method::Invite);
        let by_sips = compose::is_sips(&plan.request_uri);
        compose::contact(&mut writer, &desk.config, &flow, self.flow.local, by_sips);
        writer.bytes(&credentials).header(Name::Allow, &[compose::ALLOW]);
        session::wished(&mut writer, wish);
        passage::added(&mut writer, &plan.rules, &plan.headers);
        passage::own_headers(&mut writer, &plan.rules);
        match &to.offered {
            Some(body) => {
                writer.header(Name::ContentType, &[b"application/sdp"]);
                writer.body(body);
            }
            None => writer.finish(),
        }
        desk.paper = paper;
        let to = &mut self.legs[leg];
        (to.flow, to.branch, to.local, to.remote) = (flow, Some(branch), local, remote);
        to.session = wish.map(|wish| wish.interval);
    }

    /// What a session of our own asks for: that it goes on as it was, or as it is for every call, and
    /// that whoever is asked refreshes it.
    fn wish(&self, desk: &Desk, least: u32) -> Option<Wish> {
        let usual = desk.config.session_expires;
        let insert = (usual > 0).then(|| usual.max(session::LEAST));
        let known = Some(self.session_interval()).filter(|interval| *interval > 0);
        known.or(insert).map(|interval| Wish::of_peer(interval, least))
    }

    /// The target will not make an offer (any of these refusals may mean it): it gets the transferee's
    /// last description as one, once. False: it stands.
    pub(in crate::call) fn offer_instead(&mut self, desk: &mut Desk, leg: usize, code: u16) -> bool {
        let Some(transfer) = self.transfer.as_ref() else { return false };
        if !matches!(code, 400 | 415 | 488 | 606) || self.legs[leg].offered.is_some() {
            return false;
        }
        let Some(said) = self.pairs[transfer.pair].spoken[transfer.by.other() as usize].clone() else {
            return false;
        };
        self.legs[leg].offered = Some(said);
        self.invite_again(desk, leg);
        true
    }
}

/// `<sip:user@host>`, with our tag.
fn named(user: &str, host: &[u8], tag: &[u8]) -> Arc<[u8]> {
    let mut out = Vec::with_capacity(64);
    let mut writer = Writer::append(&mut out);
    writer.bytes(b"<sip:").user(user.as_bytes()).bytes(b"@").bytes(host).bytes(b">;tag=").bytes(tag);
    out.into()
}
