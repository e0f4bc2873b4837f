//! From a name to a connection: resolve, guard, race, TLS.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::guard::Guard;
use super::stream::{Meter, Stream};
use super::target::Target;

/// What a lookup is under way to.
pub type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Arc<[IpAddr]>>> + Send>>;

/// Host name to addresses, in order of preference. The resolver lives on the same floor, so whoever
/// starts both hands its lookup over as a plain function.
pub type Lookup = Arc<dyn Fn(&str) -> LookupFuture + Send + Sync>;

/// The next address is tried beside the last one after this (RFC 8305 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses tried at most, however many the name has.
const MOST: usize = 6;

pub(super) struct Connector {
    pub(super) guard: Guard,
    pub(super) lookup: Lookup,
    pub(super) tls: TlsConnector,
    pub(super) timeout: Duration,
}

impl Connector {
    /// A fresh connection; the address that was checked is the address that is dialled.
    pub(super) async fn connect(&self, target: &Target, meter: Arc<Meter>) -> Result<Stream, Failure> {
        let limit = |error: &str| io::Error::new(io::ErrorKind::TimedOut, error.to_owned());
        let addresses = match target.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => timeout(self.timeout, (self.lookup)(&target.host))
                .await
                .map_err(|_| Failure::Unresolved(limit("DNS did not answer in time")))?
                .map_err(Failure::Unresolved)?
                .to_vec(),
        };
        let allowed: Vec<_> = addresses.iter().copied().filter(|a| self.guard.allows(*a)).collect();
        match (allowed.first(), addresses.first()) {
            (Some(_), _) => {}
            (None, Some(refused)) => return Err(Failure::Refused(*refused)),
            (None, None) => return Err(Failure::Unresolved(io::ErrorKind::NotFound.into())),
        }
        let opened = async {
            let tcp = race(&interleave(&allowed), target.port).await.map_err(Failure::Connect)?;
            tcp.set_nodelay(true).map_err(Failure::Connect)?;
            if target.tls {
                return self.handshake(target, tcp, meter).await;
            }
            Ok(Stream::plain(tcp, meter))
        };
        timeout(self.timeout, opened)
            .await
            .unwrap_or_else(|_| Err(Failure::Connect(limit("connecting took too long"))))
    }

    async fn handshake(&self, target: &Target, tcp: TcpStream, meter: Arc<Meter>) -> Result<Stream, Failure> {
        let name = ServerName::try_from(target.host.to_string())
            .map_err(|error| Failure::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let tls = self.tls.connect(name, tcp).await.map_err(Failure::Tls)?;
        Ok(Stream::tls(tls, meter))
    }
}

/// Families in turn, beginning with the one the resolver prefers.
fn interleave(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|a| a.is_ipv6() == first_is_v6);
    let mut out = Vec::with_capacity(MOST);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let before = out.len();
        out.extend(preferred.next());
        out.extend(other.next());
        if out.len() == before || out.len() >= MOST {
            out.truncate(MOST);
            return out;
        }
    }
}

/// Connects to whichever address answers first, each started a little after the one before it.
async fn race(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    if let [only] = addresses {
        return TcpStream::connect(SocketAddr::new(*only, port)).await;
    }
    let mut waiting = addresses.iter();
    let mut running: Vec<Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>> = Vec::new();
    let mut last_error: io::Error = io::ErrorKind::NotFound.into();
    let mut next = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            let mut at = 0;
            while at < running.len() {
                match running[at].as_mut().poll(cx) {
                    Poll::Ready(Ok(tcp)) => return Poll::Ready(Ok(tcp)),
                    Poll::Ready(Err(error)) => {
                        last_error = error;
                        drop(running.swap_remove(at));
                        next.as_mut().reset(Instant::now());
                    }
                    Poll::Pending => at += 1,
                }
            }
            if waiting.len() == 0 {
                if running.is_empty() {
                    return Poll::Ready(Err(std::mem::replace(&mut last_error, io::ErrorKind::Other.into())));
                }
                return Poll::Pending;
            }
            if next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let address = waiting.next().expect("counted above");
            running.push(Box::pin(TcpStream::connect(SocketAddr::new(*address, port))));
            next.as_mut().reset(Instant::now() + STAGGER);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_few_addresses_are_tried() {
        let v4 = |n: u8| IpAddr::from([10, 0, 0, n]);
        let v6 = |n: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n]);
        assert_eq!(interleave(&[v6(1), v6(2), v4(1)]), [v6(1), v4(1), v6(2)]);
        let many: Vec<_> = (0..200).map(v4).collect();
        assert_eq!(interleave(&many).len(), MOST);
        assert!(interleave(&[]).is_empty());
    }
}
