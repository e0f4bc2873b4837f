//! Requests inside the dialogs of a call: passed from one side to the other, with numbers, tags and
//! Contact of the side they go to.

use crate::call::compose;
use crate::call::desk::{Desk, Owner, Role};
use crate::call::outcome::HangupSource;
use crate::call::passage::{self, End, Passage};
use crate::call::reliable::Source;
use crate::call::session;
use crate::call::state::{Call, Relay, Side, one_at_first};
use crate::call::target;
use crate::flow::Flow;
use crate::ids::CallSid;
use crate::reason::Reason;
use crate::sip::{Kept, Message, Method, Name};
use crate::transaction::table::TransactionId;

/// What does not pass in an INVITE inside a dialog: its provisional responses are never reliable.
const RELIABLY: &[&[u8]] = &[b"100rel"];

impl Call {
    /// A request with a To tag of this call, in its own server transaction (`None` for ACK).
    pub fn received_in_dialog(
        &mut self,
        desk: &mut Desk,
        server: Option<TransactionId>,
        flow: &Flow,
        request: &Message<'_>,
    ) {
        let found = self.find_pair(request);
        let leg = found.and_then(|(pair, side)| self.leg_of(pair, side));
        desk.trace_received(self.facts.call, leg, request);
        let method = request.method().unwrap_or(Method::Ack);
        let Some(server) = server else {
            if let Some((pair, side)) = found {
                self.listen(pair, side, request);
                self.acknowledged(desk, pair, side, request);
            }
            return;
        };
        let Some((pair, side)) = found else {
            return self.without_pair(desk, server, flow, request);
        };
        desk.table.set_owner(server, Owner { call: self.key, role: Role::None });
        if self.pairs[pair].dialog_mut(side).receive(request).is_err() {
            return self.refuse_request(desk, server, flow, request, 500, Some(Reason::BadRequest));
        }
        self.pairs[pair].stirred = true;
        self.listen(pair, side, request);
        self.pairs[pair].unreached[side as usize] = false;
        self.ride(desk, flow);
        match method {
            Method::Bye => self.hung_up(desk, pair, side, server, flow, request),
            _ if self.is_joining(pair, side) => {
                self.refuse_request(desk, server, flow, request, 500, Some(Reason::RequestPending));
            }
            Method::Refer => self.referred(desk, (pair, side), server, flow, request),
            _ if request.max_forwards() == Some(0) => {
                self.refuse_request(desk, server, flow, request, 483, Some(Reason::TooManyHops));
            }
            Method::Prack => self.prack(desk, side, server, flow, request),
            _ => self.relay(desk, (pair, side), server, flow, request, None),
        }
    }

    /// A PRACK goes to the target whose response it acknowledges, by that response's numbers.
    pub(super) fn relay_prack(
        &mut self,
        desk: &mut Desk,
        of: Source,
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
    ) {
        self.relay(desk, (of.pair, Side::A), server, flow, request, Some(of));
    }

    /// A request under our own To tag, which no target's dialog stands behind.
    fn without_pair(&mut self, desk: &mut Desk, server: TransactionId, flow: &Flow, request: &Message<'_>) {
        let early = self.server.is_some() && request.to().tag() == Some(self.own_tag.as_bytes());
        match request.method() {
            Some(Method::Bye) if early => {
                // The caller may end an early dialog by BYE too (15): as CANCEL does.
                self.refuse_request(desk, server, flow, request, 200, None);
                self.cancelled(desk, request);
            }
            Some(Method::Prack) if early => self.prack(desk, Side::A, server, flow, request),
            // The offer of its INVITE has no answer yet (RFC 3311 5.2).
            Some(Method::Update) if early => {
                self.refuse_request(desk, server, flow, request, 500, Some(Reason::RequestPending));
            }
            // It crossed ours, or is late.
            Some(Method::Bye) if self.has_shed() => {
                self.refuse_request(desk, server, flow, request, 200, None)
            }
            _ if early => self.refuse_request(desk, server, flow, request, 491, Some(Reason::RequestPending)),
            _ => self.refuse_request(desk, server, flow, request, 481, Some(Reason::NoSuchDialog)),
        }
    }

    /// Answers a request inside a dialog by ourselves.
    pub(super) fn refuse_request(
        &self,
        desk: &mut Desk,
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
        code: u16,
        reason: Option<Reason>,
    ) {
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = compose::response(&mut paper, request, flow, code, None);
        compose::own_reason(&mut writer, self.told_reason(reason));
        if code == 500 && reason == Some(Reason::RequestPending) {
            // 14.2: a second INVITE while the first is pending comes back between 0 and 10 seconds.
            writer.numeric(Name::RetryAfter, u64::from(desk.generator.next_u32() % 10));
        }
        if code == 501 {
            writer.header(Name::Allow, &[compose::ALLOW]);
        }
        if code == 422 {
            writer.numeric(Name::MinSe, session::LEAST.into());
        }
        writer.finish();
        desk.paper = paper;
        desk.respond(server, code);
        let leg = self.find_pair(request).and_then(|(pair, side)| self.leg_of(pair, side));
        desk.trace_sent(self.facts.call, leg);
    }

