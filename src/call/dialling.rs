//! Carrying out a document: verbs, Dials, nouns, and the INVITE of each leg.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::{Answer, Purpose};
use crate::call::auth::Auth;
use crate::call::callerid;
use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role, What};
use crate::call::hand_over::is_hand_over;
use crate::call::history::Origin;
use crate::call::instructions::{Dial, Document, Noun, Target, Verb};
use crate::call::leg_events;
use crate::call::outcome::{CallStatus, DialOutcome, HangupSource};
use crate::call::passage::{self, Passage};
use crate::call::privacy::Privacy;
use crate::call::probe;
use crate::call::program::{self, Failure, Step};
use crate::call::record::{Change, InvitedLeg};
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, Leg, LegState, Phase, Plan, Run, Side};
use crate::call::target;
use crate::call::trace::TraceItem;
use crate::flow::{Destination, Transport};
use crate::reason::Reason;
use crate::routing::model::{ForwardedAs, Gateway};
use crate::sip::{Message, Method, Uri, Writer};
use crate::transport::next_hop::{self, Unresolved};

/// The header lines a loser's CANCEL and BYE carry (RFC 3326).
pub(super) const ELSEWHERE: &[u8] = b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
/// How long a Dial to the static fallback rings, and may last.
const FALLBACK_RINGS: Duration = Duration::from_secs(30);
const FALLBACK_LASTS: Duration = Duration::from_secs(14_400);
/// How long a target that took no TCP is spared another try.
const NO_TCP: Duration = Duration::from_secs(600);

impl Call {
    /// The answer to an ask of this call, or that its time is over (`None`).
    pub fn answered_ask(&mut self, desk: &mut Desk, ask: crate::call::ask::AskId, answer: Option<Answer>) {
        desk.trace(self.facts.call, TraceItem::Answered(ask, describe(answer.as_ref())));
        if self.transfer.is_some() && self.transfer_answered(desk, ask, answer.clone()) {
            return;
        }
        match self.phase {
            Phase::Asking(waiting) if waiting == ask => self.instructed(desk, answer),
            _ => match self.fork_that(|fork| fork.resolving == Some(ask)) {
                Some(fork) => self.fork_resolved(desk, fork, answer),
                None => self.hop_resolved(desk, ask, answer),
            },
        }
    }

    fn instructed(&mut self, desk: &mut Desk, answer: Option<Answer>) {
        match answer {
            Some(Answer::Document(document)) => {
                if self.program.load(*document) {
                    self.perform(desk);
                } else {
                    self.fall_back(desk, program::TOO_MANY);
                }
            }
            Some(Answer::NoDocument { reason, http_status }) => {
                let status = if http_status == Some(404) { 404 } else { 500 };
                self.fall_back(desk, Failure { status, reason });
            }
            _ => self.fall_back(desk, Failure { status: 500, reason: Reason::WebhookTimeout }),
        }
    }

    /// Does what the document says next, until something is to be waited for.
    pub(super) fn perform(&mut self, desk: &mut Desk) {
        match self.program.step(self.media(desk)) {
            Step::HandOver(verb) => {
                let dial = self.hand_over(&verb);
                self.perform_dial(desk, Box::new(dial));
            }
            Step::Dial(dial) => self.perform_dial(desk, dial),
            Step::Pause(length) => {
                self.phase = Phase::Pausing;
                self.phase_timer = Some(desk.start(length, self.key, What::PauseOver));
            }
            Step::Redirect(hook) => self.ask(desk, Purpose::Redirect(hook)),
            Step::Refer(target) => self.redirect(desk, &[(target, 1_000)], Reason::Redirected),
            Step::Refuse(failure) => {
                let source = source_of(failure.reason);
                self.refuse(desk, failure, source);
            }
            Step::Fallback(failure) => self.fall_back(desk, failure),
        }
    }

    fn perform_dial(&mut self, desk: &mut Desk, dial: Box<Dial>) {
        match self.redirects() {
            true => self.redirect_to(desk, *dial),
            false => self.dial(desk, dial),
        }
    }

