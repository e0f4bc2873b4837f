//! What the log says of calls and messages: one line when one comes, one when it ends or is refused, and
//! for an unknown source the command that makes it known.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::call::ask::Counter;
use crate::call::facts::CallFacts;
use crate::call::messages::{MessageStep, ReplyEnd};
use crate::call::outcome::Terminal;
use crate::ids::CallSid;
use crate::pii::Pii;
use crate::telemetry::{Calls, Metrics, Seldom};
use crate::time::Instant;

/// An unknown source is named this often at most.
const AGAIN: Duration = Duration::from_secs(60);
/// Unknown sources remembered at once; beyond, those named longest ago are forgotten.
const SOURCES: usize = 1_024;

/// What one shard has said, so that it does not repeat itself.
#[derive(Debug, Default)]
pub struct Narrator {
    named: HashMap<IpAddr, Instant>,
}

impl Narrator {
    /// A call was admitted.
    pub fn came(&self, facts: &CallFacts) {
        let trunk = facts.trunk.map_or_else(|| "-".to_owned(), |trunk| trunk.to_string());
        tracing::info!(
            sid = %facts.call,
            from = %Pii(&*facts.from),
            to = %Pii(&*facts.to),
            number = %Pii(&*facts.number_text),
            source = %facts.sip_source,
            %trunk,
            "a call came"
        );
    }

    /// A call was answered.
    pub fn answered(&self, call: CallSid) {
        tracing::debug!(sid = %call, "a call was answered");
    }

    /// A call ended.
    pub fn ended(&self, call: CallSid, terminal: &Terminal) {
        tracing::info!(
            sid = %call,
            reason = terminal.reason.code(),
            code = terminal.sip_code,
            seconds = terminal.duration.as_secs_f32(),
            "a call ended"
        );
    }

    /// What became of a MESSAGE outside calls: remembered, counted, told.
    pub fn message(
        &self,
        calls: &Calls,
        metrics: &Metrics,
        (sid, at): (CallSid, Instant),
        step: &MessageStep,
    ) {
        calls.messages.note(sid, at, step);
        let (counted, sid) = (&metrics.messages, format!("SM{:032x}", sid.0));
        match step {
            MessageStep::Admitted(facts) => {
                counted.admitted.inc();
                let (from, to) = (Pii(&*facts.from), Pii(&*facts.to));
                tracing::info!(%sid, %from, %to, source = %facts.sip_source, "a message came");
            }
            MessageStep::Answered(code, reason) => {
                counted.answered.inc(if *code < 300 { "accepted" } else { "failed" });
                let reason = reason.map(|reason| reason.code());
                tracing::info!(%sid, code, reason, "a message was answered");
            }
            MessageStep::Sent => {}
            MessageStep::Reply(end) => {
                counted.replies.inc(end.as_str());
                match end {
                    ReplyEnd::Answered(200..=299) => {
                        tracing::debug!(%sid, "an application's message was delivered")
                    }
                    end => tracing::warn!(%sid, how = ?end, "an application's message was not delivered"),
                }
            }
        }
    }

    /// What the engine counted while it read a message from `peer`, where an operator should know.
    pub fn counted(&mut self, counter: Counter, peer: Option<SocketAddr>, now: Instant) {
        let Some(peer) = peer else { return };
        match counter {
            Counter::Refused(reason) => {
                tracing::info!(%peer, reason = reason.code(), "a call was refused");
            }
            Counter::Shed(_) => {
                static LINE: Seldom = Seldom::new();
                if let Some(kept_back) = LINE.due() {
                    tracing::warn!(
                        %peer, kept_back,
                        "overloaded: new calls of the noisiest sources get 503 (limits.overload-delay-ms)"
                    );
                }
            }
            Counter::UnknownSource if self.is_news(peer.ip(), now) => {
                let ip = peer.ip();
                let length = if ip.is_ipv4() { 32 } else { 128 };
                tracing::warn!(
                    %peer,
                    "no trunk has this source; to take calls from it: callgate trunks add NAME sources={ip}/{length}"
                );
            }
            _ => {}
        }
    }

    fn is_news(&mut self, source: IpAddr, now: Instant) -> bool {
        let recent = |said: Instant| now.since(said) < AGAIN;
        if self.named.get(&source).copied().is_some_and(recent) {
            return false;
        }
        if self.named.len() >= SOURCES {
            self.named.retain(|_, said| recent(*said));
            // A flood from ever new addresses: more lines would help nobody.
            if self.named.len() >= SOURCES {
                return false;
            }
        }
        self.named.insert(source, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn an_unknown_source_is_news_once_a_minute_and_a_flood_is_not() {
        let mut narrator = Narrator::default();
        let source = |number: u32| IpAddr::from(number.to_be_bytes());
        assert!(narrator.is_news(source(1), at(0)) && !narrator.is_news(source(1), at(59)));
        assert!(narrator.is_news(source(1), at(60)));
        let said = (0..5_000).filter(|number| narrator.is_news(source(*number), at(61))).count();
        assert!(said < SOURCES, "{said}");
        assert!(narrator.is_news(source(9_999), at(200)), "the old ones are forgotten");
    }
}
