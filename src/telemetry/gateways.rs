//! The gateways as operators see them: how each stands on this node, and what became of its calls since
//! the start.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::engine::door::{GatewayNews, Standings};
use crate::ids::GatewaySid;
use crate::time::Instant;

/// What all shards know of the gateways, and what they counted.
#[derive(Debug)]
pub struct Gateways {
    standings: ArcSwap<Standings>,
    counts: DashMap<GatewaySid, GatewayCounts, foldhash::fast::RandomState>,
    /// As operators call each, and what is known of it. Rows are few: those that are gone stay.
    seen: DashMap<GatewaySid, (Arc<str>, Seen), foldhash::fast::RandomState>,
    families: Families,
}

/// What became of the calls of one gateway on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounts {
    /// Calls that left through it, or were to.
    pub calls: u64,
    /// Those it answered.
    pub answers: u64,
    /// Those it refused, or never answered.
    pub failures: u64,
    /// Those that last.
    pub active: u64,
}

/// What the checks of a gateway, and its own words, told this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it answers its checks, and since when; `None`: it is not checked, or not yet.
    pub up: Option<(bool, SystemTime)>,
    /// When its last check was over, and the code it answered; without one it was silent.
    pub checked: Option<(SystemTime, Option<u16>)>,
    /// When it asked to be left alone last, and until when.
    out: Option<(SystemTime, SystemTime)>,
}

impl Seen {
    /// Since when it wants to be left alone; `None`: it does not.
    #[must_use]
    pub fn out_since(&self, now: SystemTime) -> Option<SystemTime> {
        self.out.filter(|(_, until)| *until > now).map(|(since, _)| since)
    }

