//! The two listeners: HTTP over TCP for everybody, HTTP over a Unix socket for the command line.
//!
//! Connections are counted, and a client that is slow to send its head or to take its answer is cut
//! off; the limit of requests at once is `gate`'s.

use std::future::ready;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::config::HttpConfig;
use super::patient::Patient;
use super::tls::HttpTls;
use crate::telemetry::Seldom;

/// How long open requests may take to end once the API stops.
const GRACE: Duration = Duration::from_secs(2);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody on the network: credentials are needed.
    Remote,
    /// Root or the daemon's own user on the Unix socket: no credentials are needed.
    Local,
    /// Another user on the Unix socket: nothing is served.
    Stranger {
        /// Their user id.
        uid: u32,
    },
}

/// Serves TCP connections until `stop` turns true (or its sender is gone).
pub async fn serve_tcp(
    listener: TcpListener,
    router: Router,
    config: &HttpConfig,
    stop: watch::Receiver<bool>,
) {
    let accept = || async {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((ready(Ok(stream)), Peer::Remote))
    };
    serve(accept, router, config, stop).await;
}

/// As [`serve_tcp`], in TLS. A handshake may take as long as a request's head.
pub async fn serve_tls(
    listener: TcpListener,
    tls: &HttpTls,
    router: Router,
    config: &HttpConfig,
    stop: watch::Receiver<bool>,
) {
    let patience = config.client_timeout();
    let accept = || async {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = TlsAcceptor::from(tls.live());
        let handshake = async move { tokio::time::timeout(patience, acceptor.accept(stream)).await? };
        Ok((handshake, Peer::Remote))
    };
    let router = router.layer(from_fn(secured));
    serve(accept, router, config, stop).await;
}

/// Says of a request that it came in TLS, where no proxy before said otherwise.
async fn secured(mut request: Request, next: Next) -> Response {
    let https = HeaderValue::from_static("https");
    request.headers_mut().entry("x-forwarded-proto").or_insert(https);
    next.run(request).await
}

/// Serves the Unix socket until `stop` turns true (or its sender is gone).
pub async fn serve_unix(
    listener: UnixListener,
    router: Router,
    config: &HttpConfig,
    stop: watch::Receiver<bool>,
) {
    let accept = || async {
        let (stream, _) = listener.accept().await?;
        let peer = peer_of(&stream)?;
        Ok((ready(Ok(stream)), peer))
    };
    serve(accept, router, config, stop).await;
}

/// Binds the Unix socket, owner and group only; a socket file that nobody listens on is replaced.
///
/// # Errors
/// When another process listens there, the path is no socket, or its folder cannot be written.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is in the way",
            ));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another callgate listens on this socket"));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn peer_of(stream: &UnixStream) -> io::Result<Peer> {
    let uid = stream.peer_cred()?.uid();
    let own = nix::unistd::geteuid().as_raw();
    Ok(if uid == 0 || uid == own { Peer::Local } else { Peer::Stranger { uid } })
}

/// `accept` gives what becomes the stream, handshakes included: those of one client keep nobody else waiting.
async fn serve<S, O, A>(
    accept: impl Fn() -> A,
    router: Router,
    config: &HttpConfig,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    O: Future<Output = io::Result<S>> + Send + 'static,
    A: Future<Output = io::Result<(O, Peer)>>,
{
    let room = Arc::new(Semaphore::new(config.max_connections));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = admit(&room, &accept) => accepted,
        };
        match accepted {
            Ok((permit, opening, peer)) => {
                let (router, patience, stop) = (router.clone(), config.client_timeout(), stop.clone());
                connections.spawn(async move {
                    match opening.await {
                        Ok(stream) => run(stream, peer, router, patience, stop).await,
                        Err(error) => tracing::debug!(%error, "a connection to the API did not come about"),
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: wait for one instead of spinning.
                static LINE: Seldom = Seldom::new();
                if let Some(kept_back) = LINE.due() {
                    tracing::warn!(%error, kept_back, "the API could not accept a connection");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let rest = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::info!("API requests were still open at the end and are cut off");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone stops as well: there is nobody left to say when.
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("the API's owner is gone");
    }
}

async fn admit<O, A>(
    room: &Arc<Semaphore>,
    accept: &impl Fn() -> A,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, O, Peer)>
where
    A: Future<Output = io::Result<(O, Peer)>>,
{
    let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = accept().await?;
    Ok((permit, stream, peer))
}

/// How much of a head is read before it is found too long. One more read of as much may come along, so that heads
/// end at 64 KiB.
const HEAD: usize = 32 * 1024;

async fn run<S>(stream: S, peer: Peer, router: Router, patience: Duration, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        // The router is always ready: it keeps no state between requests.
        router.clone().call(request.map(Body::new))
    });
    let io = TokioIo::new(Patient::new(stream, patience));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an API connection ended early");
    }
}
