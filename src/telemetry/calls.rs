//! The live calls of this node and their traces, by CallSid and by Call-ID.
//!
//! Shards write, the API reads. A call that ended, or was refused before it was admitted, stays
//! among the last [`RECENT`] so that its trace can still be read while the store lags.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dashmap::DashMap;

use crate::call::facts::CallFacts;
use crate::call::outcome::{CallStatus, Terminal};
use crate::call::trace::TraceItem;
use crate::ids::CallSid;
use crate::time::Instant;

use super::Messages;
use super::lines::Lines;

/// Calls kept after their end.
pub const RECENT: usize = 1_000;

/// Ended calls whose trace waits to be taken; the trace of what ends beyond is not kept.
const FINISHED: usize = 50_000;

/// Lines kept of one call's trace; what follows is counted only.
pub const LINES_PER_CALL: usize = 200;

/// The first line of the trace of a call that an earlier process had.
pub const RECOVERED: &str = "recovered";

type Map<K, V> = DashMap<K, V, foldhash::fast::RandomState>;

/// The calls of this node. No guard into it leaves this file.
#[derive(Debug)]
pub struct Calls {
    /// Entries stand apart: a map has up to twice the room it needs.
    by_sid: Map<CallSid, Box<Entry>>,
    by_call_id: Map<Arc<str>, CallSid>,
    recent: Mutex<VecDeque<CallSid>>,
    finished: Mutex<Finished>,
    /// MESSAGEs outside calls.
    pub messages: Messages,
    origin: SystemTime,
}

/// How one call stands.
#[derive(Clone, Debug)]
pub struct CallView {
    /// Its identity.
    pub sid: CallSid,
    /// Its constants; `None` when it was refused before it was admitted.
    pub facts: Option<Arc<CallFacts>>,
    /// The shard that owns it.
    pub shard: u16,
    /// `CallStatus`; `None` when it was never admitted.
    pub status: Option<CallStatus>,
    /// When it was answered.
    pub answered: Option<Instant>,
    /// How it ended; `None` while it lives.
    pub ended: Option<Terminal>,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// When, on the engine's scale; [`Calls::wall`] says what the clock showed.
    pub at: Instant,
    /// What.
    pub item: TraceItem,
}

/// A call's trace as far as this node has it in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// In the order they were seen.
    pub lines: Vec<TraceLine>,
    /// How many more there were than fit.
    pub omitted: u32,
}

#[derive(Debug)]
struct Entry {
    view: CallView,
    lines: Lines,
    /// How many more there were than fit.
    omitted: u32,
    /// An INVITE left toward a target.
    invited: bool,
    /// How often the call stands in `recent` and `finished`.
    queued: u8,
}

/// Calls that ended since their traces were last taken, and those that had ended before.
#[derive(Debug, Default)]
struct Finished {
    old: Vec<CallSid>,
    new: Vec<CallSid>,
}

impl Calls {
    /// No calls. `origin` is what the wall clock showed at [`Instant::ZERO`] of the engines' scale.
    #[must_use]
    pub fn new(origin: SystemTime) -> Self {
        Self {
            by_sid: Map::default(),
            by_call_id: Map::default(),
            recent: Mutex::default(),
            finished: Mutex::default(),
            messages: Messages::default(),
            origin,
        }
    }

    /// What the wall clock showed at `at`.
    #[must_use]
    pub fn wall(&self, at: Instant) -> SystemTime {
        self.origin + Duration::from_nanos(at.as_nanos())
    }

    /// A call was admitted.
    pub fn begin(&self, facts: &Arc<CallFacts>, shard: u16) {
        self.by_call_id.insert(facts.sip_call_id.clone(), facts.call);
        let mut entry = self.by_sid.entry(facts.call).or_insert_with(|| Box::new(Entry::new(facts.call)));
        entry.view.facts = Some(facts.clone());
        entry.view.shard = shard;
        entry.view.status = Some(CallStatus::Ringing);
    }

    /// Our 2xx to the caller left.
    pub fn answered(&self, call: CallSid, at: Instant) {
        if let Some(mut entry) = self.by_sid.get_mut(&call) {
            entry.view.status = Some(CallStatus::InProgress);
            entry.view.answered = Some(at);
        }
    }

    /// An INVITE left toward a target: with the first one, how long after the call's begin.
    pub fn invited(&self, call: CallSid, at: Instant) -> Option<Duration> {
        let mut entry = self.by_sid.get_mut(&call)?;
        let first = !std::mem::replace(&mut entry.invited, true);
        entry.view.facts.as_ref().filter(|_| first).map(|facts| at.since(facts.started))
    }

