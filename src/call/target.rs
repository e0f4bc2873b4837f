//! The way to a peer: which flow a request takes, and what we are called there.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::call::config::{EngineConfig, Listener};
use crate::dialog::Dialog;
use crate::flow::{Flow, ListenerId, Transport};
use crate::routing::model::{Nat, Prefix};
use crate::sip::{Scheme, Uri};
use crate::transport::nat;
use crate::transport::next_hop::{self, Bound, Unresolved};
use crate::transport::sent_by::SentBy;

/// The flow to an address: through `near`'s listener where it speaks the transport and the address
/// family, else through another. `None`: no listener does.
pub(super) fn flow_to(
    config: &EngineConfig,
    near: &Flow,
    transport: Transport,
    peer: SocketAddr,
) -> Option<Flow> {
    if !is_one_host(peer.ip()) {
        return None;
    }
    let bound =
        |listener: &Listener| Bound { id: listener.id, transport: listener.transport, bind: listener.bind };
    let listeners = config.listeners.iter().map(bound);
    next_hop::request_flow(listeners, transport, peer, Some(near.listener), Some(near.local))
}

/// What we are called toward the peer of `flow`. `known`: an address of ours that received
/// something, for where nothing better is known.
pub(super) fn sent_by<'c>(config: &'c EngineConfig, flow: &Flow, known: IpAddr) -> Option<SentBy<'c>> {
    let listener = listener(config, flow.listener)?;
    let is_local = listener.local_nets.iter().any(|net| contains(net, flow.peer.ip()));
    let advertise = listener.advertise.as_ref().map(|(host, port)| (&**host, *port));
    let name = |local| SentBy::new(listener.bind, advertise, is_local, local);
    name(flow.local).or_else(|| name(known))
}

/// The listener of this id.
pub(super) fn listener(config: &EngineConfig, id: ListenerId) -> Option<&Listener> {
    config.listeners.iter().find(|listener| listener.id == id)
}

/// Sets the flow of a dialog from its route set or target (12.2.1.1). `near` is what its last
/// message came through. A name is given back to be resolved; until then `near` serves.
pub(super) fn aim(config: &EngineConfig, dialog: &mut Dialog, near: &Flow) -> Option<Unresolved> {
    let uri = Uri::parse(dialog.next_hop());
    let hop = uri.as_ref().and_then(|uri| next_hop::next_hop(uri).ok());
    let Some(hop) = hop else {
        dialog.flow = *near;
        return None;
    };
    let transport = hop.is_explicit.then_some(hop.transport);
    match hop.address {
        Some(address) => {
            dialog.flow = to_address(config, near, address, hop.port, transport);
            None
        }
        None => {
            let name = hop.unresolved();
            dialog.flow = *near;
            name
        }
    }
}

/// The address and port that a dialog's next hop names, where it names an address.
pub(super) fn named_address(dialog: &Dialog) -> Option<SocketAddr> {
    let uri = Uri::parse(dialog.next_hop())?;
    let hop = next_hop::next_hop(&uri).ok()?;
    Some(SocketAddr::new(hop.address?, hop.port))
}

/// `flow` without its connection: to the port that the peer named in `contact`, as the port its
/// connection came from is nobody's any more.
pub(super) fn without_connection(flow: &Flow, contact: Option<&[u8]>) -> Flow {
    let uri = contact.and_then(Uri::parse);
    let hop = uri.as_ref().and_then(|uri| next_hop::next_hop(uri).ok());
    let port = hop.filter(|hop| hop.address == Some(flow.peer.ip())).map_or(flow.peer.port(), |hop| hop.port);
    Flow { connection: None, peer: SocketAddr::new(flow.peer.ip(), port), ..*flow }
}

/// The flow to an address inside a dialog, over a connection that leads there where there is one.
pub(super) fn to_address(
    config: &EngineConfig,
    near: &Flow,
    address: IpAddr,
    port: u16,
    transport: Option<Transport>,
) -> Flow {
    let same_host = near.peer.ip() == address;
    // A stream peer often names no transport in its Contact, nor the port of its connection: what
    // came over a connection is answered over it.
    let fits = match transport {
        Some(wanted) => wanted == near.transport && near.connection.is_some(),
        None => true,
    };
    if same_host && near.transport.is_reliable() && fits {
        return *near;
    }
    let wanted = transport.unwrap_or(Transport::Udp);
    let flow = flow_to(config, near, wanted, SocketAddr::new(address, port));
    flow.map_or(*near, |flow| same_peer(near, flow))
}

/// `flow` inside a dialog whose peer is at `near`: while it names itself by its address, at whatever port,
/// it must prove over TLS what it did there.
pub(super) fn same_peer(near: &Flow, flow: Flow) -> Flow {
    let same = near.peer.ip() == flow.peer.ip() && flow.transport == Transport::Tls;
    Flow { domain: near.domain.filter(|_| same), ..flow }
}

/// Whom a SIP URI names: what its peer has to prove to be. A service URN names nobody (RFC 5031).
pub(super) fn host_named(uri: &[u8]) -> Option<Arc<str>> {
    let uri = Uri::parse(uri).filter(Uri::is_sip)?;
    let mut host: Arc<str> = std::str::from_utf8(uri.host).ok()?.into();
    Arc::get_mut(&mut host)?.make_ascii_lowercase();
    Some(host)
}

/// Whether a URI wants TLS and this flow has none: nothing may be sent there in clear (26.2.2).
pub(super) fn lacks_tls(uri: &[u8], flow: &Flow) -> bool {
    flow.transport != Transport::Tls && Uri::parse(uri).is_some_and(|uri| uri.scheme == Scheme::Sips)
}

/// Whether requests toward the caller go to the source of its INVITE (`nat`).
pub(super) fn goes_to_source(dialog: &Dialog, source: &Flow, setting: Nat) -> bool {
    match setting {
        Nat::On => true,
        Nat::Off => false,
        Nat::Auto => Uri::parse(&dialog.target)
            .is_some_and(|contact| nat::goes_to_source(&contact, source.peer, !dialog.routes.is_empty())),
    }
}

/// Whether an address is some one host's: a call has one peer, and nobody's network is flooded.
fn is_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(broadcast || ip.is_multicast() || ip.is_unspecified())
}

fn contains(net: &Prefix, ip: IpAddr) -> bool {
    let (net_bits, ip_bits, width) = match (net.address, ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => (u128::from(net.to_bits()), u128::from(ip.to_bits()), 32),
        (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(net.length).min(width);
    net_bits.checked_shr(shift) == ip_bits.checked_shr(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_hold_addresses_of_their_family() {
        let net = |text: &str, length| Prefix { address: text.parse().expect("an address"), length };
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(contains(&net("10.0.0.0", 8), ip("10.9.8.7")));
        assert!(!contains(&net("10.0.0.0", 8), ip("11.0.0.1")));
        assert!(contains(&net("0.0.0.0", 0), ip("11.0.0.1")));
        assert!(!contains(&net("0.0.0.0", 0), ip("::1")));
        assert!(contains(&net("2001:db8::", 32), ip("2001:db8::5")));
    }
}
