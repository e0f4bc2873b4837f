//! Idle connections of one thread, newest first, closed when nobody used them for a while.
//!
//! An HTTP/1 connection has no task of its own: whoever uses it drives it, so a request costs no hop
//! between tasks and dropping the request closes the connection. HTTP/2 connections are shared and
//! driven by a task.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, sleep};

use super::failure::Failure;
use super::stream::{Meter, Stream};
use super::target::Target;

type Body = Full<Bytes>;
type Connection = Pin<Box<http1::Connection<TokioIo<Stream>, Body>>>;

/// Most idle connections kept per origin; the rest is closed when it is given back.
const KEPT: usize = 256;

/// An HTTP/1 connection and whoever may use it.
pub(super) struct H1 {
    pub(super) sender: http1::SendRequest<Body>,
    connection: Option<Connection>,
    pub(super) meter: Arc<Meter>,
    used: Instant,
}

impl H1 {
    pub(super) async fn open(stream: Stream, meter: Arc<Meter>) -> Result<Self, Failure> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(64 * 1024)
            .max_headers(128)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Failure::Broken)?;
        Ok(Self { sender, connection: Some(Box::pin(connection)), meter, used: Instant::now() })
    }

    /// Runs the connection until the future is done.
    pub(super) async fn drive<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.turn(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Whether it can take another request now: still open, nothing unread.
    fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.turn(cx);
        self.connection.is_some() && self.sender.is_ready()
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        let done = self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready());
        if done {
            // What ended it reaches the request, if there is one, by itself.
            self.connection = None;
        }
    }
}

/// A shared HTTP/2 connection.
#[derive(Clone)]
pub(super) struct H2 {
    pub(super) sender: http2::SendRequest<Body>,
    used: Instant,
}

impl H2 {
    pub(super) async fn open(stream: Stream) -> Result<Self, Failure> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Failure::Broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "an HTTP/2 connection ended");
            }
        });
        Ok(Self { sender, used: Instant::now() })
    }
}

/// Who a connection leads to: TLS or not, verified name, port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(bool, Arc<str>, u16);

impl Origin {
    pub(super) fn of(target: &Target) -> Self {
        Self(target.tls, target.host.clone(), target.port)
    }
}

/// A connection fit for a request.
pub(super) enum Idle {
    One(H1),
    Two(H2),
}

#[derive(Default)]
struct Shelf {
    one: Vec<H1>,
    two: Option<H2>,
}

pub(super) struct Pool {
    idle: Duration,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    by_origin: HashMap<Origin, Shelf, foldhash::fast::RandomState>,
    swept: bool,
}

impl Pool {
    pub(super) fn new(idle: Duration) -> Arc<Self> {
        Arc::new(Self { idle, shelves: Mutex::default() })
    }

    /// The connection used last; closed ones are thrown away on the way.
    pub(super) fn take(&self, origin: &Origin) -> Option<Idle> {
        let mut shelves = self.lock();
        let shelf = shelves.by_origin.get_mut(origin)?;
        if let Some(two) = &mut shelf.two {
            if !two.sender.is_closed() {
                two.used = Instant::now();
                return Some(Idle::Two(two.clone()));
            }
            shelf.two = None;
        }
        // Its own waker registers with the first poll of the request that takes it.
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(mut one) = shelf.one.pop() {
            if one.used.elapsed() < self.idle && one.is_reusable(&mut cx) {
                return Some(Idle::One(one));
            }
        }
        None
    }

    /// Gives a connection back after a whole answer; one that cannot be used again is closed.
    pub(super) async fn put(self: &Arc<Self>, origin: Origin, mut one: H1) {
        if !poll_fn(|cx| Poll::Ready(one.is_reusable(cx))).await {
            return;
        }
        one.used = Instant::now();
        let mut shelves = self.lock();
        let shelf = shelves.by_origin.entry(origin).or_default();
        if shelf.one.len() < KEPT {
            shelf.one.push(one);
        }
        self.sweep_later(&mut shelves);
    }

    pub(super) fn share(self: &Arc<Self>, origin: Origin, two: H2) {
        let mut shelves = self.lock();
        shelves.by_origin.entry(origin).or_default().two = Some(two);
        self.sweep_later(&mut shelves);
    }

    /// Drops every connection to an origin that just proved to have closed one.
    pub(super) fn forget(&self, origin: &Origin) {
        self.lock().by_origin.remove(origin);
    }

    fn sweep_later(self: &Arc<Self>, shelves: &mut Shelves) {
        if std::mem::replace(&mut shelves.swept, true) {
            return;
        }
        let pool = Arc::downgrade(self);
        let step = self.idle / 8;
        tokio::spawn(async move {
            loop {
                sleep(step).await;
                let Some(pool) = pool.upgrade() else { return };
                if pool.sweep() {
                    return;
                }
            }
        });
    }

    /// Closes what has been idle too long; true when nothing is left to watch.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let old = |used: Instant| now - used >= self.idle;
        let mut shelves = self.lock();
        shelves.by_origin.retain(|_, shelf| {
            shelf.one.retain(|one| !old(one.used));
            shelf.two.take_if(|two| two.sender.is_closed() || old(two.used));
            !shelf.one.is_empty() || shelf.two.is_some()
        });
        shelves.swept = !shelves.by_origin.is_empty();
        !shelves.swept
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        // Nothing in here can panic half-way through a change that matters.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
