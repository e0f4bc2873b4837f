//! Flows: where a message came from and where one goes, without a socket in sight.

use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// One message per datagram, unreliable.
    Udp,
    /// Messages framed by Content-Length on a stream.
    Tcp,
    /// As TCP, inside TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what was lost (RFC 3261 17: no Timer A, E, G then).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The token of the Via header (RFC 3261 20.42).
    #[must_use]
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// The index of a configured listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u16);

/// One stream connection of this process; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Whom the peer of a TLS flow must prove to be: the mark of a domain name (RFC 5922 4). Two names have
/// two marks; whoever needs the name itself keeps it beside its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain([u8; 16]);

impl Domain {
    /// The mark of a URI's host, in any case. `None`: it is an address, which proves itself as such.
    #[must_use]
    pub fn of(host: &str) -> Option<Self> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() {
            return None;
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let digest = Sha256::digest(name.as_bytes());
        Some(Self(digest[..16].try_into().expect("SHA-256 has 32 bytes")))
    }
}

/// One path to a peer.
///
/// A received message's flow names exactly what it came through, so an answer goes back the same
/// way (RFC 3261 18.2.2). A request of our own starts with `connection: None`: the net room then
/// uses a connection it already has to `peer`, or opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How.
    pub transport: Transport,
    /// The listener whose socket, and whose advertised address, is used.
    pub listener: ListenerId,
    /// The local address that received (PKTINFO on a wildcard socket), so that the answer leaves
    /// from it; unspecified where the kernel may choose.
    pub local: IpAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// The stream connection, where there is one.
    pub connection: Option<ConnectionId>,
    /// Whom the peer must prove to be over TLS, where we connect; `None`: its address.
    pub domain: Option<Domain>,
}

impl Flow {
    /// The other end, and how it is reached.
    #[must_use]
    pub const fn destination(&self) -> Destination {
        Destination { transport: self.transport, address: self.peer }
    }
}

/// Where a request goes: one address and port, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.transport.via_token(), self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_one_in_any_case_and_an_address_is_none() {
        assert_eq!(Domain::of("PBX.Example.com."), Domain::of("pbx.example.com"));
        assert_ne!(Domain::of("pbx.example.com"), Domain::of("pbx.example.org"));
        assert_eq!(["192.0.2.1", "[2001:db8::1]", "2001:db8::1"].map(Domain::of), [None; 3]);
    }
}
