//! One datagram socket of one shard.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, sendto,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::flow::{Flow, ListenerId, Transport};
use crate::telemetry::metrics::SipMetrics;

/// The largest datagram IP can carry.
pub const MAX_DATAGRAM: usize = 65_535;

/// A datagram socket with what is needed to answer from the address that received.
#[derive(Debug)]
pub struct UdpPort {
    /// Watched for what comes alone: who watches for room as well is woken once more for each datagram that was
    /// sent, when its receiver has read it.
    socket: AsyncFd<std::net::UdpSocket>,
    listener: ListenerId,
    local: IpAddr,
    wildcard: bool,
    ancillary: Vec<u8>,
    /// The kernel's own count of what it dropped here, as last seen.
    dropped: u32,
    /// When the last datagram reached this host, by its wall clock.
    came: Option<Duration>,
    metrics: SipMetrics,
}

impl UdpPort {
    /// Takes a bound socket into the runtime it is called in.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn new(listener: ListenerId, socket: std::net::UdpSocket, metrics: SipMetrics) -> io::Result<Self> {
        let local = socket.local_addr()?.ip();
        #[expect(unsafe_code, reason = "tokio's own socket watches for room as well")]
        // SAFETY: a socket of the standard library owns its descriptor, and this one stays in here.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self {
            socket,
            listener,
            local,
            wildcard: local.is_unspecified(),
            ancillary: cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo, u32, libc::timespec),
            dropped: 0,
            came: None,
            metrics,
        })
    }

    /// Which listener this socket belongs to.
    #[must_use]
    pub fn listener(&self) -> ListenerId {
        self.listener
    }

    /// Ready when a datagram may be waiting.
    ///
    /// # Errors
    /// When the runtime is gone.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context).map_ok(drop)
    }

    /// Takes the next waiting datagram into `buffer`; `None` when there is none.
    ///
    /// # Errors
    /// What the socket says; it stays usable.
    pub fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<(Flow, usize)>> {
        let fd = self.socket.as_raw_fd();
        let ancillary = &mut self.ancillary;
        let received = self.socket.try_io(Interest::READABLE, |_| receive(fd, buffer, ancillary));
        match received {
            Ok(datagram) => {
                if let Some(dropped) = datagram.dropped {
                    self.note_drops(dropped);
                }
                self.came = datagram.came;
                let flow = Flow {
                    transport: Transport::Udp,
                    listener: self.listener,
                    local: datagram.local.unwrap_or(self.local),
                    peer: datagram.peer,
                    connection: None,
                    domain: None,
                };
                Ok(Some((flow, datagram.length)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How long the datagram received last had waited in the socket. A clock that is set meanwhile tells
    /// nothing, and never more than ten seconds.
    #[must_use]
    pub fn waited(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let waited = self.came.map_or(Duration::ZERO, |came| now.saturating_sub(came));
        waited.min(Duration::from_secs(10))
    }

    /// Sends one datagram along `flow`. A full send buffer drops it as the network would.
    ///
    /// # Errors
    /// What makes the peer unreachable from here: no route, no such source address, too long.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) -> io::Result<()> {
        // Straight to the kernel: the runtime's cached readiness may not know yet that a fresh socket is writable.
        let fd = self.socket.as_raw_fd();
        let sent = if self.wildcard && !flow.local.is_unspecified() {
            send_from(fd, flow.local, flow.peer, bytes)
        } else {
            let peer = SockaddrStorage::from(flow.peer);
            sendto(fd, bytes, &peer, MsgFlags::MSG_DONTWAIT).map(drop).map_err(io::Error::from)
        };
        match sent {
            Ok(()) => {
                self.metrics.sent.inc();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.metrics.send_failed.inc();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn note_drops(&mut self, total: u32) {
        let new = total.wrapping_sub(self.dropped);
        self.dropped = total;
        self.metrics.kernel_drops.inc_by(u64::from(new));
    }
}

struct Datagram {
    length: usize,
    peer: SocketAddr,
    local: Option<IpAddr>,
    dropped: Option<u32>,
    came: Option<Duration>,
}

fn receive(fd: i32, buffer: &mut [u8], ancillary: &mut [u8]) -> io::Result<Datagram> {
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(ancillary), MsgFlags::MSG_DONTWAIT)?;
    let peer =
        message.address.as_ref().and_then(to_std).ok_or_else(|| io::Error::other("no source address"))?;
    let mut datagram = Datagram { length: message.bytes, peer, local: None, dropped: None, came: None };
    for item in message.cmsgs()? {
        match item {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                // The address the datagram was for; ipi_spec_dst would be the interface's own for broadcasts.
                datagram.local = Some(IpAddr::from(u32::from_be(info.ipi_addr.s_addr).to_be_bytes()));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                datagram.local = Some(IpAddr::from(info.ipi6_addr.s6_addr));
            }
            ControlMessageOwned::ScmTimestampns(came) => datagram.came = Some(Duration::from(came)),
            ControlMessageOwned::RxqOvfl(total) => datagram.dropped = Some(total),
            _ => {}
        }
    }
    Ok(datagram)
}

fn send_from(fd: i32, local: IpAddr, peer: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    let peer = SockaddrStorage::from(peer);
    let send = |item: ControlMessage<'_>| {
        sendmsg(fd, &parts, &[item], MsgFlags::MSG_DONTWAIT, Some(&peer)).map(drop).map_err(io::Error::from)
    };
    match local {
        IpAddr::V4(address) => send(ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        })),
        IpAddr::V6(address) => send(ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
            ipi6_ifindex: 0,
        })),
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    address.as_sockaddr_in6().map(|v6| {
        SocketAddr::V6(std::net::SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::SipConfig;
    use super::super::listener::bind_all;
    use super::*;
    use crate::telemetry::Metrics;

    fn port(listen: &str) -> (UdpPort, SocketAddr) {
        let config = SipConfig { listen: vec![listen.into()], ..SipConfig::default() };
        let (bound, mut sockets) = bind_all(&config.planned().unwrap(), 1, 1 << 18).unwrap();
        let (id, socket) = sockets[0].udp.remove(0);
        (UdpPort::new(id, socket, Metrics::new().sip).unwrap(), bound[0].address)
    }

    async fn receive_one(port: &mut UdpPort, buffer: &mut [u8]) -> (Flow, usize) {
        loop {
            std::future::poll_fn(|context| port.poll_ready(context)).await.unwrap();
            if let Some(got) = port.try_receive(buffer).unwrap() {
                return got;
            }
        }
    }

    #[tokio::test]
    async fn a_wildcard_socket_answers_from_the_address_that_received() {
        for (listen, dialled) in [("udp://0.0.0.0:0", "127.0.0.7"), ("udp://[::]:0", "::1")] {
            let (mut port, bound) = port(listen);
            let dialled: IpAddr = dialled.parse().unwrap();
            let any = if dialled.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
            let peer = tokio::net::UdpSocket::bind(any).await.unwrap();
            peer.send_to(b"hello", (dialled, bound.port())).await.unwrap();
            let mut buffer = [0; 100];
            let (flow, length) = receive_one(&mut port, &mut buffer).await;
            assert_eq!((&buffer[..length], flow.local), (&b"hello"[..], dialled));
            assert!(port.came.is_some() && port.waited() < Duration::from_secs(9));
            port.send(&flow, b"back").unwrap();
            let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..length], from), (&b"back"[..], SocketAddr::new(dialled, bound.port())));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_an_error() {
        let (port, _) = port("udp://127.0.0.1:0");
        let flow = Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: IpAddr::from([127, 0, 0, 1]),
            peer: "127.0.0.1:9".parse().unwrap(),
            connection: None,
            domain: None,
        };
        assert!(port.send(&flow, &vec![b'x'; MAX_DATAGRAM]).is_err());
    }
}
