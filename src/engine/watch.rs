//! Are the gateways there? One engine of a node asks each of them by OPTIONS, now and then.
//!
//! A check goes to the gateway's places one after another, until one answers. What answers takes calls,
//! whatever it says, but 408, 502, 503 and 504: those say that nothing behind it does. A standing changes
//! only when several checks in a row agree, and what a check cost nobody else's call waits for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::{Answer, AskId, Question};
use crate::call::desk::{Due, Owner, Role};
use crate::call::mint::{Chain, Tag};
use crate::call::probe::{self, Place, Probe};
use crate::call::standing::GatewayNews;
use crate::engine::core::Engine;
use crate::flow::{Destination, Flow};
use crate::ids::{CallSid, VirtualShard};
use crate::routing::model::{Gateway, Status};
use crate::sip::Message;
use crate::timers::TimerId;
use crate::transaction::step::Tell;
use crate::transaction::table::TransactionId;
use crate::transport::next_hop::{self, Bound};

/// The shard of everything a check says: the first engine's, however many there are.
const SHARD: VirtualShard = VirtualShard(0);

/// The checks of a node, in the engine that makes them.
#[derive(Debug, Default)]
pub(super) struct Watch {
    on: bool,
    checks: BTreeMap<u32, Check>,
    next: u32,
    /// OPTIONS that have no final response yet.
    pub open: usize,
}

/// The checks of one gateway.
#[derive(Debug)]
struct Check {
    gateway: Arc<Gateway>,
    timer: Option<TimerId>,
    /// Its name is being looked up.
    ask: Option<AskId>,
    /// Its places that are still to be asked, and the one that is.
    places: VecDeque<Destination>,
    asked: Option<TransactionId>,
    /// What it said last in this check.
    heard: Option<u16>,
    /// Checks in a row that ended otherwise than its standing says.
    against: u32,
    up: Option<bool>,
}

impl Watch {
    /// Timers that are set for it.
    pub fn timers(&self) -> usize {
        self.checks.values().filter(|check| check.timer.is_some()).count()
    }
}

impl Engine {
    /// Makes this engine the one that checks the gateways.
    #[must_use]
    pub fn watching(mut self, on: bool) -> Self {
        self.watch.on = on;
        self
    }

    /// Another directory: what is new or elsewhere is checked anew, what is gone no longer. The first
    /// checks spread over the interval.
    pub(super) fn watch_gateways(&mut self) {
        let Some(directory) = self.directory.clone().filter(|_| self.watch.on && !self.draining) else {
            return self.watch_nothing();
        };
        let wanted: Vec<_> =
            directory.gateways().iter().filter(|gateway| self.interval(gateway).is_some()).collect();
        let stays = |check: &Check| wanted.iter().any(|gateway| is_same(gateway, &check.gateway));
        let gone: Vec<u32> =
            self.watch.checks.iter().filter(|(_, check)| !stays(check)).map(|(at, _)| *at).collect();
        for at in gone {
            self.unwatch(at);
        }
        for gateway in wanted {
            let known = self.watch.checks.values_mut().find(|check| check.gateway.sid == gateway.sid);
            if let Some(check) = known {
                check.gateway = Arc::clone(gateway);
                continue;
            }
            let at = self.watch.next;
            self.watch.next += 1;
            let gateway = Arc::clone(gateway);
            let check = Check {
                gateway,
                timer: None,
                ask: None,
                places: VecDeque::new(),
                asked: None,
                heard: None,
                against: 0,
                up: None,
            };
            self.watch.checks.insert(at, check);
            self.check_later(at, 0, 1000);
        }
    }

    /// Nothing is checked any more: the node drains.
    pub(super) fn watch_nothing(&mut self) {
        for at in self.watch.checks.keys().copied().collect::<Vec<_>>() {
            self.unwatch(at);
        }
    }

    fn unwatch(&mut self, at: u32) {
        let Some(mut check) = self.watch.checks.remove(&at) else { return };
        self.desk.stop(&mut check.timer);
        if let Some(ask) = check.ask {
            self.desk.abort(ask);
        }
        self.desk.gateway_news(check.gateway.sid, GatewayNews::Unchecked);
    }

    /// The next check, after between `least` and `most` thousandths of the interval.
    fn check_later(&mut self, at: u32, least: u64, most: u64) {
        let Some(check) = self.watch.checks.get(&at) else { return };
        let Some(interval) = self.interval(&check.gateway) else { return };
        let share = least + self.desk.generator.next_u64() % (most - least + 1);
        let mut after = interval.mul_f64(share as f64 / 1000.0);
        // Who wants to be left alone is not asked either.
        if let Some(until) = self.desk.standings.of(check.gateway.sid).out_until {
            after = after.max(until.since(self.desk.now));
        }
        self.set_timer(at, after);
    }

    fn set_timer(&mut self, at: u32, after: Duration) {
        let timer = self.desk.timers.start(self.desk.now, after, Due::Check(at));
        if let Some(check) = self.watch.checks.get_mut(&at) {
            let mut old = check.timer.replace(timer);
            self.desk.stop(&mut old);
        }
    }

    /// The interval of a gateway's checks; `None`: it has none.
    fn interval(&self, gateway: &Gateway) -> Option<Duration> {
        let seconds = gateway
            .options_interval
            .map_or(self.desk.config.check_interval, |own| Duration::from_secs(own.into()));
        Some(seconds).filter(|interval| !interval.is_zero() && gateway.status == Status::Active)
    }