    fn take(&mut self, news: GatewayNews, (now, clock): (Instant, SystemTime)) {
        match news {
            GatewayNews::Up => self.up = Some((true, clock)),
            GatewayNews::Down => self.up = Some((false, clock)),
            GatewayNews::Unchecked => (self.up, self.checked) = (None, None),
            GatewayNews::Checked(code) => self.checked = Some((clock, code)),
            GatewayNews::Out(until) => {
                let since = self.out_since(clock).unwrap_or(clock);
                self.out = Some((since, clock + until.since(now)));
            }
            _ => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GatewayLabel {
    gateway: String,
}

#[derive(Debug)]
struct Families {
    calls: Family<GatewayLabel, Counter>,
    answers: Family<GatewayLabel, Counter>,
    failures: Family<GatewayLabel, Counter>,
    active: Family<GatewayLabel, Gauge>,
    up: Family<GatewayLabel, Gauge>,
    out: Family<GatewayLabel, Counter>,
}

impl Gateways {
    /// Nothing known, nothing counted.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let families = Families {
            calls: Family::default(),
            answers: Family::default(),
            failures: Family::default(),
            active: Family::default(),
            up: Family::default(),
            out: Family::default(),
        };
        let of = &families;
        registry.register(
            "gateway_calls",
            "Calls that left through each gateway, by its name",
            of.calls.clone(),
        );
        registry.register(
            "gateway_answers",
            "Calls that each gateway answered, by its name",
            of.answers.clone(),
        );
        let help = "Calls that each gateway refused or never answered, by its name";
        registry.register("gateway_failures", help, of.failures.clone());
        let help = "Calls in progress through each gateway, ringing ones included";
        registry.register("gateway_active", help, of.active.clone());
        let help = "Whether each gateway answers its checks (1) or not (0); none where it is not checked";
        registry.register("gateway_up", help, of.up.clone());
        let help = "Times each gateway asked to be left alone for a while (503 with Retry-After)";
        registry.register("gateway_out", help, of.out.clone());
        Self { standings: ArcSwap::default(), counts: DashMap::default(), seen: DashMap::default(), families }
    }

    /// How the gateways stand.
    #[must_use]
    pub fn standings(&self) -> Arc<Standings> {
        self.standings.load_full()
    }

    /// What became of a gateway's calls.
    #[must_use]
    pub fn counts(&self, gateway: GatewaySid) -> GatewayCounts {
        self.counts.get(&gateway).map(|counts| *counts).unwrap_or_default()
    }

    /// What is known of a gateway beside its calls.
    #[must_use]
    pub fn seen(&self, gateway: GatewaySid) -> Seen {
        self.seen.get(&gateway).map(|known| known.1).unwrap_or_default()
    }

    /// An engine has news of a gateway. `name`: what operators call it, where it is still there.
    pub fn note(&self, gateway: GatewaySid, name: Option<&str>, news: GatewayNews, now: Instant) {
        let name = self.see(gateway, name, news, now);
        let name = name.as_deref();
        let label = name.map(|name| GatewayLabel { gateway: name.to_owned() });
        match news {
            GatewayNews::Up | GatewayNews::Down | GatewayNews::Out(_) | GatewayNews::Unchecked => {
                self.standings.rcu(|known| {
                    let mut next = Standings::clone(known);
                    next.take(gateway, news);
                    next
                });
                self.tell(gateway, name, news, now);
            }
            GatewayNews::Checked(_) => {}
            _ => self.count(gateway, news),
        }
        let Some(label) = label else { return };
        let of = &self.families;
        match news {
            GatewayNews::Tried => {
                of.calls.get_or_create(&label).inc();
                // An increase is seen only in what was there before.
                drop(of.answers.get_or_create(&label));
                drop(of.failures.get_or_create(&label));
                of.active.get_or_create(&label).inc();
            }
            GatewayNews::Recovered => drop(of.active.get_or_create(&label).inc()),
            GatewayNews::Answered => drop(of.answers.get_or_create(&label).inc()),
            GatewayNews::Failed => drop(of.failures.get_or_create(&label).inc()),
            GatewayNews::Over => drop(of.active.get_or_create(&label).dec()),
            GatewayNews::Up => drop(of.up.get_or_create(&label).set(1)),
            GatewayNews::Down => drop(of.up.get_or_create(&label).set(0)),
            GatewayNews::Out(_) => drop(of.out.get_or_create(&label).inc()),
            GatewayNews::Unchecked => drop(of.up.remove(&label)),
            GatewayNews::Checked(_) => {}
        }
    }

    /// Keeps what is known of a gateway; gives its name, or the last one it had.
    fn see(
        &self,
        gateway: GatewaySid,
        name: Option<&str>,
        news: GatewayNews,
        now: Instant,
    ) -> Option<Arc<str>> {
        // Calls come often and change nothing that is kept: they need no lock of their own.
        let kept = self.seen.get(&gateway).filter(|known| name.is_none_or(|name| *known.0 == *name));
        if let Some(known) = kept.filter(|_| !news.is_of_standing()) {
            return Some(Arc::clone(&known.0));
        }
        let Some(name) = name else {
            let mut known = self.seen.get_mut(&gateway)?;
            known.1.take(news, (now, SystemTime::now()));
            return Some(Arc::clone(&known.0));
        };
        let mut known = self.seen.entry(gateway).or_insert_with(|| (name.into(), Seen::default()));
        if *known.0 != *name {
            // Under its former name it is neither up nor down.
            self.families.up.remove(&GatewayLabel { gateway: known.0.to_string() });
            known.0 = name.into();
        }
        known.1.take(news, (now, SystemTime::now()));
        Some(Arc::clone(&known.0))
    }

    fn count(&self, gateway: GatewaySid, news: GatewayNews) {
        let mut of = self.counts.entry(gateway).or_default();
        match news {
            GatewayNews::Tried => (of.calls, of.active) = (of.calls + 1, of.active + 1),
            GatewayNews::Recovered => of.active += 1,
            GatewayNews::Answered => of.answers += 1,
            GatewayNews::Failed => of.failures += 1,
            GatewayNews::Over => of.active = of.active.saturating_sub(1),
            _ => {}
        }
    }

    fn tell(&self, gateway: GatewaySid, name: Option<&str>, news: GatewayNews, now: Instant) {
        let name = name.map_or_else(|| gateway.to_string(), str::to_owned);
        match news {
            GatewayNews::Down => tracing::warn!(gateway = name, "a gateway does not answer its checks"),
            GatewayNews::Up => tracing::info!(gateway = name, "a gateway answers its checks"),
            GatewayNews::Out(until) => {
                let left = until.since(now);
                let seconds = left.as_secs();
                tracing::warn!(gateway = name, seconds, "a gateway wants to be left alone");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_and_over_is_active_no_more_and_a_standing_is_everybodys() {
        let mut registry = Registry::default();
        let gateways = Gateways::new(&mut registry);
        let (gateway, now) = (GatewaySid(7), Instant::ZERO);
        for news in [GatewayNews::Tried, GatewayNews::Tried, GatewayNews::Failed, GatewayNews::Over] {
            gateways.note(gateway, Some("out"), news, now);
        }
        let counts = GatewayCounts { calls: 2, answers: 0, failures: 1, active: 1 };
        assert_eq!(gateways.counts(gateway), counts);
        gateways.note(gateway, Some("out"), GatewayNews::Down, now);
        assert!(gateways.standings().is_down(gateway));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        assert!(text.contains("gateway_up{gateway=\"out\"} 0"), "{text}");
        assert!(text.contains("gateway_active{gateway=\"out\"} 1"), "{text}");
    }

    #[test]
    fn one_that_is_gone_or_renamed_is_no_longer_down_and_its_calls_end() {
        let mut registry = Registry::default();
        let gateways = Gateways::new(&mut registry);
        let (gateway, now) = (GatewaySid(7), Instant::ZERO);
        for (name, news) in [
            (Some("out"), GatewayNews::Down),
            (Some("outer"), GatewayNews::Tried),
            (Some("outer"), GatewayNews::Down),
            (None, GatewayNews::Unchecked),
            (None, GatewayNews::Over),
        ] {
            gateways.note(gateway, name, news, now);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        assert!(!text.contains("gateway_up{"), "{text}");
        assert!(text.contains("gateway_active{gateway=\"outer\"} 0"), "{text}");
    }
}
