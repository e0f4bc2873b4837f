//! The messages a call writes: the INVITE toward a target, requests inside dialogs, responses that
//! pass from one side to the other.

use std::net::IpAddr;
use std::sync::Arc;

use crate::call::config::EngineConfig;
use crate::call::history;
use crate::call::mint::{Branch, Tag};
use crate::call::passage::{self, Passage};
use crate::call::phrases::phrase;
use crate::call::session;
use crate::call::target;
use crate::dialog::Dialog;
use crate::flow::{Flow, Transport};
use crate::reason::Reason;
use crate::routing::model::ForwardedAs;
use crate::sip::{Message, Method, Name, NameAddr, Scheme, Uri, Writer};
use crate::transport::response::stamp;

/// The methods we serve.
pub const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, MESSAGE, NOTIFY, REFER";

/// The parts of an INVITE toward a target that are not the caller's.
pub(super) struct Invite<'a> {
    pub request_uri: &'a [u8],
    pub branch: Branch,
    pub flow: &'a Flow,
    /// A local address that received something, for what is advertised.
    pub known: IpAddr,
    pub call_id: &'a [u8],
    pub cseq: u32,
    /// From with our tag, and To, as written.
    pub local: &'a [u8],
    pub remote: &'a [u8],
    pub headers: &'a [(Arc<str>, Arc<str>)],
    /// Authorization and Proxy-Authorization, as whole lines.
    pub credentials: &'a [u8],
    /// Max-Breadth: its share of the caller's.
    pub breadth: u32,
    /// What of the caller's headers passes.
    pub passage: &'a Passage<'a>,
    /// Our host as the target sees it.
    pub host: &'a [u8],
    /// What the target is told of whom the call was for before.
    pub before: Before<'a>,
    /// Option tags that are not offered to this target.
    pub without: &'static [&'static [u8]],
    /// The shortest session it takes, in seconds.
    pub least_session: u32,
}

/// Writes the INVITE that carries the caller's to a target.
/// The session interval that it asks for.
pub(super) fn invite(
    out: &mut Vec<u8>,
    config: &EngineConfig,
    caller: &Message<'_>,
    parts: &Invite<'_>,
) -> Option<u32> {
    let mut writer = Writer::request(out, Method::Invite, parts.request_uri);
    via(&mut writer, config, parts.flow, parts.known, parts.branch);
    max_forwards(&mut writer, caller);
    writer.numeric(Name::MaxBreadth, parts.breadth.into());
    writer.header(Name::From, &[parts.local]).header(Name::To, &[parts.remote]);
    writer.header(Name::CallId, &[parts.call_id]).cseq(parts.cseq, Method::Invite);
    contact(&mut writer, config, parts.flow, parts.known, is_sips(parts.request_uri));
    writer.bytes(parts.credentials);
    parts.before.diversion(&mut writer, parts.passage, parts.host);
    passage::request_headers(&mut writer, caller, parts.passage, parts.without);
    parts.before.history(&mut writer, caller, parts.passage, parts.host);
    let insert = (config.session_expires > 0).then(|| config.session_expires.max(session::LEAST));
    let asked = session::ask(&mut writer, caller, insert, parts.least_session);
    passage::added(&mut writer, parts.passage.to, parts.headers);
    writer.body(caller.body());
    asked
}

/// Whom a call was for before it came to a target.
pub(super) struct Before<'a> {
    /// How the target hears of it.
    pub told: ForwardedAs,
    /// The number that was dialled.
    pub dialled: &'a str,
    /// The call's legs so far, this one last.
    pub steps: Vec<history::Step<'a>>,
}

impl Before<'_> {
    fn diversion(&self, writer: &mut Writer<'_>, passage: &Passage<'_>, host: &[u8]) {
        let is_told = self.told == ForwardedAs::Diversion && !passage.privacy.hides(Name::Diversion);
        if is_told && !passage.drops(Name::Diversion) {
            let before = self.steps.iter().rev().nth(1).map_or(0, |step| step.code);
            history::diversion(writer, self.dialled.as_bytes(), host, before);
        }
    }

    /// Where the caller's side keeps a history it is gone on with.
    fn history(&self, writer: &mut Writer<'_>, caller: &Message<'_>, passage: &Passage<'_>, host: &[u8]) {
        let is_told = self.told == ForwardedAs::HistoryInfo || caller.header(Name::HistoryInfo).is_some();
        if is_told && !passage.drops(Name::HistoryInfo) {
            history::added(writer, caller, host, &self.steps, passage.privacy.hides_history());
        }
    }
}

