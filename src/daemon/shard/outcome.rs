//! One input, and everything that follows from it.

use super::{Shard, ShardParts};
use crate::call::record::{Change, Record};
use crate::daemon::narrate::Narrator;
use crate::engine::door::{Counter, Input, Output, SendToken};
use crate::flow::{Flow, Transport};
use crate::net::{Cause, UdpPort, is_elsewhere};
use crate::routing::Directory;
use crate::telemetry::{Calls, Metrics};
use crate::time::Instant;

impl Shard {
    /// One input, and everything that follows from it.
    pub(super) fn handle(&mut self, input: Input<'_>) {
        let now = self.parts.clock.now();
        let peer = match &input {
            Input::Received { flow, .. } | Input::Broken { flow, .. } => Some(*flow),
            _ => None,
        };
        self.parts.engine.handle(now, input);
        self.poll(now, peer);
        while let Some(token) = self.failed.pop() {
            self.parts.engine.handle(now, Input::SendFailed(token));
            self.poll(now, None);
        }
    }

    fn poll(&mut self, now: Instant, from: Option<Flow>) {
        let ShardParts {
            engine, ports, streams, edge, effects, calls, metrics, notices, index, before, ..
        } = &mut self.parts;
        loop {
            match engine.poll() {
                Output::Send { flow, bytes, token } => {
                    if token != SendToken(0) && !bytes.starts_with(b"SIP/2.0 ") {
                        edge.vouch(flow.peer.ip(), flow.transport.is_reliable());
                    }
                    let sent = match flow.transport {
                        _ if is_elsewhere(&flow) => {
                            before.as_ref().is_some_and(|before| before.leave(&flow, bytes))
                        }
                        // The port counts what leaves it.
                        Transport::Udp => send_datagram(ports, &flow, bytes),
                        Transport::Tcp | Transport::Tls => {
                            let sent = streams.send(&flow, bytes, token, &mut self.dirty);
                            metrics.sip.sent.inc_by(u64::from(sent));
                            sent
                        }
                    };
                    if !sent {
                        metrics.sip.send_failed.inc();
                        if token != SendToken(0) {
                            self.failed.push(token);
                        }
                    }
                }
                Output::Named { domain, host } => streams.named(domain, host),
                Output::Ask(ask) => effects.ask(*ask),
                Output::Abort(ask) => effects.abort(ask),
                Output::Record(record) => {
                    note(calls, metrics, &self.narrator, *index, &record);
                    count_of_trunk(metrics, self.directory.load(), &record);
                    effects.record(record);
                }
                Output::Trace { call, at, item } => calls.trace(call, at, item),
                Output::Message { sid, step } => {
                    self.narrator.message(calls, metrics, (sid, now), &step);
                    notices.answered(calls, sid, &step);
                }
                Output::Gateway { gateway, news } => {
                    let name = self.directory.load().gateway(gateway).map(|gateway| gateway.name.clone());
                    metrics.gateways.note(gateway, name.as_deref(), news, now);
                }
                Output::Remark { account, reason, number } => notices.unasked(account, reason, &number),
                Output::Count(counter) => {
                    metrics.count(counter);
                    if let Counter::Shed(trunk) = counter {
                        // Sources without a trunk are one.
                        let trunk = trunk.and_then(|sid| self.directory.load().trunk(sid));
                        metrics.calls.shed.inc(trunk.map_or("", |trunk| &trunk.name));
                    }
                    if let Counter::DialRefused { account, call, reason } = counter {
                        notices.refused(account, call, reason);
                    }
                    self.narrator.counted(counter, from.map(|flow| flow.peer), now);
                    // Until there is a directory nobody is a stranger.
                    if let (Some(flow), Counter::Proved) = (from, counter) {
                        edge.vouch(flow.peer.ip(), flow.transport.is_reliable());
                    }
                    if let (Some(flow), Some(cause), Some(_)) = (from, blamed(counter), &self.known) {
                        edge.blame(flow.peer.ip(), flow.transport.is_reliable(), cause);
                    }
                }
                Output::Wait(at) => {
                    self.wait = at;
                    return;
                }
            }
        }
    }
}

/// What a source is blamed for.
const fn blamed(counter: Counter) -> Option<Cause> {
    match counter {
        Counter::Stranger => Some(Cause::Refused),
        Counter::Scanner => Some(Cause::Scanner),
        Counter::Unreadable => Some(Cause::Unreadable),
        Counter::StrayResponse => Some(Cause::Stray),
        _ => None,
    }
}

fn send_datagram(ports: &[UdpPort], flow: &Flow, bytes: &[u8]) -> bool {
    let Some(port) = ports.iter().find(|port| port.listener() == flow.listener) else { return false };
    match port.send(flow, bytes) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(peer = %flow.peer, %error, "a datagram could not be sent");
            false
        }
    }
}

/// A trunk that falls silent is seen by its count.
fn count_of_trunk(metrics: &Metrics, directory: &Directory, record: &Record) {
    if let Change::Admitted { facts, .. } = &record.change
        && let Some(trunk) = facts.trunk.and_then(|sid| directory.trunk(sid))
    {
        metrics.calls.trunk.inc(&trunk.name);
    }
}

/// What operators see of a record: the live calls and their counters.
fn note(calls: &Calls, metrics: &Metrics, narrator: &Narrator, shard: u16, record: &Record) {
    match &record.change {
        Change::Admitted { facts, .. } => {
            narrator.came(facts);
            calls.begin(facts, shard);
            metrics.calls.admitted.inc();
        }
        Change::Invited(_) => {
            if let Some(took) = calls.invited(record.call, record.at) {
                metrics.calls.setup_seconds.observe(took.as_secs_f64());
            }
        }
        Change::Answered { .. } => {
            narrator.answered(record.call);
            calls.answered(record.call, record.at);
            metrics.calls.answered.inc();
        }
        Change::Ended(terminal) => {
            narrator.ended(record.call, terminal);
            calls.end(record.call, *terminal);
        }
        _ => {}
    }
}