    /// No document, or one that cannot be executed: the trunk's own status, the number's static
    /// target, or the failure.
    pub(super) fn fall_back(&mut self, desk: &mut Desk, failure: Failure) {
        if let Some(status) = self.trunk.webhook_failure_status {
            return self.refuse(desk, Failure { status, ..failure }, HangupSource::Router);
        }
        let target = self.facts.profile.fallback_target.clone();
        match target.filter(|_| self.program.take_fallback()) {
            Some(target) => {
                let noun = Noun {
                    target: Target::Sip(target),
                    headers: Vec::new(),
                    credentials: None,
                    group: None,
                    callback: None,
                };
                let dial = Dial {
                    nouns: vec![noun],
                    timeout: FALLBACK_RINGS,
                    time_limit: FALLBACK_LASTS,
                    caller_id: None,
                    action: None,
                };
                let fits =
                    self.program.load(Document { verbs: vec![Verb::Dial(dial)], ..Document::default() });
                if fits { self.perform(desk) } else { self.refuse(desk, failure, HangupSource::Router) }
            }
            None => self.refuse(desk, failure, HangupSource::Router),
        }
    }

    /// Sends the INVITE of one leg. False: no listener reaches the address.
    pub(super) fn invite_at(&mut self, desk: &mut Desk, fork: usize, hop: Destination) -> bool {
        let Some(plan) = self.dial.as_ref().map(|run| &run.forks[fork].plan) else { return false };
        let peer = hop.address;
        let near = &self.flow;
        let Some(mut flow) = target::flow_to(&desk.config, near, hop.transport, peer) else { return false };
        let open = plan.transport.is_none() && hop.transport == Transport::Udp;
        let sid = desk.mint_sid();
        let tag = desk.mint_tag(self.shard, self.key);
        let call_id: Arc<[u8]> =
            self.chain.call_id(self.shard, &desk.config.shard_key, &mut desk.generator).into();
        self.legs.push(Leg {
            call_id,
            request_uri: plan.request_uri.clone(),
            trusted: plan.trusted,
            rules: plan.rules.clone(),
            origin: plan.origin,
            told: leg_events::facts(plan, sid, &self.facts.from),
            gateway: plan.gateway,
            auth: plan.credentials.clone().map(|credentials| Box::new(Auth::new(credentials))),
            ..Leg::blank(sid, tag, flow)
        });
        let leg = self.legs.len() - 1;
        if let Some(run) = self.dial.as_mut() {
            run.forks[fork].leg = Some(leg);
        }
        self.write_invite(desk, leg, flow);
        if open && desk.paper.len() > desk.config.udp_size_limit && !self.is_spared_tcp(desk, peer) {
            // RFC 3261 18.1.1: a large request goes over TCP, and over UDP only where that fails.
            if let Some(tcp) = target::flow_to(&desk.config, &self.flow, Transport::Tcp, peer) {
                self.legs[leg].retry_udp = Some(flow);
                flow = tcp;
                self.write_invite(desk, leg, flow);
            }
        }
        if let Some(host) = self.dial.as_ref().and_then(|run| run.forks[fork].plan.host()) {
            desk.meant_for(&flow, host);
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
        let Some(flow) = self.legs[leg].retry_udp.take() else { return false };
        if self.legs[leg].heard || self.legs[leg].state != LegState::Ringing || self.invite.is_none() {
            return false;
        }
        desk.no_tcp.insert(flow.peer, desk.now + NO_TCP);
        desk.stop(&mut self.legs[leg].first_response);
        self.legs[leg].cseq += 1;
        self.write_invite(desk, leg, flow);
        self.send_invite(desk, leg, flow);
        true
    }

    /// Writes the INVITE of a leg onto the paper; its branch is minted when it is sent.
    pub(super) fn write_invite(&mut self, desk: &mut Desk, leg: usize, flow: crate::flow::Flow) {
        let credentials = self.invite_credentials(desk, leg);
        let branch = desk.mint_branch(self.shard);
        let (Some(kept), Some(run)) = (&self.invite, &self.dial) else { return };
        let Some(fork) = run.forks.iter().find(|fork| fork.leg == Some(leg)) else { return };
        let plan = &fork.plan;
        let caller = kept.message();
        let target = passage::Target {
            trusted: plan.trusted,
            rules: &plan.rules,
            // Who calls for help reaches the emergency gateway whatever the trunk is trusted with.
            helps: self.emergency.is_some(),
        };
        let passage = Passage::new(&self.trunk, target, Side::B, &caller);
        let steps = self.legs[..=leg].iter().map(Leg::step).collect();
        let before = compose::Before { told: plan.told, dialled: &self.facts.to, steps };
        let host = compose::own_host(&desk.config, &flow, self.flow.local);
        let to = &self.legs[leg];
        let withheld = passage.privacy.withholds_caller();
        let local = compose::from_value(&caller.from(), plan.caller_id.as_deref(), &host, to.tag, withheld);
        let remote = compose::to_value(&caller.to(), &host);
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
            before,
            least_session: to.least_session,
            // One early dialog leaves no room for reliable responses of several.
            without: if self.trunk.single_early_dialog { &[b"100rel"] } else { &[] },
        };
        let mut paper = std::mem::take(&mut desk.paper);
        let session = compose::invite(&mut paper, &desk.config, &caller, &parts);
        desk.paper = paper;
        let to = &mut self.legs[leg];
        (to.flow, to.branch, to.local, to.remote, to.session) = (flow, Some(branch), local, remote, session);
    }

