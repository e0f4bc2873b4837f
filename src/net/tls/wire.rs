//! One stream connection, with TLS or without: read and written as far as it goes without waiting.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::identities;

/// The two ends of the bytes: a socket, and what encrypts them.
#[derive(Debug)]
pub(in crate::net) struct Wire {
    stream: TcpStream,
    session: Option<Mutex<Session>>,
}

#[derive(Debug)]
struct Session {
    tls: Connection,
    /// The last read filled its buffer: there may be more that no socket will announce.
    more: bool,
}

impl Wire {
    /// A connection in clear.
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream, session: None }
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// What the handshake failed by.
    pub async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        Self::shaken(stream, tls.into()).await
    }

    /// Shakes hands with a server that must be `name`'s.
    ///
    /// # Errors
    /// What the handshake failed by.
    pub async fn connect(
        stream: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Self::shaken(stream, tls.into()).await
    }

    async fn shaken(stream: TcpStream, tls: Connection) -> io::Result<Self> {
        let wire = Self { stream, session: Some(Mutex::new(Session { tls, more: false })) };
        loop {
            let (shaking, reads) = wire.shake()?;
            if !shaking {
                return Ok(wire);
            }
            let ready = if reads { Interest::READABLE } else { Interest::WRITABLE };
            wire.stream.ready(ready).await?;
        }
    }

    /// One round as far as it goes: whether it is to go on, and whether it waits for the other side.
    fn shake(&self) -> io::Result<(bool, bool)> {
        let Some(mut session) = self.session() else { return Ok((false, false)) };
        loop {
            if !self.push_out(&mut session.tls)? {
                return Ok((true, false));
            }
            if !session.tls.is_handshaking() {
                return Ok((false, false));
            }
            match session.tls.read_tls(&mut Socket(&self.stream)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => self.process(&mut session.tls)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((true, true)),
                Err(error) => return Err(error),
            }
        }
    }

    /// The SIP domains that the other side's certificate proves; empty without one.
    pub fn names(&self) -> Vec<Arc<str>> {
        let Some(session) = self.session() else { return Vec::new() };
        session.tls.peer_certificates().and_then(<[_]>::first).map(identities).unwrap_or_default()
    }

    /// Ready when there may be something to read.
    ///
    /// # Errors
    /// When the runtime is gone.
    pub async fn readable(&self) -> io::Result<()> {
        if self.session().is_some_and(|session| session.more) {
            return Ok(());
        }
        self.stream.readable().await
    }

    /// Ready when there may be room to write.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.stream.writable()
    }

    /// Reads what is there; 0 when the other side will say nothing more.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing yet; what broke the connection.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut session) = self.session() else { return self.stream.try_read(buffer) };
        loop {
            session.more = false;
            match session.tls.reader().read(buffer) {
                Ok(count) => {
                    session.more = count == buffer.len();
                    return Ok(count);
                }
                // No farewell: what came so far was whole messages or is not delivered.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            session.tls.read_tls(&mut Socket(&self.stream))?;
            self.process(&mut session.tls)?;
        }
    }

    /// Writes what the socket takes now of `bytes`.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing; what broke the connection.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(mut session) = self.session() else { return self.stream.try_write(bytes) };
        if !self.push_out(&mut session.tls)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = session.tls.writer().write(bytes)?;
        self.push_out(&mut session.tls)?;
        Ok(taken)
    }

    /// Writes what is encrypted and waits; true when nothing does.
    ///
    /// # Errors
    /// What broke the connection.
    pub fn flush(&self) -> io::Result<bool> {
        self.session().map_or(Ok(true), |mut session| self.push_out(&mut session.tls))
    }

    /// Whether something is encrypted and waits.
    pub fn has_pending(&self) -> bool {
        self.session().is_some_and(|session| session.tls.wants_write())
    }

    /// Says that nothing more comes from here.
    ///
    /// # Errors
    /// What the socket says.
    pub fn shutdown(&self) -> io::Result<()> {
        if let Some(mut session) = self.session() {
            session.tls.send_close_notify();
            self.push_out(&mut session.tls)?;
        }
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    /// The socket, for its options.
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn process(&self, tls: &mut Connection) -> io::Result<()> {
        let processed = tls.process_new_packets();
        // Whatever follows of it leaves: a ticket, a key update, or the alert that says what was wrong.
        let pushed = self.push_out(tls);
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        pushed.map(drop)
    }

    /// True when nothing is left to be pushed.
    fn push_out(&self, tls: &mut Connection) -> io::Result<bool> {
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn session(&self) -> Option<MutexGuard<'_, Session>> {
        // A session that panicked in rustls is not used on: its connection's task is gone with it.
        self.session.as_ref().map(|session| session.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The socket as rustls wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