    fn relay(
        &mut self,
        desk: &mut Desk,
        (pair, from): (usize, Side),
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
        acknowledges: Option<Source>,
    ) {
        let invite = request.method() == Some(Method::Invite);
        if let Some(code) = self.conflict(pair, from, request) {
            return self.refuse_request(desk, server, flow, request, code, Some(Reason::RequestPending));
        }
        if matches!(request.method(), Some(Method::Invite | Method::Update)) && session::is_too_short(request)
        {
            let reason = Some(Reason::SessionTooShort);
            return self.refuse_request(desk, server, flow, request, 422, reason);
        }
        let contact = request.contacts().next();
        if contact.is_some_and(|contact| target::lacks_tls(contact.uri, flow)) {
            return self.refuse_request(desk, server, flow, request, 416, Some(Reason::UnsupportedScheme));
        }
        if !self.pairs[pair].alive[from.other() as usize] || self.over {
            return self.refuse_request(desk, server, flow, request, 481, Some(Reason::NoSuchDialog));
        }
        if !self.pairs[pair].confirmed && invite {
            return self.refuse_request(desk, server, flow, request, 491, Some(Reason::RequestPending));
        }
        if invite {
            let mut paper = std::mem::take(&mut desk.paper);
            compose::response(&mut paper, request, flow, 100, None).finish();
            desk.paper = paper;
            desk.respond(server, 100);
        }
        let id = self.next_relay;
        self.next_relay += 1;
        desk.table.set_owner(server, Owner { call: self.key, role: Role::RelayServer(id) });
        let method = request.method().unwrap_or(Method::Info);
        let refreshes = matches!(method, Method::Invite | Method::Update);
        let (client, far_cseq, session) = self.pass(desk, (pair, from), id, request, acknowledges);
        one_at_first(&mut self.relays);
        self.relays.push(Relay {
            pair,
            from,
            server: Some(server),
            client: Some(client),
            id,
            invite,
            refreshes,
            session,
            offers: invite || (method == Method::Update && !request.body().is_empty()),
            request: Kept::new(request),
            acknowledges,
            flow: *flow,
            cseq: request.cseq().number,
            far_cseq,
            target: request.contacts().next().map(|contact| contact.uri.into()).filter(|_| refreshes),
            cancel: false,
            authorized: false,
        });
    }

    /// The far side wants to know who asks: the same request once more, with the next number.
    pub(super) fn relay_again(&mut self, desk: &mut Desk, at: usize) {
        let mut relay = self.relays.remove(at);
        let request = relay.request.message();
        let sides = (relay.pair, relay.from);
        let (client, far_cseq, session) = self.pass(desk, sides, relay.id, &request, relay.acknowledges);
        (relay.client, relay.far_cseq, relay.session, relay.authorized) =
            (Some(client), far_cseq, session, true);
        self.relays.insert(at, relay);
    }

    /// Writes a request of one side on the other, and sends it: its transaction, its number there,
    /// and the session interval it asks for.
    fn pass(
        &mut self,
        desk: &mut Desk,
        (pair, from): (usize, Side),
        id: u32,
        request: &Message<'_>,
        acknowledges: Option<Source>,
    ) -> (TransactionId, u32, Option<u32>) {
        let far = from.other();
        let method = request.method().unwrap_or(Method::Info);
        let (invite, refreshes) =
            (method == Method::Invite, matches!(method, Method::Invite | Method::Update));
        let credentials = self.dialog_credentials(desk, (pair, far), method);
        let body = self.body_toward(pair, far, request);
        let branch = desk.mint_branch(self.shard);
        let far_cseq = self.pairs[pair].dialog_mut(far).next_cseq();
        let known = self.flow.local;
        let dialog = self.pairs[pair].dialog(far);
        let mut paper = std::mem::take(&mut desk.paper);
        let parts = compose::InDialog { method, dialog, branch, known, cseq: far_cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials);
        compose::hops(&mut writer, request);
        if refreshes || matches!(method, Method::Notify | Method::Subscribe) {
            compose::contact(&mut writer, &desk.config, &dialog.flow, known, dialog.is_sips());
        }
        if let Some(of) = acknowledges {
            writer.begin(Name::RAck).number(of.rseq.into()).bytes(b" ").number(of.cseq.into());
            writer.bytes(b" INVITE").end();
        }
        let without = if invite { RELIABLY } else { &[] };
        passage::request_headers(&mut writer, request, &self.passage(pair, far, request), without);
        let insert = self.session.as_ref().map(|session| session.interval);
        let session = if refreshes { session::ask(&mut writer, request, insert, 0) } else { None };
        writer.body(&body);
        desk.paper = paper;
        let far_flow = dialog.flow;
        let owner = Owner { call: self.key, role: Role::RelayClient(id) };
        let client = desk.request(method.as_bytes(), branch, far_flow, owner);
        self.reinvites += u8::from(invite);
        desk.trace_sent(self.facts.call, self.leg_of(pair, far));
        (client, far_cseq, session)
    }