    /// Sends the INVITE on the paper.
    pub(super) fn send_invite(&mut self, desk: &mut Desk, leg: usize, flow: crate::flow::Flow) {
        let Some(branch) = self.legs[leg].branch else { return };
        let owner = Owner { call: self.key, role: Role::Leg(leg) };
        let client = desk.request(b"INVITE", branch, flow, owner);
        self.legs[leg].client = Some(client);
        desk.trace_sent(self.facts.call, Some(self.legs[leg].sid));
        let invited = self.invited(desk, leg);
        self.record(desk, Change::Invited(Box::new(invited)), None);
        let Some(run) = self.dial.as_mut() else { return };
        if run.began.is_none() {
            run.began = Some(desk.now);
            run.timer = Some(desk.start(run.dial.timeout, self.key, What::DialTimeout));
        }
        let elsewhere = run.forks.iter().any(|fork| fork.leg == Some(leg) && fork.may_go_on());
        if elsewhere {
            let after = desk.config.first_response;
            self.legs[leg].first_response = Some(desk.start(after, self.key, What::FirstResponse(leg)));
        }
    }

    fn invited(&self, desk: &Desk, leg: usize) -> InvitedLeg {
        let to = &self.legs[leg];
        let mut headers = Vec::new();
        let mut uri: Arc<[u8]> = Arc::from([]);
        if let Ok(invite) = Message::scan(&desk.paper) {
            uri = invite.uri_bytes().into();
            let mut writer = Writer::append(&mut headers);
            writer.vias(&invite, None);
            writer.header(crate::sip::Name::From, &[&to.local]).header(crate::sip::Name::To, &[&to.remote]);
            writer.header(crate::sip::Name::CallId, &[&to.call_id]).cseq(to.cseq, Method::Invite);
        }
        let plan = self.dial.as_ref().and_then(|run| run.forks.iter().find(|fork| fork.leg == Some(leg)));
        let parties = plan.map(|fork| {
            let from = fork.plan.caller_id.as_ref().unwrap_or(&self.facts.from);
            (from.clone(), fork.plan.to.clone())
        });
        let parties = parties.unwrap_or_else(|| ("".into(), "".into()));
        let ahead = self.dial.as_ref().map_or(0, Run::ahead);
        let headers = headers.into();
        InvitedLeg {
            leg: to.sid,
            parties,
            request_uri: uri,
            headers,
            flow: to.flow,
            again: to.cseq > 1,
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

    /// The Dial's timeout.
    pub(super) fn dial_timed_out(&mut self, desk: &mut Desk) {
        let failure = Failure { status: 408, reason: Reason::NoAnswer };
        if let Some(run) = self.dial.as_mut() {
            run.timer = None;
        }
        let leg = self.ringing_leg();
        self.stop_forks(desk, 408, b"");
        self.dial_failed(desk, failure, leg);
        self.tell_early_over(desk, 408);
    }

    /// The Dial is over without an answer, nothing rings any more: its action, or the next verb.
    pub(super) fn dial_failed(&mut self, desk: &mut Desk, failure: Failure, leg: Option<usize>) {
        let Some(mut run) = self.dial.take() else { return };
        desk.stop(&mut run.timer);
        self.program.dial_failed(failure);
        let status = CallStatus::of_refusal(failure.status);
        let outcome = self.outcome(desk, &run, leg, status, Some(failure.status), Duration::ZERO);
        self.record(desk, Change::Dialled(Box::new(outcome.clone())), None);
        if is_hand_over(&run.dial) {
            return self.fall_back(desk, failure);
        }
        match run.dial.action.clone() {
            Some(action) => self.ask(desk, Purpose::Action(action, Box::new(outcome))),
            None => self.perform(desk),
        }
    }

    /// The caller is gone or refused while a Dial may run: cancel it, tell its action.
    pub(super) fn abandon_dial(&mut self, desk: &mut Desk, failure: Failure) {
        let leg = self.ringing_leg();
        let extra = std::mem::take(&mut self.cancel_reason);
        self.stop_forks(desk, 487, &extra);
        let Some(mut run) = self.dial.take() else { return };
        desk.stop(&mut run.timer);
        let status = CallStatus::of_refusal(failure.status);
        let outcome = self.outcome(desk, &run, leg, status, None, Duration::ZERO);
        self.tell_action(desk, &run.dial, outcome);
    }

    /// The Dial that was answered is over: its action is asked, and its document not executed.
    pub(super) fn dial_completed(&mut self, desk: &mut Desk, duration: Duration) {
        let Some(mut run) = self.dial.take() else { return };
        desk.stop(&mut run.timer);
        let leg = self.winner.map(|pair| self.pairs[pair].leg);
        let outcome = self.outcome(desk, &run, leg, CallStatus::Completed, Some(200), duration);
        self.tell_action(desk, &run.dial, outcome);
    }

    /// A Dial that another document takes the place of.
    pub(super) fn dial_given_up(&mut self, desk: &mut Desk, run: &Run, leg: Option<usize>) {
        let outcome = self.outcome(desk, run, leg, CallStatus::Canceled, None, Duration::ZERO);
        self.record(desk, Change::Dialled(Box::new(outcome)), None);
    }

    fn tell_action(&mut self, desk: &mut Desk, dial: &Dial, outcome: DialOutcome) {
        let status = outcome.status;
        self.record(desk, Change::Dialled(Box::new(outcome.clone())), None);
        if let Some(action) = dial.action.clone() {
            let question = self.question(Purpose::Action(action, Box::new(outcome)), status);
            let id = desk.ask_aside(self.facts.call, question);
            desk.trace(self.facts.call, TraceItem::Asked(id, "action".into()));
        }
    }

    fn outcome(
        &self,
        desk: &Desk,
        run: &Run,
        leg: Option<usize>,
        status: CallStatus,
        sip_code: Option<u16>,
        duration: Duration,
    ) -> DialOutcome {
        let leg = leg.map(|leg| &self.legs[leg]);
        let rang_until = self.answered.unwrap_or(desk.now);
        DialOutcome {
            status,
            leg: leg.map(|leg| leg.sid),
            duration,
            ring_duration: run.rang.map_or(Duration::ZERO, |rang| rang_until.since(rang)),
            sip_code: leg.and(sip_code),
            sip_call_id: leg.map(|leg| String::from_utf8_lossy(&leg.call_id).into_owned()),
        }
    }

    /// Makes a noun ready: its Request-URI, its next hop, the caller id it is shown.
    pub(super) fn plan(
        &self,
        desk: &Desk,
        noun: &Noun,
        dial: &Dial,
        gateway: Option<&Gateway>,
    ) -> Result<(Plan, Host), Reason> {
        let now = desk.provision.as_ref().ok_or(Reason::Internal)?;
        if let Some(id) = &dial.caller_id
            && !callerid::may_show(now.as_ref(), &self.facts, id)
        {
            return Err(Reason::CallerIdRefused);
        }
        let (mut trusted, mut rules, mut told) = Default::default();
        let mut follow = desk.config.follow_redirects;
        let mut caller_id = dial.caller_id.clone();
        let mut transport = None;
        let uri: Arc<[u8]> = match &noun.target {
            // A document's `?headers` stand beside its target; what is left of others is never sent (19.1.5).
            Target::Sip(uri) => {
                let uri = uri.as_bytes();
                let headers = Uri::parse(uri).map_or(0, |uri| uri.headers.len());
                uri[..uri.len() - headers].strip_suffix(b"?").unwrap_or(uri).into()
            }
            Target::Number(number) => {
                let gateway = gateway.ok_or(Reason::NoGateway)?;
                (trusted, follow) = (gateway.trusted, gateway.follow_redirects);
                rules = gateway.header_rules.clone();
                told = if self.emergency.is_some() { ForwardedAs::None } else { gateway.forwarded_as };
                transport = gateway.transport;
                caller_id = match self.emergency {
                    Some(_) => callerid::for_help(&self.facts, &self.trunk, gateway),
                    None => {
                        Some(callerid::toward(now.as_ref(), &self.facts, &self.trunk, gateway, caller_id))
                    }
                };
                probe::gateway_uri(gateway, Some(number))
            }
            Target::Media(number) => {
                let gateway = gateway.ok_or(Reason::NoMedia)?;
                trusted = gateway.trusted;
                transport = gateway.transport;
                probe::gateway_uri(gateway, Some(number))
            }
            Target::Client(name) => {
                let organization = now.organization(self.facts.organization);
                let registrar = organization.and_then(|organization| organization.registrar.clone());
                callerid::client_uri(&registrar.ok_or(Reason::NoRegistrar)?, name)
                    .ok_or(Reason::NoRegistrar)?
            }
        };
        if !trusted && self.emergency.is_none() && !self.redirects() && self.is_beyond_us() {
            return Err(Reason::PrivacyUnavailable);
        }
        let (host, named) = Uri::parse(&uri).and_then(|uri| hop_of(&uri)).ok_or(Reason::TargetInvalid)?;
        let uri = self.emergency_service().unwrap_or(uri);
        let ours = matches!(noun.target, Target::Media(_));
        let headers = noun.headers.iter().filter(|(name, _)| ours || is_extension(name)).cloned().collect();
        let transport = named.or(transport);
        let host = match host {
            Host::At(at) => Host::At(Destination { transport: transport.unwrap_or(at.transport), ..at }),
            Host::Name(name) => Host::Name(Unresolved { transport: name.transport.or(transport), ..name }),
        };
        let (to, callback) = (leg_events::party(&noun.target), noun.callback.clone());
        let of_gateway = gateway.filter(|_| matches!(noun.target, Target::Number(_) | Target::Media(_)));
        let credentials = match of_gateway {
            Some(gateway) => gateway.credentials.clone(),
            None => noun.credentials.clone(),
        };
        let gateway = of_gateway.map(|gateway| gateway.sid);
        let (request_uri, depth, origin) = (uri, 0, Origin::Document);
        let plan = Plan {
            request_uri,
            transport,
            caller_id,
            headers,
            trusted,
            rules,
            told,
            follow,
            depth,
            origin,
            credentials,
            gateway,
            to,
            callback,
        };
        Ok((plan, host))
    }

    /// Whether the caller asks for a privacy that only a trusted peer could give it.
    fn is_beyond_us(&self) -> bool {
        self.invite.as_ref().is_some_and(|kept| Privacy::of(&kept.message()).is_beyond_us())
    }

    /// The service URN of an emergency call: it stays the Request-URI, so that what lies behind the
    /// gateway can still route by it (RFC 5031 3).
    fn emergency_service(&self) -> Option<Arc<[u8]>> {
        let kept = self.emergency.as_ref().and(self.invite.as_ref())?;
        let request = kept.message();
        let urns = [request.uri_bytes(), request.to().uri];
        let is_service =
            |uri: &&[u8]| uri.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"urn:service:"));
        urns.into_iter().find(is_service).map(Into::into)
    }
}

