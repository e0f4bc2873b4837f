//! What comes in: datagrams, what other threads and local tasks brought, answers.

use std::io;
use std::time::Duration;

use super::{BATCH, Shard};
use crate::engine::door::{Input, SendToken};
use crate::flow::Flow;
use crate::net::{Arrival, is_elsewhere, is_keepalive};

impl Shard {
    /// Drains the datagram sockets; true when there may be more.
    pub(super) fn datagrams(&mut self) -> bool {
        if !self.parts.front {
            return false;
        }
        let mut more = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        for port in 0..self.parts.ports.len() {
            let mut left = BATCH;
            while left > 0 {
                left -= 1;
                match self.parts.ports[port].try_receive(&mut buffer) {
                    Ok(Some((flow, length))) => {
                        // The first has waited longest, and tells for its batch.
                        if left == BATCH - 1 {
                            self.late = self.parts.ports[port].waited();
                            self.waited(self.late);
                        }
                        self.datagram(flow, &buffer[..length]);
                    }
                    Ok(None) => break,
                    Err(error) => report_socket(&error),
                }
            }
            more |= left == 0;
        }
        self.buffer = buffer;
        more
    }

    fn datagram(&mut self, flow: Flow, bytes: &[u8]) {
        if self.parts.edge.refuses(flow.peer.ip(), false) || is_keepalive(bytes) {
            return;
        }
        self.parts.metrics.sip.received.inc();
        let own = usize::from(self.parts.index);
        let owner = self.parts.delivery.owner(bytes).unwrap_or(own);
        let now = std::time::Instant::now();
        let since = now.checked_sub(self.late).unwrap_or(now);
        if owner == own {
            self.message(flow, bytes, since);
        } else {
            self.parts.delivery.datagram(owner, flow, bytes, since);
        }
    }

    /// A message of this shard's: of a call here, or, where a process follows, of one that is that one's.
    fn message(&mut self, flow: Flow, bytes: &[u8], since: std::time::Instant) {
        if is_elsewhere(&flow) {
            self.elsewhere.insert(flow);
        }
        if let Some((passage, _)) = &self.follower
            && !self.parts.engine.claims(bytes, self.closing)
            // A stream loses nothing: what cannot be handed on is looked at here.
            && (passage.pass(&flow, bytes, since) || flow.connection.is_none())
        {
            return;
        }
        if self.leaving
            && let Some(before) = &self.parts.before
            && !self.parts.engine.claims(bytes, false)
            && (before.give_back(&flow, bytes, since) || flow.connection.is_none())
        {
            return;
        }
        self.handle(Input::Received { flow, bytes });
    }

    /// Takes what others brought; true when there may be more.
    pub(super) fn arrived(&mut self) -> bool {
        if self.held {
            return false;
        }
        for at in 0..BATCH {
            match self.parts.arrivals.try_recv() {
                Ok(arrival) => {
                    if let (0, Arrival::Message { since, .. }) = (at, &arrival) {
                        self.waited(since.elapsed());
                    }
                    self.arrival(arrival);
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Takes the answers that are there; true when there may be more.
    pub(super) fn answered(&mut self) -> bool {
        for _ in 0..BATCH {
            let Some((ask, answer)) = self.parts.effects.try_next() else { return false };
            self.handle(Input::Answered { ask, answer });
        }
        true
    }

    /// A message of this turn had waited so long.
    fn waited(&mut self, wait: Duration) {
        self.parts.metrics.sip.queue_seconds.observe(wait.as_secs_f64());
        self.parts.yielding.waited(wait);
        let now = self.parts.clock.now();
        self.parts.engine.handle(now, Input::Behind(self.parts.effects.lag()));
        self.parts.engine.handle(now, Input::Waited(wait));
    }

    pub(super) fn arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message { flow, bytes, since } => self.message(flow, &bytes, since),
            Arrival::Returned { flow, bytes, since } => {
                self.waited(since.elapsed());
                self.handle(Input::Received { flow, bytes: &bytes });
            }
            Arrival::Leave { flow, bytes } => {
                if !self.parts.streams.send(&flow, &bytes, SendToken(0), &mut self.dirty) {
                    tracing::debug!(peer = %flow.peer, "a connection was gone before its answer");
                }
            }
            Arrival::Proved(flow, names) => {
                if let Some((passage, _)) = &self.follower {
                    passage.proved(&flow, &names);
                }
                self.parts.edge.vouch(flow.peer.ip(), true);
                self.handle(Input::Proved { flow, names });
            }
            Arrival::Closed(flow) => {
                if let Some((passage, _)) = &self.follower {
                    passage.closed(&flow);
                }
                self.elsewhere.remove(&flow);
                self.handle(Input::FlowClosed(flow));
            }
            Arrival::Failed(token) => self.handle(Input::SendFailed(token)),
            Arrival::Broken { flow, bytes, fault, answered } => {
                self.handle(Input::Broken { flow, bytes: &bytes, fault });
                if answered.send(()).is_err() {
                    tracing::debug!(peer = %flow.peer, "a broken connection was gone before its answer");
                }
            }
            Arrival::InUse(flow, reply) => {
                if reply.send(self.parts.engine.uses_connection(&flow)).is_err() {
                    tracing::debug!(peer = %flow.peer, "a connection ended while it was looked at");
                }
            }
        }
    }
}

/// Only what an operator can do something about; everything else is one datagram's bad luck.
fn report_socket(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionRefused {
        tracing::warn!(%error, "a datagram could not be received");
    }
}
