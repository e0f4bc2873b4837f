//! What is said to a gateway outside calls: OPTIONS (RFC 3261 11), and the URIs of gateways.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::call::compose;
use crate::call::config::EngineConfig;
use crate::call::mint::{Branch, Tag};
use crate::flow::{Destination, Flow, Transport};
use crate::routing::model::Gateway;
use crate::sip::{Method, Name, Uri, Writer};
use crate::transport::next_hop::{self, Unresolved};

/// Where a gateway is.
#[derive(Debug)]
pub enum Place {
    /// At an address.
    At(Destination),
    /// To be located.
    Name(Unresolved),
}

impl Place {
    /// What a gateway's host, port and transport say. `None`: they make no URI.
    #[must_use]
    pub fn of(gateway: &Gateway) -> Option<Self> {
        let uri = gateway_uri(gateway, None);
        let uri = Uri::parse(&uri)?;
        let hop = next_hop::next_hop(&uri).ok()?;
        let transport = gateway.transport;
        Some(match hop.address {
            Some(ip) => Self::At(Destination {
                transport: transport.unwrap_or(hop.transport),
                address: SocketAddr::new(ip, hop.port),
            }),
            None => Self::Name(Unresolved { transport, ..hop.unresolved()? }),
        })
    }
}

/// `sip:<user>@<gateway>`, or the gateway alone.
#[must_use]
pub fn gateway_uri(gateway: &Gateway, user: Option<&str>) -> Arc<[u8]> {
    let mut out = Vec::with_capacity(64);
    let mut writer = Writer::append(&mut out);
    writer.bytes(b"sip:");
    if let Some(user) = user {
        writer.user(user.as_bytes()).bytes(b"@");
    }
    let bare_v6 = gateway.host.contains(':') && !gateway.host.starts_with('[');
    if bare_v6 {
        writer.bytes(b"[").text(gateway.host.as_bytes()).bytes(b"]");
    } else {
        writer.text(gateway.host.as_bytes());
    }
    if let Some(port) = gateway.port {
        writer.bytes(b":").number(port.into());
    }
    match gateway.transport {
        Some(Transport::Tcp) => writer.bytes(b";transport=tcp"),
        Some(Transport::Tls) => writer.bytes(b";transport=tls"),
        _ => &mut writer,
    };
    out.into()
}

/// One OPTIONS.
#[derive(Debug)]
pub struct Probe<'a> {
    /// Where it goes, and through what.
    pub flow: &'a Flow,
    /// Its branch, Call-ID and From tag.
    pub branch: Branch,
    /// See `branch`.
    pub call_id: &'a [u8],
    /// See `branch`.
    pub tag: Tag,
    /// Whom it asks.
    pub uri: &'a [u8],
}

/// Writes an OPTIONS.
pub fn options(out: &mut Vec<u8>, config: &EngineConfig, parts: &Probe<'_>) {
    let host = compose::own_host(config, parts.flow, parts.flow.local);
    let mut writer = Writer::request(out, Method::Options, parts.uri);
    compose::via(&mut writer, config, parts.flow, parts.flow.local, parts.branch);
    writer.numeric(Name::MaxForwards, 70);
    writer.header(Name::From, &[b"<sip:", &host, b">;tag=", parts.tag.as_bytes()]);
    writer.header(Name::To, &[b"<", parts.uri, b">"]);
    writer.header(Name::CallId, &[parts.call_id]).cseq(1, Method::Options);
    writer.header(Name::Accept, &[b"application/sdp"]);
    writer.header(Name::UserAgent, &[config.product.as_bytes()]);
    writer.finish();
}
