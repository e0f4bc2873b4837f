//! Where a request goes: what its URI says, and which listener it leaves through (RFC 3261, 8.1.2
//! and 18.1.1), and what DNS is asked where its host is a name (RFC 3263).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::flow::{Flow, ListenerId, Transport};
use crate::sip::{Scheme, Uri};

/// What a URI says about the way to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop<'a> {
    /// The host as written, an IPv6 address in its brackets.
    pub host: &'a [u8],
    /// The host as an address, where it is one; else it has to be resolved.
    pub address: Option<IpAddr>,
    /// The port, the transport's own filled in.
    pub port: u16,
    /// How.
    pub transport: Transport,
    /// Whether the URI names the transport, so that size does not change it.
    pub is_explicit: bool,
    named_port: Option<u16>,
    named_transport: Option<Transport>,
    is_secure: bool,
}

impl NextHop<'_> {
    /// What DNS is asked about it (RFC 3263 4); `None`: the host is an address, or no text.
    #[must_use]
    pub fn unresolved(&self) -> Option<Unresolved> {
        if self.address.is_some() {
            return None;
        }
        Some(Unresolved {
            host: std::str::from_utf8(self.host).ok()?.to_ascii_lowercase().into(),
            port: self.named_port,
            transport: self.named_transport,
            is_secure: self.is_secure,
        })
    }
}

/// A next hop that has to be located by its name (RFC 3263 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unresolved {
    /// The name, in lower case.
    pub host: Arc<str>,
    /// The port, where the URI names one: no SRV then.
    pub port: Option<u16>,
    /// The transport, where the URI names one: no NAPTR then.
    pub transport: Option<Transport>,
    /// A `sips` URI: TLS and nothing else.
    pub is_secure: bool,
}

/// A URI that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Only sip and sips name a host.
    #[error("the URI is neither sip nor sips")]
    Scheme,
    /// Neither UDP, TCP nor TLS; or UDP in a sips URI.
    #[error("the URI's transport is not served")]
    Transport,
}

/// The port of a transport where none is written (RFC 3261, 19.1.2).
#[must_use]
pub const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

/// Reads where `uri` leads. `maddr` is ignored.
///
/// # Errors
/// [`NoWay`]: the URI's scheme or transport is none of ours.
pub fn next_hop<'a>(uri: &Uri<'a>) -> Result<NextHop<'a>, NoWay> {
    if !uri.is_sip() {
        return Err(NoWay::Scheme);
    }
    let is_secure = uri.scheme == Scheme::Sips;
    let named = uri.transport().map(|name| match name.to_ascii_lowercase().as_slice() {
        b"tls" => Ok(Transport::Tls),
        // `sips:…;transport=tcp` is TLS over TCP (26.2.2).
        b"tcp" if is_secure => Ok(Transport::Tls),
        b"tcp" => Ok(Transport::Tcp),
        b"udp" if !is_secure => Ok(Transport::Udp),
        _ => Err(NoWay::Transport),
    });
    let named = named.transpose()?;
    let transport = named.unwrap_or(if is_secure { Transport::Tls } else { Transport::Udp });
    Ok(NextHop {
        host: uri.host,
        address: uri.ip(),
        port: uri.port.unwrap_or_else(|| default_port(transport)),
        transport,
        is_explicit: named.is_some() || is_secure,
        named_port: uri.port,
        named_transport: named,
        is_secure,
    })
}

/// Whether a request of `size` octets leaves over TCP although its URI says nothing of a transport
/// (18.1.1). `limit` is the greatest size that goes over UDP.
#[must_use]
pub const fn outgrows_udp(size: usize, limit: usize, hop: &NextHop<'_>) -> bool {
    matches!(hop.transport, Transport::Udp) && !hop.is_explicit && size > limit
}

/// A listener as far as choosing one goes.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Its index.
    pub id: ListenerId,
    /// How it listens.
    pub transport: Transport,
    /// Where it is bound.
    pub bind: SocketAddr,
}

