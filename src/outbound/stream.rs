//! One connection's bytes, plain or TLS, counted as they come in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection to a customer.
pub(super) struct Stream {
    kind: Kind,
    meter: Arc<Meter>,
}

enum Kind {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Octets received since it was last set; past its limit the connection is broken off, whatever the
/// octets are: endless 100 Continue, chunk extensions, trailers.
pub(super) struct Meter {
    received: AtomicUsize,
    limit: AtomicUsize,
}

impl Meter {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { received: AtomicUsize::new(0), limit: AtomicUsize::new(limit) })
    }

    /// Counts without a limit from here on: HTTP/2 has its own, per stream.
    pub(super) fn unlimited(&self) {
        self.limit.store(usize::MAX, Ordering::Relaxed);
    }

    pub(super) fn reset(&self) {
        self.received.store(0, Ordering::Relaxed);
    }

    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.received() > self.limit.load(Ordering::Relaxed)
    }
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream, meter: Arc<Meter>) -> Self {
        Self { kind: Kind::Plain(tcp), meter }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>, meter: Arc<Meter>) -> Self {
        Self { kind: Kind::Tls(Box::new(tls)), meter }
    }

    /// Whether the other end chose HTTP/2 (ALPN).
    pub(super) fn is_h2(&self) -> bool {
        match &self.kind {
            Kind::Plain(_) => false,
            Kind::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Kind::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        self.meter.received.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        if self.meter.is_over() {
            return Poll::Ready(Err(io::Error::other("the answer is larger than its limit")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Kind::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Kind::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Plain(tcp) => tcp.is_write_vectored(),
            Kind::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Kind::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Kind::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
