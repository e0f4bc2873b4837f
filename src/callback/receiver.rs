//! One receiver: its calls, what of them is due, how many requests at once it gets.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::config::Config;
use super::line::{Line, Next};
use super::notice::Notice;
use super::outcomes::Dead;
use crate::ids::CallSid;
use crate::time::Instant;

/// After so many questions without anything new, nothing waits in the backlog any more.
const DRY: u32 = 60;

/// What came of one try, as far as planning goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Result {
    /// 2xx.
    Taken,
    /// Anything else; true: nobody answered at all.
    Failed { outage: bool, retry_after: Option<Duration> },
    /// 410.
    Gone,
    /// The stored URL is no URL.
    Unsendable,
}

/// What a delivery that was given up ended as, for the report.
#[derive(Clone, Debug)]
pub(super) enum End {
    Superseded(Arc<Notice>),
    Dead(Arc<Notice>, Dead),
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    calls: HashMap<CallSid, Line, foldhash::fast::RandomState>,
    /// Heads that are not in flight, by when they are due.
    due: BTreeSet<(Instant, CallSid)>,
    /// Calls whose earlier events are given up at a moment.
    closing: BTreeSet<(Instant, CallSid)>,
    tally: Tally,
    in_flight: usize,
    failures: u32,
    paused: Instant,
    /// Events that had no room and wait in the backlog.
    pub(super) spilled: usize,
    /// The backlog is being asked.
    pub(super) refilling: bool,
    /// How often in a row it gave nothing new.
    dry: u32,
}

/// How many events are held, and, while the backlog is read, which ended lately: it may not know yet
/// and give them again.
#[derive(Debug, Default)]
struct Tally {
    held: usize,
    remember: usize,
    ended: HashSet<(CallSid, u32), foldhash::fast::RandomState>,
    order: VecDeque<(CallSid, u32)>,
}

impl Tally {
    fn pop(&mut self, line: &mut Line, now: Instant) -> Option<Arc<Notice>> {
        let notice = line.pop(now)?;
        self.held -= 1;
        if self.remember > 0 {
            let key = (notice.line(), notice.event.sequence);
            if self.ended.insert(key) {
                self.order.push_back(key);
            }
            if self.order.len() > self.remember {
                self.order.pop_front().map(|oldest| self.ended.remove(&oldest));
            }
        }
        Some(notice)
    }
}

impl Lines {
    /// Takes a notice, unless there is no room: then it stays in the backlog, and so does all that
    /// follows until the backlog is read, so that no call's events overtake each other.
    pub(super) fn push(&mut self, notice: Arc<Notice>, now: Instant, config: &Config) {
        if self.spilled > 0 || self.tally.held >= config.in_memory {
            self.spilled += 1;
            self.tally.remember = config.in_memory * 4;
            return;
        }
        self.insert(notice, now, config);
    }

    /// Takes what the backlog gave, as far as there is room.
    pub(super) fn refill(&mut self, notices: Vec<Notice>, now: Instant, config: &Config) {
        self.refilling = false;
        self.dry += 1;
        for notice in notices {
            if self.tally.held >= config.in_memory {
                break;
            }
            if self.tally.ended.contains(&(notice.line(), notice.event.sequence)) {
                continue;
            }
            if self.insert(Arc::new(notice), now, config) {
                self.dry = 0;
                self.spilled = self.spilled.saturating_sub(1);
            }
        }
        // The count is only a hint (an event may come twice in a replay); the backlog is the truth.
        if self.dry >= DRY {
            (self.dry, self.spilled) = (0, 0);
        }
        if self.spilled == 0 {
            self.tally = Tally { held: self.tally.held, ..Tally::default() };
        }
    }

    /// How many the backlog should give now; 0: nothing waits there, or there is no room yet.
    pub(super) fn room(&self, config: &Config) -> usize {
        let due = self.spilled > 0 && !self.refilling && self.tally.held * 2 <= config.in_memory;
        if due { config.in_memory } else { 0 }
    }

    /// When the oldest event that is held happened.
    pub(super) fn oldest(&self) -> Option<SystemTime> {
        self.calls.values().filter_map(|line| Some(line.first()?.at)).min()
    }

    fn insert(&mut self, notice: Arc<Notice>, now: Instant, config: &Config) -> bool {
        let call = notice.line();
        let line = self.calls.entry(call).or_default();
        Self::unlist(&mut self.due, &mut self.closing, call, line);
        let new = line.insert(notice, now, config);
        self.tally.held += usize::from(new);
        Self::list(&mut self.due, &mut self.closing, call, line);
        new
    }

    /// The next try that may begin now.
    pub(super) fn start(&mut self, now: Instant, config: &Config) -> Option<(Arc<Notice>, u32)> {
        if now < self.paused || self.in_flight >= self.lanes(config) {
            return None;
        }
        let (_, call) = *self.due.first().filter(|(due, _)| *due <= now)?;
        let line = self.calls.get_mut(&call)?;
        Self::unlist(&mut self.due, &mut self.closing, call, line);
        line.in_flight = true;
        self.in_flight += 1;
        Self::list(&mut self.due, &mut self.closing, call, line);
        line.first().map(|notice| (notice.clone(), line.number()))
    }

