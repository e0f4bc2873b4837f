//! Every counter, gauge and histogram with its name and help.
//!
//! - `families`: the groups of metrics, one per room, as plain fields.
//! - `labels`: the label sets, and counters that exist for each value from the start.
//!
//! Handles are atomics behind an `Arc`: a clone is cheap and every clone counts into the same place.

mod families;
mod labels;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::engine::door::Counter as Counted;
use crate::telemetry::gateways::Gateways;

pub use families::{
    ApiMetrics, CallMetrics, CallbackMetrics, DirectoryMetrics, EdgeMetrics, JournalMetrics, LogMetrics,
    MessageMetrics, SipMetrics, StoreMetrics, WebhookMetrics,
};
pub use labels::{ByReason, ByTrunk, ByWord};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of the process. Fields are public so that each room counts its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages and sockets.
    pub sip: SipMetrics,
    /// Sources without a trunk.
    pub edge: EdgeMetrics,
    /// Calls.
    pub calls: CallMetrics,
    /// Messages outside calls.
    pub messages: MessageMetrics,
    /// Requests to applications.
    pub webhook: WebhookMetrics,
    /// Status callbacks.
    pub callback: CallbackMetrics,
    /// The call journal.
    pub journal: JournalMetrics,
    /// The store and the projection into it.
    pub store: StoreMetrics,
    /// The directory and its reloads.
    pub directory: DirectoryMetrics,
    /// The HTTP API.
    pub api: ApiMetrics,
    /// The log itself.
    pub log: LogMetrics,
    /// The gateways.
    pub gateways: Gateways,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero, registered under `callgate_`.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("callgate");
        let r = &mut registry;
        let (sip, calls, webhook) = (SipMetrics::new(r), CallMetrics::new(r), WebhookMetrics::new(r));
        let (callback, journal) = (CallbackMetrics::new(r), JournalMetrics::new(r));
        let (store, directory) = (StoreMetrics::new(r), DirectoryMetrics::new(r));
        let (messages, edge) = (MessageMetrics::new(r), EdgeMetrics::new(r));
        let (api, log) = (ApiMetrics::new(r), LogMetrics::new(r));
        let gateways = Gateways::new(r);
        Self {
            gateways,
            registry,
            sip,
            edge,
            calls,
            messages,
            webhook,
            callback,
            journal,
            store,
            directory,
            api,
            log,
        }
    }

    /// Counts what the engine asks to be counted.
    pub fn count(&self, counted: Counted) {
        match counted {
            Counted::Unreadable => self.sip.unreadable.inc(),
            Counted::StrayResponse => self.sip.stray_responses.inc(),
            Counted::UnknownSource => self.sip.unknown_source.inc(),
            Counted::Stranger => self.edge.refused.inc(),
            Counted::Scanner => self.edge.scanners.inc(),
            Counted::Proved => self.edge.proved.inc(),
            Counted::Withheld => self.edge.withheld.inc(),
            Counted::Retransmission => self.sip.retransmissions.inc(),
            Counted::Refused(reason) => self.calls.refused.inc(reason),
            Counted::DialRefused { .. } => self.calls.dials_refused.inc(),
            Counted::Stale => self.sip.stale.inc(),
            Counted::Shed(_) => self.calls.refused.inc(crate::reason::Reason::Overloaded),
            Counted::Ended(reason) => self.calls.ended.inc(reason),
            Counted::Panic => self.calls.panics.inc(),
        };
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry).expect("writing into a String cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::door::GatewayNews;
    use crate::reason::Reason;

    #[test]
    fn what_was_counted_is_rendered_and_every_reason_is_there_from_the_start() {
        let metrics = Metrics::new();
        metrics.count(Counted::Refused(Reason::UnknownNumber));
        metrics.count(Counted::Retransmission);
        let text = metrics.render();
        assert!(text.contains("callgate_calls_refused_total{reason=\"unknown_number\"} 1"), "{text}");
        assert!(text.contains("callgate_calls_refused_total{reason=\"loop\"} 0"));
        assert!(text.contains("callgate_sip_retransmissions_total 1"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn alert_rules_name_metrics_and_outcomes_that_exist() {
        let metrics = Metrics::new();
        metrics.calls.trunk.inc("carrier");
        metrics.calls.shed.inc("carrier");
        let gateway = (crate::ids::GatewaySid(1), Some("out"));
        for news in [GatewayNews::Tried, GatewayNews::Failed, GatewayNews::Down] {
            metrics.gateways.note(gateway.0, gateway.1, news, crate::time::Instant::ZERO);
        }
        let (text, rules) = (metrics.render(), include_str!("../../../config/alerts.yml"));
        let mut named = 0;
        for (at, _) in rules.match_indices("callgate_") {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = &rules[at..][..rules[at..].find(|c| !word(c)).unwrap()];
            let family = name.strip_suffix("_total").unwrap_or(name);
            assert!(text.contains(&format!("# HELP {family} ")), "{name}");
            named += 1;
        }
        assert!(named > 12, "{named}");
        assert!(text.contains("callgate_directory_loads_total{outcome=\"refused\"}"));
        assert!(text.contains("callgate_calls_ended_total{reason=\"webhook_timeout\"}"));
    }

    #[test]
    fn every_family_has_help_that_says_something() {
        let text = Metrics::new().render();
        let helps: Vec<&str> = text.lines().filter(|line| line.starts_with("# HELP")).collect();
        assert!(helps.len() > 40, "{}", helps.len());
        for line in helps {
            assert!(line.split(' ').count() > 6, "too short: {line}");
        }
    }
}