/// A host, as a URI names it.
#[derive(Debug)]
pub(super) enum Host {
    /// An address literal.
    At(Destination),
    /// To be located.
    Name(Unresolved),
}

/// A next hop before DNS, and the transport that its URI insists on.
pub(super) fn hop_of(uri: &Uri<'_>) -> Option<(Host, Option<Transport>)> {
    let hop = next_hop::next_hop(uri).ok()?;
    let host = match hop.address {
        Some(address) => {
            let address = SocketAddr::new(address, hop.port);
            Host::At(Destination { transport: hop.transport, address })
        }
        None => Host::Name(hop.unresolved()?),
    };
    Some((host, hop.is_explicit.then_some(hop.transport)))
}

/// `X-` headers only, ours excepted.
fn is_extension(name: &str) -> bool {
    let starts =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    starts("X-") && !starts("X-Callgate-") && token
}

fn source_of(reason: Reason) -> HangupSource {
    match reason {
        Reason::Rejected => HangupSource::Application,
        Reason::TargetBusy | Reason::TargetRefused => HangupSource::Callee,
        _ => HangupSource::Router,
    }
}

fn describe(answer: Option<&Answer>) -> Arc<str> {
    match answer {
        Some(Answer::Document(document)) => {
            let verbs: Vec<&str> = document.verbs.iter().map(verb).collect();
            verbs.join(" ").into()
        }
        Some(Answer::NoDocument { reason, .. }) => reason.code().into(),
        Some(Answer::Addresses(found)) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            found.join(", ").into()
        }
        Some(Answer::NoAddress) => "no address".into(),
        None => "no answer in time".into(),
    }
}

fn verb(verb: &Verb) -> &str {
    match verb {
        Verb::Dial(_) => "Dial",
        Verb::Reject { .. } => "Reject",
        Verb::Redirect(_) => "Redirect",
        Verb::Pause(_) => "Pause",
        Verb::Hangup => "Hangup",
        Verb::Refer { .. } => "Refer",
        Verb::Message(_) => "Message",
        Verb::Media(name) => name,
    }
}