    /// A check is due, or the place that was asked has not answered in time.
    pub(super) fn check_due(&mut self, at: u32) {
        let Some(check) = self.watch.checks.get_mut(&at) else { return };
        check.timer = None;
        if check.asked.take().is_some() {
            return self.check_next(at);
        }
        match Place::of(&check.gateway) {
            Some(Place::At(place)) => {
                check.places = [place].into();
                self.check_next(at);
            }
            Some(Place::Name(name)) => {
                check.ask = Some(self.desk.ask(0, CallSid(0), Question::Resolve(name)));
            }
            None => self.checked(at, false),
        }
    }

    /// The addresses of a gateway's name. False: the ask is nobody's here.
    pub(super) fn check_resolved(&mut self, ask: AskId, answer: Option<&Answer>) -> bool {
        let mut checks = self.watch.checks.iter_mut();
        let Some((&at, check)) = checks.find(|(_, check)| check.ask == Some(ask)) else { return false };
        check.ask = None;
        if let Some(Answer::Addresses(found)) = answer {
            check.places = found.iter().copied().collect();
        }
        self.check_next(at);
        true
    }

    /// Asks the next place of a gateway; with none left the check has failed.
    fn check_next(&mut self, at: u32) {
        while let Some(place) = self.watch.checks.get_mut(&at).and_then(|check| check.places.pop_front()) {
            if let Some(flow) = self.flow_to(place) {
                return self.ask_options(at, flow);
            }
        }
        self.checked(at, false);
    }

    fn ask_options(&mut self, at: u32, flow: Flow) {
        let Some(check) = self.watch.checks.get(&at) else { return };
        let gateway = Arc::clone(&check.gateway);
        let desk = &mut self.desk;
        let flow = desk.meant_for(&flow, gateway.host.to_ascii_lowercase().into());
        let key = desk.config.shard_key;
        let parts = Probe {
            flow: &flow,
            branch: desk.mint_branch(SHARD),
            call_id: &Chain::default().call_id(SHARD, &key, &mut desk.generator),
            tag: Tag::mint(SHARD, &mut desk.generator),
            uri: &probe::gateway_uri(&gateway, None),
        };
        let branch = parts.branch;
        let mut paper = std::mem::take(&mut desk.paper);
        probe::options(&mut paper, &desk.config, &parts);
        desk.paper = paper;
        let owner = Owner { call: 0, role: Role::Check(at) };
        let asked = desk.request(b"OPTIONS", branch, flow, owner);
        self.watch.open += 1;
        if let Some(check) = self.watch.checks.get_mut(&at) {
            check.asked = Some(asked);
        }
        self.set_timer(at, self.desk.config.first_response);
    }

    /// Something came of an OPTIONS.
    pub(super) fn check_told(
        &mut self,
        at: u32,
        id: TransactionId,
        tell: Tell,
        response: Option<&Message<'_>>,
    ) {
        let code = match tell {
            Tell::Response => response.and_then(Message::code).filter(|code| *code >= 200),
            Tell::TimedOut(_) => Some(408),
            Tell::TransportError => Some(503),
            _ => None,
        };
        let Some(code) = code else { return };
        self.watch.open = self.watch.open.saturating_sub(1);
        let Some(check) = self.watch.checks.get_mut(&at).filter(|check| check.asked == Some(id)) else {
            return;
        };
        check.asked = None;
        check.heard = response.and(Some(code)).or(check.heard);
        let gateway = check.gateway.sid;
        if let Some(response) = response.filter(|_| code == 503) {
            self.desk.gateway_refuses(gateway, response);
        }
        match matches!(code, 408 | 502..=504) {
            true => self.check_next(at),
            false => self.checked(at, true),
        }
    }

    /// A check is over.
    fn checked(&mut self, at: u32, answers: bool) {
        let (down_after, up_after) = self.desk.config.check_thresholds;
        let Some(check) = self.watch.checks.get_mut(&at) else { return };
        check.places.clear();
        let needed = match (check.up, answers) {
            // The first answer is believed at once.
            (None, true) => 1,
            (_, true) => up_after,
            (_, false) => down_after,
        };
        let (gateway, heard) = (check.gateway.sid, check.heard.take());
        check.against = if check.up == Some(answers) { 0 } else { check.against + 1 };
        if check.up != Some(answers) && check.against >= needed {
            (check.up, check.against) = (Some(answers), 0);
            self.desk.gateway_news(gateway, if answers { GatewayNews::Up } else { GatewayNews::Down });
        }
        self.desk.gateway_news(gateway, GatewayNews::Checked(heard));
        self.check_later(at, 900, 1100);
    }

    fn flow_to(&self, place: Destination) -> Option<Flow> {
        let config = &self.desk.config;
        let bound = |listener: &crate::engine::config::Listener| Bound {
            id: listener.id,
            transport: listener.transport,
            bind: listener.bind,
        };
        let near = config.own_addresses.iter().copied().find(|own| own.is_ipv4() == place.address.is_ipv4());
        let listeners = config.listeners.iter().map(bound);
        next_hop::request_flow(listeners, place.transport, place.address, None, near)
    }
}

/// Whether a check of one goes on as that of the other.
fn is_same(one: &Gateway, other: &Gateway) -> bool {
    let place = |gateway: &Gateway| (gateway.sid, gateway.host.clone(), gateway.port, gateway.transport);
    place(one) == place(other)
}
