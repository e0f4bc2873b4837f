//! What arrives, in the order of the house: a response by its branch, an existing transaction, an
//! existing dialog, what is answered outside dialogs, and only then a new call.

use crate::call::ask::Counter;
use crate::call::compose;
use crate::call::desk::{Owner, Role};
use crate::call::mint::{Tag, is_ack_of_stateless};
use crate::engine::config::UnknownSource;
use crate::engine::core::{Engine, Followed};
use crate::flow::{Flow, Transport};
use crate::reason::Reason;
use crate::routing::model::Trunk;
use crate::sip::{Fault, Malformed, Message, Method, Name, is_keep_alive};
use crate::transaction::key::{RequestParts, ResponseParts};
use crate::transaction::table::{Arrival, TransactionId};
use crate::transport::response;

impl Engine {
    /// A datagram, or one frame of a stream.
    pub(super) fn received(&mut self, flow: Flow, bytes: &[u8]) {
        if is_keep_alive(bytes) || is_ack_of_stateless(bytes) {
            return;
        }
        match Message::scan(bytes) {
            Ok(message) if message.is_request() => self.request(flow, &message),
            Ok(message) => self.response(&message),
            Err(malformed) => self.malformed(flow, bytes.len(), &malformed),
        }
    }

    /// What a stream broke off with: 400, or what the fault calls for, where it can be answered.
    pub(super) fn broken(&mut self, flow: Flow, bytes: &[u8], fault: Fault) {
        self.malformed(flow, bytes.len(), &Malformed::broken(bytes, fault));
    }

    fn response(&mut self, message: &Message<'_>) {
        let via = message.top_via();
        let cseq = message.cseq();
        let parts = ResponseParts {
            status: message.code().unwrap_or(0),
            branch: via.branch().unwrap_or_default(),
            method: cseq.method.as_bytes(),
            to: message.value(Name::To).unwrap_or_default(),
        };
        let desk = &mut self.desk;
        let outcome = desk.table.receive_response(desk.now, &parts, &mut desk.timers).map(Followed::of);
        match outcome {
            Some(followed) => self.follow(Some(followed), Some(message)),
            None => desk.count(Counter::StrayResponse),
        }
    }

    fn request(&mut self, flow: Flow, message: &Message<'_>) {
        let via = message.top_via();
        let (from, to) = (message.from(), message.to());
        let method = message.method().unwrap_or(Method::Ack);
        let parts = RequestParts {
            method: method.as_bytes(),
            uri: message.uri_bytes(),
            via: via.raw,
            branch: via.branch(),
            host: via.host,
            port: via.port,
            from_tag: from.tag(),
            to_tag: to.tag(),
            call_id: message.call_id(),
            cseq: message.cseq().number,
        };
        let desk = &mut self.desk;
        match desk.table.receive_request(desk.now, &parts, &mut desk.timers) {
            Arrival::Matched(outcome) => {
                let followed = Followed::of(outcome);
                if method != Method::Ack {
                    desk.count(Counter::Retransmission);
                }
                self.matched(followed, flow, message);
            }
            Arrival::Cancel(invite) => self.cancel(flow, &parts, message, invite),
            Arrival::Merged => self.merged(flow, &parts, message),
            Arrival::Ack => self.in_dialog(flow, &parts, message),
            Arrival::New if to.tag().is_some() => self.in_dialog(flow, &parts, message),
            Arrival::New if method == Method::Invite => self.invite(flow, &parts, message),
            Arrival::New if method == Method::Message => self.message(flow, &parts, message),
            Arrival::New => self.out_of_dialog(flow, method, message),
        }
    }

    /// A copy that came another way (8.2.2.2): 482, in a transaction of its own, so that its
    /// repetitions stay refused when the first copy is answered. It does not count as a first copy.
    fn merged(&mut self, flow: Flow, parts: &RequestParts<'_>, message: &Message<'_>) {
        let parts = RequestParts { to_tag: Some(b""), ..*parts };
        let force = self.trunk_of(&flow, message).map(|trunk| trunk.force_rport);
        let server =
            self.serve(flow, &parts, message, force.unwrap_or(false), Owner { call: 0, role: Role::None });
        let tag = self.response_tag(message);
        let reason = force.map(|_| Reason::Loop);
        compose::refusal(&mut self.desk.paper, message, &flow, 482, Some(tag.as_bytes()), reason);
        self.desk.respond(server, 482);
    }

    /// The same request again, or the ACK of an INVITE we answered.
    fn matched(&mut self, followed: Followed, flow: Flow, message: &Message<'_>) {
        let owner = followed.owner;
        let for_success = followed.tell == Some(crate::transaction::step::Tell::Ack);
        if for_success && owner.call != 0 {
            return self.with(owner.call, |call, desk| call.received_in_dialog(desk, None, &flow, message));
        }
        if let Some(entry) = self.calls.get(&owner.call) {
            let (sid, leg) = (entry.call.sid(), entry.call.leg_of_role(owner.role));
            let again = if message.method() == Some(Method::Ack) { 0 } else { followed.came_again };
            self.desk.trace_again(sid, leg, message.bytes(), true, again);
        }
        self.follow(Some(followed), None);
    }