    /// What a request of `from` that must wait is answered: 14.2, and RFC 3311 5.2 for UPDATE. The
    /// offers of an early dialog are left to its two ends, who know what is answered.
    fn conflict(&self, pair: usize, from: Side, request: &Message<'_>) -> Option<u16> {
        let (invite, update) =
            (request.method() == Some(Method::Invite), request.method() == Some(Method::Update));
        let offers = invite || (update && !request.body().is_empty());
        if offers && self.transfers() {
            return Some(491);
        }
        let pending = |side, is_meant: fn(&Relay) -> bool| {
            self.relays.iter().any(|relay| relay.pair == pair && relay.from == side && is_meant(relay))
        };
        if (offers && pending(from, |relay| relay.offers))
            || (update && pending(from, |relay| relay.refreshes && !relay.invite))
        {
            return Some(500);
        }
        let unacknowledged = invite && self.pairs[pair].answering.is_some();
        (offers && (pending(from.other(), |relay| relay.offers) || unacknowledged)).then_some(491)
    }

    /// A relayed request was cancelled by its sender (an INVITE inside the dialog).
    pub(super) fn relay_cancelled(&mut self, desk: &mut Desk, id: u32) {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.id == id) else { return };
        relay.cancel = true;
        if let Some(client) = relay.client {
            desk.cancel(client, b"", self.facts.call, None);
        }
    }

    /// No final response came to a relayed request: 408, which ends the call (the transaction of
    /// another method than INVITE ends in silence, RFC 4320 4.2).
    pub(super) fn relay_timed_out(&mut self, desk: &mut Desk, id: u32) {
        self.relay_failed(desk, id, 408);
    }

    /// A relayed request could not be sent. The sender hears 500; a lost connection ends no call.
    pub(super) fn relay_unreachable(&mut self, desk: &mut Desk, id: u32) {
        self.relay_failed(desk, id, 500);
    }

    fn relay_failed(&mut self, desk: &mut Desk, id: u32, code: u16) {
        let Some(at) = self.relays.iter().position(|relay| relay.id == id) else { return };
        let relay = self.relays.remove(at);
        if let Some(server) = relay.server {
            let request = relay.request.message();
            let code = if relay.cancel { 487 } else { code };
            self.refuse_request(desk, server, &relay.flow, &request, code, Some(Reason::PeerLost));
        }
        if code == 408 && !relay.cancel {
            self.peer_lost(desk, relay.pair, Some(relay.from.other()));
        }
    }

    /// The server side of a relayed request is over before it was answered.
    pub(super) fn relay_server_gone(&mut self, id: u32) {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.id == id) {
            relay.server = None;
        }
    }

    /// The pair and side that a request inside a dialog belongs to: both tags, and the Call-ID.
    fn find_pair(&self, request: &Message<'_>) -> Option<(usize, Side)> {
        // Under a single To tag several pairs are one dialog to the caller: the winner's counts.
        let latest_first = (0..self.pairs.len()).rev();
        for pair in self.winner.into_iter().chain(latest_first) {
            for side in [Side::A, Side::B] {
                if self.pairs[pair].dialog(side).owns_request(request) {
                    return Some((pair, side));
                }
            }
        }
        None
    }

    /// The leg of a side, for traces.
    pub(super) fn leg_of(&self, pair: usize, side: Side) -> Option<CallSid> {
        self.pairs.get(pair)?.leg_at(side).map(|leg| self.legs[leg].sid)
    }

    /// The way of a message toward this side of a pair.
    pub(super) fn passage(&self, pair: usize, toward: Side, message: &Message<'_>) -> Passage<'_> {
        let of = &self.pairs[pair];
        // Who came in by transfer stands at the caller's place as itself.
        let near = of.a_leg.map_or_else(|| End::of_trunk(&self.trunk), |leg| self.leg_end(leg));
        Passage::new(near, self.leg_end(of.leg), toward, message)
    }

    /// The way of a message of a leg, or toward it, beside the caller.
    pub(super) fn passage_of(&self, leg: usize, toward: Side, message: &Message<'_>) -> Passage<'_> {
        Passage::new(End::of_trunk(&self.trunk), self.leg_end(leg), toward, message)
    }

    fn leg_end(&self, leg: usize) -> End<'_> {
        let leg = &self.legs[leg];
        End { trusted: leg.trusted, rules: &leg.rules, helps: self.emergency.is_some() }
    }

    /// A side no longer answers, or no longer knows the dialog: both legs end. An early dialog, or
    /// one that lost, takes nothing with it: its INVITE has an end of its own.
    pub(super) fn peer_lost(&mut self, desk: &mut Desk, pair: usize, gone: Option<Side>) {
        if self.winner != Some(pair) {
            return;
        }
        let source = match gone {
            Some(Side::A) => HangupSource::Caller,
            Some(Side::B) => HangupSource::Callee,
            None => HangupSource::Router,
        };
        self.hang_up(desk, pair, Reason::PeerLost, source, gone);
    }
}
