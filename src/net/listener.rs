//! Binding every listener once per shard.
//!
//! The first socket of a listener is bound *without* SO_REUSEPORT, so that a second process on the
//! same port is refused instead of silently taking half of the traffic; the option is set on it
//! afterwards, and the other shards' sockets join it.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;

use nix::sys::socket::{self, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::config::Planned;
use crate::flow::{ListenerId, Transport};

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address} (listener `{name}`){hint}")]
pub struct BindError {
    name: String,
    transport: &'static str,
    address: SocketAddr,
    hint: &'static str,
    source: io::Error,
}

/// A bound listener.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its index.
    pub id: ListenerId,
    /// What was planned.
    pub plan: Planned,
    /// Where it is bound, the real port filled in.
    pub address: SocketAddr,
    /// The receive buffer the kernel granted to a datagram socket, in bytes.
    pub receive_buffer: Option<usize>,
}

/// The sockets of one shard, by listener.
#[derive(Debug, Default)]
pub struct ShardSockets {
    /// Datagram sockets.
    pub udp: Vec<(ListenerId, UdpSocket)>,
    /// Listening stream sockets, and what is spoken over them.
    pub tcp: Vec<(ListenerId, Transport, TcpListener)>,
}

/// Binds every planned listener for each of `shards` shards. `receive_buffer` in bytes.
///
/// # Errors
/// The first listener that cannot be bound, by name and address.
pub fn bind_all(
    plans: &[Planned],
    shards: usize,
    receive_buffer: usize,
) -> Result<(Vec<Bound>, Vec<ShardSockets>), BindError> {
    let mut sockets: Vec<_> = (0..shards).map(|_| ShardSockets::default()).collect();
    let mut bound = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let id = ListenerId(u16::try_from(index).expect("fewer listeners than 65,536"));
        let explain = |source: io::Error| bind_error(plan, source);
        let first = open(plan, plan.spec.bind, false, receive_buffer).map_err(explain)?;
        let address = local_address(&first).map_err(explain)?;
        let granted = match plan.spec.transport {
            Transport::Udp => Some(granted_buffer(&first).map_err(explain)?),
            _ => None,
        };
        if shards > 1 {
            first.set_reuse_port(true).map_err(explain)?;
        }
        let mut all = vec![first];
        for _ in 1..shards {
            all.push(open(plan, address, true, receive_buffer).map_err(explain)?);
        }
        for (shard, socket) in sockets.iter_mut().zip(all) {
            match plan.spec.transport {
                Transport::Udp => shard.udp.push((id, socket.into())),
                transport => shard.tcp.push((id, transport, socket.into())),
            }
        }
        bound.push(Bound { id, plan: plan.clone(), address, receive_buffer: granted });
    }
    Ok((bound, sockets))
}

fn open(plan: &Planned, address: SocketAddr, join: bool, receive_buffer: usize) -> io::Result<Socket> {
    let datagram = plan.spec.transport == Transport::Udp;
    let (kind, protocol) =
        if datagram { (Type::DGRAM, Protocol::UDP) } else { (Type::STREAM, Protocol::TCP) };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(join)?;
    if datagram {
        socket.set_recv_buffer_size(receive_buffer)?;
        socket.set_send_buffer_size(receive_buffer)?;
        ask_for_ancillary(&socket, address)?;
        socket.bind(&address.into())?;
    } else {
        // Lets a restart bind while old connections are in TIME_WAIT; never shares a listening port.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
    }
    Ok(socket)
}

/// The kernel's drop counter and moment of arrival, and on wildcard sockets the address that received.
fn ask_for_ancillary(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket::setsockopt(socket, sockopt::RxqOvfl, &1)?;
    // When it came: how long it waits here tells overload.
    socket::setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            socket::setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            socket::setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        _ => {}
    }
    Ok(())
}

/// The receive buffer of a datagram socket in bytes. Linux reports twice what it lends, the rest being its
/// own bookkeeping (socket(7)).
///
/// # Errors
/// It is no socket.
pub fn granted_buffer(socket: &impl AsFd) -> io::Result<usize> {
    Ok(socket2::SockRef::from(socket).recv_buffer_size()? / 2)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("a socket without an IP address"))
}

fn bind_error(plan: &Planned, source: io::Error) -> BindError {
    let hint = match source.kind() {
        io::ErrorKind::AddrInUse => {
            ": another process has this port; stop it, or choose another in sip.listen"
        }
        io::ErrorKind::PermissionDenied => ": not allowed; ports below 1024 need CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
        _ => "",
    };
    BindError {
        name: plan.name.clone(),
        transport: plan.spec.transport.via_token(),
        address: plan.spec.bind,
        hint,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::SipConfig;
    use super::*;

    fn plans(listen: &[&str]) -> Vec<Planned> {
        let listen = listen.iter().map(|text| (*text).to_owned()).collect();
        SipConfig { listen, ..SipConfig::default() }.planned().unwrap()
    }

    #[test]
    fn several_shards_share_one_port_of_each_listener() {
        let plans = plans(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "udp://[::1]:0"]);
        let (bound, sockets) = bind_all(&plans, 3, 1 << 16).unwrap();
        assert_eq!(sockets.len(), 3);
        for shard in &sockets {
            assert_eq!(shard.udp[0].1.local_addr().unwrap(), bound[0].address);
            assert_eq!(shard.tcp[0].2.local_addr().unwrap(), bound[1].address);
            assert_eq!(shard.udp[1].1.local_addr().unwrap(), bound[2].address);
        }
        assert!(bound[0].receive_buffer.unwrap() >= 1 << 16);
    }

    #[test]
    fn a_port_that_is_taken_is_refused_even_when_its_owner_shares_it() {
        for transport in ["udp", "tcp"] {
            let (bound, _held) =
                bind_all(&plans(&[&format!("{transport}://127.0.0.1:0")]), 2, 1 << 16).unwrap();
            let again = plans(&[&format!("{transport}://{}", bound[0].address)]);
            let error = bind_all(&again, 2, 1 << 16).unwrap_err().to_string();
            assert!(error.contains("another process has this port"), "{error}");
            assert!(error.contains(&bound[0].address.to_string()), "{error}");
        }
    }
}
