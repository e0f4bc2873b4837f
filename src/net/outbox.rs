//! What waits to be written on one stream connection.
//!
//! Whoever sends appends; the write itself happens once per turn of the shard loop, so that what one
//! turn says to one peer leaves in one segment. What the socket does not take then is left to the
//! connection's own task.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OnceCell};

use super::connections::Waiting;
use super::tls::Wire;

/// Why nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The peer does not read: the limit is reached and the connection is given up.
    Full,
    /// The connection is gone.
    Closed,
}

/// The write side of a connection, shared by its task and every shard.
#[derive(Debug)]
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    wire: OnceCell<Arc<Wire>>,
    /// Wakes the connection's task: bytes are left over, or it is to end.
    pub wake: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    /// Something was sent since the connection's task last looked.
    used: bool,
    /// Who wants to know when the connection cannot be opened, or breaks behind a half-closed peer.
    waiting: Vec<Waiting>,
    /// The peer says nothing more, and may be gone altogether: only writing to it will tell.
    half_closed: bool,
    closed: bool,
}

impl Outbox {
    /// An empty one that holds at most `limit` bytes, for a connection that is not open yet.
    pub fn new(limit: usize) -> Self {
        Self { inner: Mutex::default(), wire: OnceCell::new(), wake: Notify::new(), limit }
    }

    /// Appends one message. Past the limit the connection is given up.
    pub fn push(&self, message: &[u8], waiting: Option<Waiting>) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        if !inner.bytes.is_empty() && inner.bytes.len() + message.len() > self.limit {
            // One turn may say more than the limit to a peer that reads well: try before giving up.
            self.write_out(&mut inner).map_err(|_| self.give_up(&mut inner, Refused::Closed))?;
            if inner.bytes.len() + message.len() > self.limit {
                return Err(self.give_up(&mut inner, Refused::Full));
            }
        }
        inner.bytes.extend_from_slice(message);
        inner.used = true;
        if self.wire.get().is_none() || inner.half_closed {
            inner.waiting.extend(waiting);
        }
        Ok(())
    }

    /// The connection is open: what waited may leave.
    pub fn open(&self, wire: Arc<Wire>) -> io::Result<()> {
        let mut inner = self.lock();
        inner.waiting.clear();
        if self.wire.set(wire).is_err() {
            return Err(io::Error::other("a connection is opened once"));
        }
        self.write_out(&mut inner)
    }

    /// Writes what the socket takes now; true when nothing is left.
    pub fn flush(&self) -> io::Result<bool> {
        let mut inner = self.lock();
        self.write_out(&mut inner)?;
        Ok(inner.bytes.is_empty() && self.wire.get().is_none_or(|wire| !wire.has_pending()))
    }

    /// The peer says nothing more: whoever sends from here on hears when the connection breaks.
    pub fn half_close(&self) {
        self.lock().half_closed = true;
    }

    /// All that was sent arrived, as far as can be told: nobody waits to hear of it.
    pub fn settle(&self) {
        self.lock().waiting.clear();
    }

    /// Ends it; returns who still waited for the connection to open.
    pub fn close(&self) -> Vec<Waiting> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.bytes = Vec::new();
        mem::take(&mut inner.waiting)
    }

    /// Whether it was ended, from whichever side.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether something was sent since this was last asked.
    pub fn take_used(&self) -> bool {
        mem::take(&mut self.lock().used)
    }

    /// Whether bytes wait.
    pub fn has_pending(&self) -> bool {
        !self.lock().bytes.is_empty() || self.wire.get().is_some_and(|wire| wire.has_pending())
    }

    fn give_up(&self, inner: &mut Inner, why: Refused) -> Refused {
        inner.closed = true;
        self.wake.notify_one();
        why
    }

    fn write_out(&self, inner: &mut Inner) -> io::Result<()> {
        let Some(wire) = self.wire.get() else { return Ok(()) };
        let mut written = 0;
        let outcome = loop {
            if written == inner.bytes.len() {
                break Ok(());
            }
            match wire.try_write(&inner.bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        inner.bytes.drain(..written);
        outcome?;
        wire.flush().map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing between lock and unlock leaves the buffer half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::door::SendToken;

    #[test]
    fn a_full_outbox_is_given_up_and_a_closed_one_names_who_waited() {
        let outbox = Outbox::new(10);
        let waiting = Waiting { shard: 1, token: SendToken(7) };
        assert_eq!(outbox.push(b"larger than ten is taken when alone", Some(waiting)), Ok(()));
        assert_eq!(outbox.push(b"x", None), Err(Refused::Full));
        assert!(outbox.is_closed());
        assert_eq!(outbox.close(), [waiting]);
        assert_eq!(outbox.push(b"x", None), Err(Refused::Closed));
    }
}