    /// A call ended. Its trace may still grow by what trails in.
    pub fn end(&self, call: CallSid, terminal: Terminal) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = finished.new.len() < FINISHED;
        if let Some(mut entry) = self.by_sid.get_mut(&call) {
            entry.view.status = Some(terminal.status);
            entry.view.ended = Some(terminal);
            entry.queued += 1 + u8::from(kept);
        } else {
            return;
        }
        if kept {
            finished.new.push(call);
        }
        drop(finished);
        self.remember(call);
    }

    /// The traces of the calls that had ended when this was last asked: what trails in after an end
    /// is in them. Each trace is given once.
    #[must_use]
    pub fn finished(&self) -> Vec<(CallSid, Trace)> {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let new = std::mem::take(&mut finished.new);
        let old = std::mem::replace(&mut finished.old, new);
        drop(finished);
        let give = |call: CallSid| {
            let trace = self.trace_of(call);
            self.forget(call);
            trace.map(|trace| (call, trace))
        };
        old.into_iter().filter_map(give).collect()
    }

    /// One line of a call's trace, or of a message's. Lines of a call that was not admitted (yet) are kept as well.
    pub fn trace(&self, call: CallSid, at: Instant, item: TraceItem) {
        if let Some(mut entry) = self.by_sid.get_mut(&call) {
            return entry.push(at, &item);
        }
        if self.messages.trace(call, at, &item) {
            return;
        }
        let mut entry = Box::new(Entry::new(call));
        entry.queued = 1;
        entry.push(at, &item);
        self.by_sid.insert(call, entry);
        self.remember(call);
    }

    /// How the call stands, while this node remembers it.
    #[must_use]
    pub fn get(&self, call: CallSid) -> Option<CallView> {
        self.by_sid.get(&call).map(|entry| entry.view.clone())
    }

    /// A call's constants, while this node remembers it and where it was admitted.
    #[must_use]
    pub fn facts(&self, call: CallSid) -> Option<Arc<CallFacts>> {
        self.by_sid.get(&call).and_then(|entry| entry.view.facts.clone())
    }

    /// The call with this Call-ID toward the trunk, while this node remembers it.
    #[must_use]
    pub fn find_call_id(&self, call_id: &str) -> Option<CallSid> {
        self.by_call_id.get(call_id).map(|sid| *sid)
    }

    /// Its trace, while this node remembers it.
    #[must_use]
    pub fn trace_of(&self, call: CallSid) -> Option<Trace> {
        self.by_sid.get(&call).map(|entry| entry.trace())
    }

    /// The live calls, oldest first, at most `limit` of them.
    #[must_use]
    pub fn live(&self, limit: usize) -> Vec<CallView> {
        let mut views: Vec<CallView> =
            self.by_sid.iter().filter(|entry| entry.view.is_live()).map(|entry| entry.view.clone()).collect();
        views.sort_by_key(|view| (view.facts.as_ref().map(|facts| facts.started), view.sid));
        views.truncate(limit);
        views
    }

    /// How many calls live.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_sid.iter().filter(|entry| entry.view.is_live()).count()
    }

    /// Puts a call among the recent ones; the oldest of them goes when there are too many.
    fn remember(&self, call: CallSid) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(call);
        let gone = if recent.len() > RECENT { recent.pop_front() } else { None };
        drop(recent);
        if let Some(gone) = gone {
            self.forget(gone);
        }
    }

    fn forget(&self, call: CallSid) {
        let over = self.by_sid.remove_if_mut(&call, |_, entry| {
            entry.queued = entry.queued.saturating_sub(1);
            entry.queued == 0 && !entry.view.is_live()
        });
        if let Some(facts) = over.and_then(|(_, entry)| entry.view.facts) {
            self.by_call_id.remove_if(&facts.sip_call_id, |_, sid| *sid == call);
        }
    }
}

impl CallView {
    /// Whether it was admitted and has not ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.facts.is_some() && self.ended.is_none()
    }
}

impl TraceLine {
    /// The line in words, whole: numbers in it are redacted where it is printed.
    #[must_use]
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl std::fmt::Display for TraceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.item {
            TraceItem::Message { leg, inbound, start, cseq, repeat } => {
                match (leg, inbound) {
                    (None, true) => f.write_str("caller  ->         ")?,
                    (None, false) => f.write_str("caller  <-         ")?,
                    (Some(leg), true) => write!(f, "        <- target  {leg} ")?,
                    (Some(leg), false) => write!(f, "        -> target  {leg} ")?,
                }
                match repeat {
                    0 => write!(f, "{start} ({cseq})"),
                    _ => write!(f, "{start} ({cseq}, repeat {repeat})"),
                }
            }
            TraceItem::Routed(how) => write!(f, "routed: {how}"),
            TraceItem::Asked(ask, what) => write!(f, "asked [{}]: {what}", ask.0),
            TraceItem::Answered(ask, what) => write!(f, "answered [{}]: {what}", ask.0),
            TraceItem::Refused(reason, code) => write!(f, "refused {code} {reason}: {}", reason.sentence()),
            TraceItem::Note(note) => f.write_str(note),
            TraceItem::Recovered => f.write_str(RECOVERED),
        }
    }
}