    /// A few lanes, more as more is waiting; one while nobody answers.
    fn lanes(&self, config: &Config) -> usize {
        if self.failures >= config.failing_after {
            return 1;
        }
        (self.calls.len() / 8).clamp(config.lanes.0, config.lanes.1)
    }

    /// Plans on after a try; says when the next comes, and adds what ended to `ends`.
    pub(super) fn finish(
        &mut self,
        call: CallSid,
        result: Result,
        jitter: f64,
        now: Instant,
        config: &Config,
        ends: &mut Vec<End>,
    ) -> Option<Duration> {
        let line = self.calls.get_mut(&call)?;
        Self::unlist(&mut self.due, &mut self.closing, call, line);
        line.in_flight = false;
        self.in_flight -= 1;
        let mut wait = None;
        match result {
            Result::Taken => {
                self.failures = 0;
                self.tally.pop(line, now);
            }
            Result::Unsendable => {
                ends.extend(self.tally.pop(line, now).map(|notice| End::Dead(notice, Dead::UrlInvalid)));
            }
            Result::Failed { outage, retry_after } => {
                self.failures = if outage { self.failures.saturating_add(1) } else { 0 };
                let asked = retry_after.map(|after| after.min(config.retry_after));
                if let Some(asked) = asked {
                    self.paused = self.paused.max(now + asked);
                }
                match line.failed(now, jitter, config) {
                    Next::Again(planned) => {
                        let planned = planned.max(asked.unwrap_or_default());
                        line.due = now + planned;
                        wait = Some(planned);
                    }
                    Next::Superseded => {
                        ends.extend(self.tally.pop(line, now).map(End::Superseded));
                    }
                    Next::Exhausted => {
                        ends.extend(
                            self.tally.pop(line, now).map(|notice| End::Dead(notice, Dead::Exhausted)),
                        );
                    }
                }
            }
            Result::Gone => {}
        }
        if line.len() == 0 {
            self.calls.remove(&call);
        } else {
            Self::list(&mut self.due, &mut self.closing, call, line);
        }
        wait
    }

    /// Gives up what has held up a terminal event for too long.
    pub(super) fn expire(&mut self, now: Instant, ends: &mut Vec<End>) {
        while let Some((_, call)) = self.closing.first().copied().filter(|(at, _)| *at <= now) {
            let Some(line) = self.calls.get_mut(&call) else { return };
            Self::unlist(&mut self.due, &mut self.closing, call, line);
            while line.first().is_some_and(|notice| !notice.event.status.is_terminal()) {
                ends.extend(self.tally.pop(line, now).map(End::Superseded));
            }
            line.closing = None;
            Self::list(&mut self.due, &mut self.closing, call, line);
        }
    }

    /// Gives up everything that is not in flight: the receiver wants no more.
    pub(super) fn clear(&mut self, now: Instant, ends: &mut Vec<End>) {
        let calls: Vec<_> = self.calls.keys().copied().collect();
        for call in calls {
            let Some(line) = self.calls.get_mut(&call) else { continue };
            if line.in_flight {
                continue;
            }
            Self::unlist(&mut self.due, &mut self.closing, call, line);
            while let Some(notice) = self.tally.pop(line, now) {
                ends.push(End::Dead(notice, Dead::Disabled));
            }
            self.calls.remove(&call);
        }
        self.spilled = 0;
    }

    /// When something is to be done next.
    pub(super) fn wake(&self, config: &Config) -> Option<Instant> {
        let room = self.in_flight < self.lanes(config);
        let due = self.due.first().filter(|_| room).map(|(due, _)| (*due).max(self.paused));
        let closing = self.closing.first().map(|(at, _)| *at);
        due.into_iter().chain(closing).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.spilled == 0
    }

    pub(super) fn held(&self) -> usize {
        self.tally.held
    }

    fn unlist(
        due: &mut BTreeSet<(Instant, CallSid)>,
        closing: &mut BTreeSet<(Instant, CallSid)>,
        call: CallSid,
        line: &Line,
    ) {
        due.remove(&(line.due, call));
        if let Some(at) = line.closing {
            closing.remove(&(at, call));
        }
    }

    /// A call in flight is listed nowhere: its try says how it goes on.
    fn list(
        due: &mut BTreeSet<(Instant, CallSid)>,
        closing: &mut BTreeSet<(Instant, CallSid)>,
        call: CallSid,
        line: &Line,
    ) {
        if line.in_flight || line.len() == 0 {
            return;
        }
        due.insert((line.due, call));
        if let Some(at) = line.closing {
            closing.insert((at, call));
        }
    }
}