    /// A CANCEL (9.2): answered at once, and the INVITE's owner told.
    fn cancel(
        &mut self,
        flow: Flow,
        parts: &RequestParts<'_>,
        message: &Message<'_>,
        invite: Option<TransactionId>,
    ) {
        let Some(invite) = invite else {
            return self.refuse_stateless(flow, message, 481, Some(Reason::NoSuchDialog));
        };
        let owner = self.desk.table.owner(invite);
        let call = owner.and_then(|owner| self.calls.get(&owner.call)).map(|entry| &entry.call);
        // 9.2: the To tag of the INVITE's own responses.
        let tag = call.map_or_else(|| self.response_tag(message), |call| call.invite_tag());
        let force = call.map(|call| call.force_rport());
        let force = force.or_else(|| self.trunk_of(&flow, message).map(|trunk| trunk.force_rport));
        let server =
            self.serve(flow, parts, message, force.unwrap_or(false), Owner { call: 0, role: Role::None });
        compose::refusal(&mut self.desk.paper, message, &flow, 200, Some(tag.as_bytes()), None);
        self.desk.respond(server, 200);
        if let Some(owner) = owner.filter(|owner| owner.call != 0) {
            self.with(owner.call, |call, desk| call.cancel_received(desk, owner.role, message));
        }
    }

    /// A request with a To tag, or an ACK. Without its dialog: 481, an ACK nothing.
    fn in_dialog(&mut self, flow: Flow, parts: &RequestParts<'_>, message: &Message<'_>) {
        let tag = message.to().tag().and_then(Tag::parse);
        let call = tag.and_then(|tag| self.desk.tags.get(&tag).copied());
        let is_ack = message.method() == Some(Method::Ack);
        let Some(key) = call else {
            if !is_ack {
                self.refuse_stateless(flow, message, 481, Some(Reason::NoSuchDialog));
            }
            return;
        };
        if is_ack {
            return self.with(key, |call, desk| call.received_in_dialog(desk, None, &flow, message));
        }
        if unsupported(message).next().is_some() {
            return self.refuse_stateless(flow, message, 420, Some(Reason::BadExtension));
        }
        let force = self.calls.get(&key).is_some_and(|entry| entry.call.force_rport());
        let server = self.serve(flow, parts, message, force, Owner { call: key, role: Role::None });
        self.with(key, |call, desk| call.received_in_dialog(desk, Some(server), &flow, message));
    }

    /// What is answered outside dialogs without being a call.
    fn out_of_dialog(&mut self, flow: Flow, method: Method<'_>, message: &Message<'_>) {
        let event = message.value(Name::Event).unwrap_or_default();
        match method {
            Method::Options => self.options(flow, message),
            Method::Notify if event.eq_ignore_ascii_case(b"keep-alive") => {
                self.refuse_stateless(flow, message, 200, None);
            }
            Method::Notify | Method::Subscribe | Method::Publish => {
                self.refuse_stateless(flow, message, 489, Some(Reason::MethodNotAllowed));
            }
            Method::Bye | Method::Update | Method::Prack | Method::Info => {
                self.refuse_stateless(flow, message, 481, Some(Reason::NoSuchDialog));
            }
            _ => self.refuse_stateless(flow, message, 405, Some(Reason::MethodNotAllowed)),
        }
    }

    /// "Are you there, and do you take calls?": for any user, and with Max-Forwards 0 too (11.2).
    fn options(&mut self, flow: Flow, message: &Message<'_>) {
        let trunk = self.trunk_of(&flow, message);
        if self.is_silent(trunk.as_deref()) {
            return;
        }
        let known = trunk.is_some() || self.home_of_unknown().is_some();
        let serves = self.directory.is_some() && !self.draining;
        let code = if serves { 200 } else { 503 };
        let tag = self.response_tag(message).stateless();
        if !known {
            // What a stranger gets is no larger than what it sent.
            return self.refuse_from(None, flow, message, code, None);
        }
        let desk = &mut self.desk;
        let mut writer = compose::response(&mut desk.paper, message, &flow, code, Some(tag.as_bytes()));
        writer.header(Name::Allow, &[compose::ALLOW]).header(Name::Accept, &[b"application/sdp, */*"]);
        writer.header(Name::AcceptLanguage, &[b"en"]).header(Name::Supported, &[b"100rel, timer"]);
        writer.header(Name::Server, &[desk.config.product.as_bytes()]);
        writer.finish();
        self.send_stateless(trunk.as_deref(), flow, message);
    }

    /// Makes the server transaction of a request.
    pub(super) fn serve(
        &mut self,
        flow: Flow,
        parts: &RequestParts<'_>,
        message: &Message<'_>,
        force_rport: bool,
        owner: Owner,
    ) -> TransactionId {
        let via = message.top_via();
        let reply = response::flow(flow, &via, force_rport);
        let desk = &mut self.desk;
        let id = desk.table.serve(desk.now, parts, reply, owner, &mut desk.timers);
        desk.table.set_fallback(id, response::fallback(flow, &via));
        id
    }

