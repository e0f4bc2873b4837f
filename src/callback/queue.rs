//! All receivers, in virtual time: what is tried when, and what became of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::config::Config;
use super::notice::{Notice, Receiver};
use super::outcomes::Dead;
use super::receiver::{End, Lines, Result};
use crate::ids::AccountSid;
use crate::time::Instant;

/// One HTTP request that is to be made now.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) receiver: Receiver,
    pub(super) notice: Arc<Notice>,
    /// From 1.
    pub(super) number: u32,
}

/// Where chance comes from: a number from 0 to 1.
pub(super) type Chance = Box<dyn FnMut() -> f64 + Send>;

pub(super) struct Queue {
    config: Config,
    chance: Chance,
    receivers: HashMap<Receiver, Lines, foldhash::fast::RandomState>,
    /// When each receiver is to be looked at; what stands here is in `listed` too.
    wake: BTreeSet<(Instant, u64)>,
    names: HashMap<u64, Receiver, foldhash::fast::RandomState>,
    listed: HashMap<Receiver, (u64, Option<Instant>), foldhash::fast::RandomState>,
    next_id: u64,
    disabled: HashSet<Receiver, foldhash::fast::RandomState>,
    ends: Vec<End>,
}

impl Queue {
    pub(super) fn new(config: Config, chance: Chance) -> Self {
        Self {
            config,
            chance,
            receivers: HashMap::default(),
            wake: BTreeSet::new(),
            names: HashMap::default(),
            listed: HashMap::default(),
            next_id: 0,
            disabled: HashSet::default(),
            ends: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, notice: Notice, now: Instant) {
        let Some(receiver) = notice.receiver() else { return };
        let notice = Arc::new(notice);
        if self.disabled.contains(&receiver) {
            self.ends.push(End::Dead(notice, Dead::Disabled));
            return;
        }
        self.receivers.entry(receiver.clone()).or_default().push(notice, now, &self.config);
        self.relist(&receiver);
    }

    /// Tries that begin now, over all receivers.
    pub(super) fn start(&mut self, now: Instant) -> Vec<Try> {
        let mut tries = Vec::new();
        while let Some((_, id)) = self.wake.first().copied().filter(|(at, _)| *at <= now) {
            let Some(receiver) = self.names.get(&id).cloned() else { break };
            while let Some(next) = self.start_at(&receiver, now) {
                tries.push(next);
            }
        }
        tries
    }

    /// The next try to one receiver, for a lane that has just become free.
    pub(super) fn start_at(&mut self, receiver: &Receiver, now: Instant) -> Option<Try> {
        let lines = self.receivers.get_mut(receiver)?;
        lines.expire(now, &mut self.ends);
        let started = lines.start(now, &self.config);
        self.relist(receiver);
        started.map(|(notice, number)| Try { receiver: receiver.clone(), notice, number })
    }

    /// Plans on after a try; says how long until the same event's next, if there is one.
    pub(super) fn finish(&mut self, tried: &Try, result: Result, now: Instant) -> Option<Duration> {
        let jitter = (self.chance)();
        let call = tried.notice.line();
        let lines = self.receivers.get_mut(&tried.receiver)?;
        let wait = lines.finish(call, result, jitter, now, &self.config, &mut self.ends);
        if result == Result::Gone {
            self.disabled.insert(tried.receiver.clone());
        }
        if self.disabled.contains(&tried.receiver) {
            lines.clear(now, &mut self.ends);
        }
        self.relist(&tried.receiver);
        wait
    }

    /// Sends nothing to this receiver any more.
    pub(super) fn disable(&mut self, receiver: Receiver, now: Instant) {
        if let Some(lines) = self.receivers.get_mut(&receiver) {
            lines.clear(now, &mut self.ends);
        }
        self.relist(&receiver);
        self.disabled.insert(receiver);
    }

    pub(super) fn enable(&mut self, receiver: &Receiver) {
        self.disabled.remove(receiver);
    }

    /// Receivers that nothing is sent to.
    pub(super) fn disabled(&self) -> Vec<(AccountSid, Arc<str>)> {
        self.disabled.iter().map(|receiver| (receiver.account, receiver.url.clone())).collect()
    }

    /// When something is to be done next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.wake.first().map(|(at, _)| *at)
    }

    /// What ended since the last time.
    pub(super) fn ended(&mut self) -> Vec<End> {
        std::mem::take(&mut self.ends)
    }

    /// Receivers whose backlog should be read now, with how much.
    pub(super) fn thirsty(&mut self) -> Vec<(Receiver, usize)> {
        let config = &self.config;
        let thirsty = self.receivers.iter_mut().filter_map(|(receiver, lines)| {
            let room = lines.room(config);
            lines.refilling |= room > 0;
            (room > 0).then(|| (receiver.clone(), room))
        });
        thirsty.collect()
    }

    /// What the backlog gave.
    pub(super) fn refill(&mut self, receiver: &Receiver, notices: Vec<Notice>, now: Instant) {
        if let Some(lines) = self.receivers.get_mut(receiver) {
            lines.refill(notices, now, &self.config);
        }
        self.relist(receiver);
    }

    /// Events in memory, and events that wait in the backlog.
    pub(super) fn size(&self) -> (usize, usize) {
        self.receivers
            .values()
            .fold((0, 0), |(held, spilled), lines| (held + lines.held(), spilled + lines.spilled))
    }

    /// When the oldest event in memory happened.
    pub(super) fn oldest(&self) -> Option<SystemTime> {
        self.receivers.values().filter_map(Lines::oldest).min()
    }

    fn relist(&mut self, receiver: &Receiver) {
        let wake = match self.receivers.get(receiver) {
            Some(lines) if lines.is_empty() => {
                self.receivers.remove(receiver);
                None
            }
            Some(lines) => lines.wake(&self.config),
            None => None,
        };
        if !self.receivers.contains_key(receiver) {
            if let Some((id, listed)) = self.listed.remove(receiver) {
                self.names.remove(&id);
                listed.map(|at| self.wake.remove(&(at, id)));
            }
            return;
        }
        let (id, listed) = self.listed.entry(receiver.clone()).or_insert_with(|| {
            self.next_id += 1;
            self.names.insert(self.next_id, receiver.clone());
            (self.next_id, None)
        });
        if *listed == wake {
            return;
        }
        if let Some(at) = listed.take() {
            self.wake.remove(&(at, *id));
        }
        if let Some(at) = wake {
            self.wake.insert((at, *id));
        }
        *listed = wake;
    }
}