/// The parts of a request inside a dialog.
pub(super) struct InDialog<'a> {
    pub method: Method<'a>,
    pub dialog: &'a Dialog,
    pub branch: Branch,
    pub known: IpAddr,
    pub cseq: u32,
}

/// Begins a request inside a dialog (12.2.1.1): the headers up to CSeq, and Via.
pub(super) fn in_dialog<'b>(out: &'b mut Vec<u8>, config: &EngineConfig, parts: &InDialog<'_>) -> Writer<'b> {
    let mut writer = parts.dialog.begin(out, parts.method, parts.cseq);
    via(&mut writer, config, &parts.dialog.flow, parts.known, parts.branch);
    writer
}

/// A MESSAGE of our own (RFC 3428): who writes to whom, and what.
pub struct Outgoing<'a> {
    /// Where it goes, and through what.
    pub flow: &'a Flow,
    /// Its branch, Call-ID and From tag.
    pub branch: Branch,
    /// See `branch`.
    pub call_id: &'a [u8],
    /// See `branch`.
    pub tag: Tag,
    /// The user parts of From and To.
    pub from: &'a str,
    /// See `from`.
    pub to: &'a str,
    /// What is said.
    pub text: &'a str,
}

/// Writes a MESSAGE to the peer that `flow` leads to.
pub fn message(out: &mut Vec<u8>, config: &EngineConfig, parts: &Outgoing<'_>) {
    let peer = parts.flow.peer;
    let mut uri = Vec::with_capacity(64);
    let mut writer = Writer::append(&mut uri);
    writer.bytes(b"sip:").user(parts.to.as_bytes()).bytes(b"@").host(peer.ip());
    writer.bytes(b":").number(peer.port().into());
    if parts.flow.transport != Transport::Udp {
        writer.bytes(if parts.flow.transport == Transport::Tls {
            b";transport=tls"
        } else {
            b";transport=tcp"
        });
    }
    let host = own_host(config, parts.flow, parts.flow.local);
    let mut writer = Writer::request(out, Method::Message, &uri);
    via(&mut writer, config, parts.flow, parts.flow.local, parts.branch);
    writer.numeric(Name::MaxForwards, 70);
    writer.begin(Name::From).bytes(b"<sip:").user(parts.from.as_bytes()).bytes(b"@").bytes(&host);
    writer.bytes(b">;tag=").bytes(parts.tag.as_bytes()).end();
    writer.header(Name::To, &[b"<", &uri, b">"]);
    writer.header(Name::CallId, &[parts.call_id]).cseq(1, Method::Message);
    writer.header(Name::UserAgent, &[config.product.as_bytes()]);
    writer.header(Name::ContentType, &[b"text/plain;charset=UTF-8"]);
    writer.body(parts.text.as_bytes());
}

/// Our Via.
pub(super) fn via(
    writer: &mut Writer<'_>,
    config: &EngineConfig,
    flow: &Flow,
    known: IpAddr,
    branch: Branch,
) {
    if let Some(sent_by) = target::sent_by(config, flow, known) {
        sent_by.write_via(writer, flow.transport, branch.as_bytes());
    }
}

/// Our Contact. TLS alone makes it no sips URI: peers that speak TLS without knowing sips exist, and
/// it is due only where the peer is addressed by one (8.1.1.8, 12.1.1).
pub(super) fn contact(
    writer: &mut Writer<'_>,
    config: &EngineConfig,
    flow: &Flow,
    known: IpAddr,
    by_sips: bool,
) {
    let Some(sent_by) = target::sent_by(config, flow, known) else { return };
    let (scheme, transport): (&[u8], &[u8]) = match flow.transport {
        Transport::Udp => (b"<sip:", b""),
        Transport::Tcp => (b"<sip:", b";transport=tcp"),
        Transport::Tls if by_sips => (b"<sips:", b""),
        Transport::Tls => (b"<sip:", b";transport=tls"),
    };
    writer.begin(Name::Contact).bytes(scheme);
    sent_by.write(writer);
    writer.bytes(transport).bytes(b">").end();
}

/// Whether the answer to an INVITE must name us by a sips URI (12.1.1).
pub(super) fn asks_for_sips(request: &Message<'_>) -> bool {
    let first = request.record_routes().next().or_else(|| request.contacts().next());
    let named = first.and_then(|first| first.parsed_uri());
    [request.uri(), named].into_iter().flatten().any(|uri| uri.scheme == Scheme::Sips)
}

/// Whether a URI is a sips one.
pub(super) fn is_sips(uri: &[u8]) -> bool {
    Uri::parse(uri).is_some_and(|uri| uri.scheme == Scheme::Sips)
}

