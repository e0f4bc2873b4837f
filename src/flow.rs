//! Flows: where a message came from and where one goes, without a socket in sight.

use std::net::{IpAddr, SocketAddr};

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