/// The flow of a request to `peer`: through `preferred` (the listener the caller's side came in by)
/// where it speaks the transport and the peer's family, else through the first that does. `None`:
/// no listener does. `near` is the address the other leg was received on; it is used where the
/// listener is bound to all addresses, so that Via and Contact can name one.
#[must_use]
pub fn request_flow(
    listeners: impl Iterator<Item = Bound> + Clone,
    transport: Transport,
    peer: SocketAddr,
    preferred: Option<ListenerId>,
    near: Option<IpAddr>,
) -> Option<Flow> {
    let mut fitting = listeners
        .filter(|listener| listener.transport == transport && listener.bind.is_ipv4() == peer.is_ipv4());
    let mut again = fitting.clone();
    let listener = again.find(|listener| Some(listener.id) == preferred).or_else(|| fitting.next())?;
    let local = match listener.bind.ip() {
        // A loopback peer is reached from loopback, and nobody else is.
        ip if ip.is_unspecified() => near
            .filter(|near| near.is_ipv4() == peer.is_ipv4() && near.is_loopback() == peer.ip().is_loopback())
            .unwrap_or_else(|| if peer.ip().is_loopback() { loopback(ip) } else { ip }),
        ip => ip,
    };
    Some(Flow { transport, listener: listener.id, local, peer, connection: None, domain: None })
}

const fn loopback(family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(uri: &str) -> Result<(Transport, u16, bool), NoWay> {
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        next_hop(&uri).map(|hop| (hop.transport, hop.port, hop.is_explicit))
    }

    #[test]
    fn a_uri_names_transport_and_port_19_1_2() {
        assert_eq!(hop("sip:a@h"), Ok((Transport::Udp, 5060, false)));
        assert_eq!(hop("sip:a@h:5070;transport=TCP"), Ok((Transport::Tcp, 5070, true)));
        assert_eq!(hop("sip:a@h;transport=tls"), Ok((Transport::Tls, 5061, true)));
        assert_eq!(hop("sips:a@h"), Ok((Transport::Tls, 5061, true)));
        assert_eq!(hop("sips:a@h;transport=tcp"), Ok((Transport::Tls, 5061, true)));
        assert_eq!(hop("sips:a@h;transport=udp"), Err(NoWay::Transport));
        assert_eq!(hop("sip:a@h;transport=sctp"), Err(NoWay::Transport));
        assert_eq!(hop("tel:+1"), Err(NoWay::Scheme));
    }

    #[test]
    fn size_moves_a_request_to_tcp_only_where_no_transport_is_named_18_1_1() {
        let open = Uri::parse(b"sip:a@192.0.2.1").unwrap();
        let explicit = Uri::parse(b"sip:a@192.0.2.1;transport=udp").unwrap();
        assert!(outgrows_udp(1301, 1300, &next_hop(&open).unwrap()));
        assert!(!outgrows_udp(1300, 1300, &next_hop(&open).unwrap()));
        assert!(!outgrows_udp(9000, 1300, &next_hop(&explicit).unwrap()));
    }

    #[test]
    fn a_request_leaves_through_a_listener_of_its_transport_and_family() {
        let bound =
            |id, transport, bind: &str| Bound { id: ListenerId(id), transport, bind: bind.parse().unwrap() };
        let listeners = [
            bound(0, Transport::Udp, "192.0.2.1:5060"),
            bound(1, Transport::Udp, "[2001:db8::1]:5060"),
            bound(2, Transport::Udp, "0.0.0.0:5080"),
            bound(3, Transport::Tcp, "0.0.0.0:5060"),
        ];
        let flow = |transport, peer: &str, preferred, near: Option<&str>| {
            let near = near.map(|near| near.parse().unwrap());
            request_flow(listeners.into_iter(), transport, peer.parse().unwrap(), preferred, near)
                .map(|flow| (flow.listener.0, flow.local.to_string()))
        };
        assert_eq!(flow(Transport::Udp, "198.51.100.1:5060", None, None), Some((0, "192.0.2.1".into())));
        assert_eq!(flow(Transport::Udp, "[2001:db8::9]:5060", None, None), Some((1, "2001:db8::1".into())));
        let preferred = Some(ListenerId(2));
        let near = Some("192.0.2.8");
        assert_eq!(flow(Transport::Udp, "198.51.100.1:5060", preferred, near), Some((2, "192.0.2.8".into())));
        assert_eq!(flow(Transport::Tcp, "127.0.0.1:5060", None, near), Some((3, "127.0.0.1".into())));
        assert_eq!(flow(Transport::Tls, "127.0.0.1:5061", None, None), None);
    }
}