/// The host we are called by toward the peer of `flow`.
pub(super) fn own_host(config: &EngineConfig, flow: &Flow, known: IpAddr) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    if let Some(sent_by) = target::sent_by(config, flow, known) {
        sent_by.write_host(&mut Writer::append(&mut out));
    }
    out
}

/// Max-Forwards minus one (absent: 70) and Max-Breadth as it came (RFC 7332, RFC 5393).
pub(super) fn hops(writer: &mut Writer<'_>, request: &Message<'_>) {
    max_forwards(writer, request);
    if let Some(breadth) = request.max_breadth() {
        writer.numeric(Name::MaxBreadth, breadth.into());
    }
}

fn max_forwards(writer: &mut Writer<'_>, request: &Message<'_>) {
    let left = request.max_forwards().map_or(70, |left| left.saturating_sub(1));
    writer.numeric(Name::MaxForwards, left.into());
}

/// Begins a response to a request that came through `flow`.
#[must_use]
pub fn response<'b>(
    out: &'b mut Vec<u8>,
    request: &Message<'_>,
    flow: &Flow,
    code: u16,
    to_tag: Option<&[u8]>,
) -> Writer<'b> {
    let mut writer = Writer::response(out, request, code, phrase(code), to_tag, Some(stamp(flow)));
    if code == 100
        && let Some(asked) = request.header(Name::Timestamp)
    {
        // 8.2.6.1: for whoever wants to know how long the way was.
        writer.bytes(asked.line);
    }
    writer
}

/// A whole response of our own without a body; `reason` becomes X-Callgate-Reason.
pub fn refusal(
    out: &mut Vec<u8>,
    request: &Message<'_>,
    flow: &Flow,
    code: u16,
    to_tag: Option<&[u8]>,
    reason: Option<Reason>,
) {
    let mut writer = response(out, request, flow, code, to_tag);
    own_reason(&mut writer, reason);
    match code {
        405 | 501 => {
            writer.header(Name::Allow, &[ALLOW]);
        }
        // RFC 6665 7.2: the only subscriptions there are begin with a REFER inside a call.
        489 => {
            writer.header(Name::AllowEvents, &[b"refer"]);
        }
        _ => {}
    }
    writer.finish();
}

/// X-Callgate-Reason.
pub fn own_reason(writer: &mut Writer<'_>, reason: Option<Reason>) {
    if let Some(reason) = reason {
        writer.named(b"X-Callgate-Reason", &[reason.code().as_bytes()]);
    }
}

/// From toward a target: the caller's user and display name (or `caller_id` as the user), our host,
/// our tag. `anonymous.invalid` stays; it is all that is said where who calls is withheld.
pub(super) fn from_value(
    scratch: &mut Vec<u8>,
    caller: &NameAddr<'_>,
    caller_id: Option<&str>,
    host: &[u8],
    tag: Tag,
    is_withheld: bool,
) -> Arc<[u8]> {
    scratch.clear();
    let mut writer = Writer::append(scratch);
    if caller_id == Some("anonymous") || (caller_id.is_none() && is_withheld) {
        writer.bytes(ANONYMOUS);
    } else {
        identity(&mut writer, caller, caller_id, host);
    }
    writer.bytes(b";tag=").bytes(tag.as_bytes());
    scratch.as_slice().into()
}

/// RFC 3323 4.1.1.3.
pub(super) const ANONYMOUS: &[u8] = b"\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// To toward a target: the dialled user and display name, our host.
pub(super) fn to_value(scratch: &mut Vec<u8>, dialled: &NameAddr<'_>, host: &[u8]) -> Arc<[u8]> {
    scratch.clear();
    identity(&mut Writer::append(scratch), dialled, None, host);
    scratch.as_slice().into()
}

fn identity(writer: &mut Writer<'_>, address: &NameAddr<'_>, user: Option<&str>, host: &[u8]) {
    let uri = address.parsed_uri();
    let withheld = uri.is_some_and(|uri| uri.host.eq_ignore_ascii_case(b"anonymous.invalid"));
    if user.is_none() && !address.display.is_empty() {
        writer.bytes(address.display).bytes(b" ");
    }
    writer.bytes(b"<sip:");
    match user {
        Some(user) => {
            writer.user(user.as_bytes()).bytes(b"@");
        }
        None => {
            if let Some(user) = uri.and_then(|uri| uri.user).filter(|user| !user.is_empty()) {
                writer.bytes(user).bytes(b"@");
            }
        }
    }
    let host = if withheld && user.is_none() { b"anonymous.invalid".as_slice() } else { host };
    writer.bytes(host).bytes(b">");
}