impl Entry {
    fn new(sid: CallSid) -> Self {
        let view = CallView { sid, facts: None, shard: 0, status: None, answered: None, ended: None };
        Self { view, lines: Lines::default(), omitted: 0, invited: false, queued: 0 }
    }

    fn trace(&self) -> Trace {
        Trace { lines: self.lines.unpack(), omitted: self.omitted }
    }

    fn push(&mut self, at: Instant, item: &TraceItem) {
        if self.lines.len() < LINES_PER_CALL {
            self.lines.push(at, item);
        } else {
            self.omitted += 1;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::reason::Reason;

    pub(in crate::telemetry) fn facts(call: u128) -> Arc<CallFacts> {
        Arc::new(CallFacts {
            number_text: "1234".into(),
            base_url: "https://example.org".into(),
            from: "1".into(),
            to: "1234".into(),
            sip_call_id: format!("{call}@host").into(),
            started: Instant::from_millis(call as u64),
            ..CallFacts::plain(CallSid(call))
        })
    }

    fn terminal() -> Terminal {
        Terminal {
            status: CallStatus::Completed,
            sip_code: 200,
            reason: Reason::Completed,
            source: crate::call::outcome::HangupSource::Caller,
            duration: Duration::ZERO,
        }
    }

    fn note() -> TraceItem {
        TraceItem::Note("a remark".into())
    }

    #[test]
    fn a_live_call_is_found_by_both_names_and_keeps_what_came_before_its_admission() {
        let calls = Calls::new(SystemTime::UNIX_EPOCH);
        calls.trace(CallSid(7), Instant::ZERO, note());
        calls.begin(&facts(7), 2);
        calls.answered(CallSid(7), Instant::from_millis(9));
        assert_eq!(calls.find_call_id("7@host"), Some(CallSid(7)));
        let view = calls.get(CallSid(7)).unwrap();
        assert_eq!((view.shard, view.status), (2, Some(CallStatus::InProgress)));
        assert_eq!(calls.invited(CallSid(7), Instant::from_millis(11)), Some(Duration::from_millis(4)));
        assert_eq!(calls.invited(CallSid(7), Instant::from_millis(12)), None, "only the first counts");
        assert_eq!(calls.trace_of(CallSid(7)).unwrap().lines.len(), 1);
        assert_eq!(calls.count(), 1);
    }

    #[test]
    fn what_is_over_is_forgotten_in_the_end_and_what_lives_never() {
        let calls = Calls::new(SystemTime::UNIX_EPOCH);
        calls.trace(CallSid(1), Instant::ZERO, note());
        calls.begin(&facts(1), 0);
        for call in 2..(RECENT as u128 + 10) {
            calls.begin(&facts(call), 0);
            calls.end(CallSid(call), terminal());
        }
        assert!(calls.get(CallSid(1)).is_some(), "still alive");
        assert!(calls.get(CallSid(2)).is_some(), "its trace was not taken yet");
        assert_eq!((calls.finished().len(), calls.finished().len()), (0, RECENT + 8));
        assert!(calls.get(CallSid(2)).is_none() && calls.find_call_id("2@host").is_none());
        assert_eq!(calls.count(), 1);
        calls.end(CallSid(1), terminal());
        for call in 0..=RECENT as u128 {
            calls.trace(CallSid(1 << 64 | call), Instant::ZERO, note());
        }
        let traces = [calls.finished(), calls.finished()].concat();
        assert_eq!(
            traces.iter().map(|(call, trace)| (*call, trace.lines.len())).collect::<Vec<_>>(),
            [(CallSid(1), 1)]
        );
        assert!(calls.by_sid.len() <= RECENT && calls.by_call_id.is_empty());
    }

    #[test]
    fn a_trace_has_an_end() {
        let calls = Calls::new(SystemTime::UNIX_EPOCH);
        for _ in 0..LINES_PER_CALL + 5 {
            calls.trace(CallSid(1), Instant::ZERO, note());
        }
        assert_eq!(calls.trace_of(CallSid(1)).unwrap().omitted, 5);
    }
}