    /// A response that leaves no state behind (8.2.7). The reason code is for sources we know.
    pub(super) fn refuse_stateless(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        code: u16,
        reason: Option<Reason>,
    ) {
        let trunk = self.trunk_of(&flow, message);
        if self.is_silent(trunk.as_deref()) {
            return;
        }
        self.refuse_from(trunk.as_deref(), flow, message, code, reason);
    }

    /// The same, the trunk of the source being looked up already.
    pub(super) fn refuse_from(
        &mut self,
        trunk: Option<&Trunk>,
        flow: Flow,
        message: &Message<'_>,
        code: u16,
        reason: Option<Reason>,
    ) {
        let known = trunk.is_some();
        if !known && !self.may_be_told(message) {
            return;
        }
        let tag = self.response_tag(message).stateless();
        let paper = &mut self.desk.paper;
        if code == 420 {
            let mut writer = compose::response(paper, message, &flow, code, Some(tag.as_bytes()));
            compose::own_reason(&mut writer, reason.filter(|_| known));
            for option in unsupported(message) {
                writer.header(Name::Unsupported, &[option]);
            }
            writer.finish();
        } else {
            compose::refusal(paper, message, &flow, code, Some(tag.as_bytes()), reason.filter(|_| known));
        }
        self.send_stateless(trunk, flow, message);
    }

    pub(super) fn send_stateless(&mut self, trunk: Option<&Trunk>, flow: Flow, message: &Message<'_>) {
        let force = trunk.is_some_and(|trunk| trunk.force_rport);
        if trunk.is_none() && self.is_larger(&flow, message.bytes().len()) {
            return self.desk.count(Counter::Withheld);
        }
        self.desk.send_paper(response::flow(flow, &message.top_via(), force));
    }

    /// A request of a source without a trunk is refused: counted, and whether it is told. Before the first
    /// directory nobody is a stranger yet.
    pub(super) fn may_be_told(&mut self, message: &Message<'_>) -> bool {
        let agent = message.value(Name::UserAgent).unwrap_or_default().to_ascii_lowercase();
        let mut scanners = self.desk.config.scanners.iter();
        let scanner = scanners.any(|part| memchr::memmem::find(&agent, part).is_some());
        self.desk.count(if scanner { Counter::Scanner } else { Counter::Stranger });
        !scanner
    }

    /// Whether the answer on the paper is larger than its request, which came in a datagram whose source may
    /// be forged.
    pub(super) fn is_larger(&self, flow: &Flow, request: usize) -> bool {
        flow.transport == Transport::Udp && self.desk.paper.len() > request
    }

    /// The To tag of a final response within a transaction.
    pub(super) fn response_tag(&self, message: &Message<'_>) -> Tag {
        let from_tag = message.from().tag().unwrap_or_default();
        self.desk.config.shard_key.response_tag(message.call_id(), from_tag, message.cseq().number)
    }

    /// Whether the configuration says that this source gets no answer at all.
    fn is_silent(&mut self, trunk: Option<&Trunk>) -> bool {
        let silent = self.desk.config.unknown_source == UnknownSource::Drop && trunk.is_none();
        if silent {
            self.desk.count(Counter::UnknownSource);
            self.desk.count(Counter::Stranger);
        }
        silent
    }

    fn malformed(&mut self, flow: Flow, length: usize, malformed: &Malformed<'_>) {
        let known = self.is_trunk_address(&flow);
        let silent = self.desk.config.unknown_source == UnknownSource::Drop && !known;
        let Some(answerable) = malformed.answerable().filter(|_| !silent) else {
            return self.desk.count(Counter::Unreadable);
        };
        let key = &self.desk.config.shard_key;
        let via = answerable.top_via();
        let branch = via.as_ref().and_then(|via| via.branch()).unwrap_or_default();
        let tag = key.response_tag(branch, b"malformed", 0).stateless();
        let desk = &mut self.desk;
        answerable.write(&mut desk.paper, malformed.fault(), tag.as_bytes(), Some(response::stamp(&flow)));
        let reply = via.map_or(flow, |via| response::flow(flow, &via, false));
        if !known {
            self.desk.count(Counter::Stranger);
            if self.is_larger(&flow, length) {
                return self.desk.count(Counter::Withheld);
            }
        }
        self.desk.send_paper(reply);
    }
}

/// Most option tags that a 420 names: it is not to grow beyond the request, nor beyond a datagram.
const MOST_UNSUPPORTED: usize = 32;

/// The option tags of Require that we are not transparent to (8.2.2.3).
pub(super) fn unsupported<'a>(message: &Message<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let tags: Vec<&[u8]> = message.values(Name::Require).collect();
    tags.into_iter().filter(|tag| !crate::call::headers::transparent_option(tag)).take(MOST_UNSUPPORTED)
}
