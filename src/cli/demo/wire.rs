//! What carries a telephone's messages: a UDP socket or one TCP connection, blocking.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// One way to the router.
pub enum Wire {
    /// Datagrams; answers go to whoever sent last.
    Udp {
        /// Bound to loopback.
        socket: UdpSocket,
        /// Where messages go.
        peer: Option<SocketAddr>,
    },
    /// One connection.
    Tcp {
        /// Open.
        stream: TcpStream,
        /// What was read and not yet a whole message.
        held: Vec<u8>,
    },
}

impl Wire {
    /// A datagram socket on a free port of `local`.
    ///
    /// # Errors
    /// What the system says.
    pub fn udp(local: SocketAddr) -> io::Result<Self> {
        Ok(Self::Udp { socket: UdpSocket::bind(local)?, peer: None })
    }

    /// A connection to `peer`.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(peer: SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp { stream: TcpStream::connect(peer)?, held: Vec::new() })
    }

    /// A connection somebody else opened.
    #[must_use]
    pub fn accepted(stream: TcpStream) -> Self {
        Self::Tcp { stream, held: Vec::new() }
    }

    /// The Via's transport.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "UDP",
            Self::Tcp { .. } => "TCP",
        }
    }

    /// Where this end is.
    ///
    /// # Errors
    /// What the system says.
    pub fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Udp { socket, .. } => socket.local_addr(),
            Self::Tcp { stream, .. } => stream.local_addr(),
        }
    }

    /// Where datagrams go from here on; a connection has its peer already.
    pub fn aim(&mut self, at: SocketAddr) {
        if let Self::Udp { peer, .. } = self {
            *peer = Some(at);
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// What the system says, or that nobody was aimed at.
    pub fn send(&mut self, message: &str) -> io::Result<()> {
        match self {
            Self::Udp { socket, peer } => {
                let peer = peer.ok_or_else(|| io::Error::other("nobody to send to yet"))?;
                socket.send_to(message.as_bytes(), peer).map(drop)
            }
            Self::Tcp { stream, .. } => stream.write_all(message.as_bytes()),
        }
    }

    /// The next message within `patience`; `None` when there is none, or the connection is closed.
    ///
    /// # Errors
    /// What the system says.
    pub fn receive(&mut self, patience: Duration) -> io::Result<Option<String>> {
        let until = Instant::now() + patience;
        loop {
            if let Self::Tcp { held, .. } = self
                && let Some(message) = cut(held)
            {
                return Ok(Some(message));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let mut buffer = [0; 65_535];
            let read = match self {
                Self::Udp { socket, .. } => {
                    socket.set_read_timeout(Some(left))?;
                    socket.recv_from(&mut buffer).map(|(length, from)| (length, Some(from)))
                }
                Self::Tcp { stream, .. } => {
                    stream.set_read_timeout(Some(left))?;
                    stream.read(&mut buffer).map(|length| (length, None))
                }
            };
            match read {
                Ok((length, Some(from))) => {
                    self.aim(from);
                    return Ok(Some(String::from_utf8_lossy(&buffer[..length]).into_owned()));
                }
                Ok((0, None)) => return Ok(None),
                Ok((length, None)) => {
                    if let Self::Tcp { held, .. } = self {
                        held.extend_from_slice(&buffer[..length]);
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The first whole message of a stream, by Content-Length.
fn cut(held: &mut Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(held).into_owned();
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head].lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    if held.len() < head + length {
        return None;
    }
    let message = held.drain(..head + length).collect::<Vec<u8>>();
    Some(String::from_utf8_lossy(&message).into_owned())
}
