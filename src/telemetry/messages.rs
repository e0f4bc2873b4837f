//! The latest messages of this node and their traces, by SmsSid and by Call-ID: in memory only, as a
//! MESSAGE is its sender's until it was accepted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;

use crate::call::facts::CallFacts;
use crate::call::messages::{MessageStep, ReplyEnd};
use crate::call::trace::TraceItem;
use crate::ids::CallSid;
use crate::reason::Reason;
use crate::time::Instant;

use super::calls::{LINES_PER_CALL, Trace, TraceLine};

/// Messages remembered; the oldest goes when there are more.
pub const MOST: usize = 1_000;

/// The messages. Shards write, the API reads. No guard into it leaves this file.
#[derive(Debug, Default)]
pub struct Messages {
    by_sid: DashMap<CallSid, MessageView, foldhash::fast::RandomState>,
    /// In the order they came.
    order: Mutex<VecDeque<CallSid>>,
}

/// How one message stands.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// Its constants; `facts.call` is its identity.
    pub facts: Arc<CallFacts>,
    /// What its sender heard; `None` while the application is asked.
    pub code: Option<u16>,
    /// Why it was refused.
    pub reason: Option<Reason>,
    /// When its sender was answered.
    pub answered: Option<Instant>,
    /// MESSAGEs of the application's document that left.
    pub sent: usize,
    /// How those that are over ended.
    pub ends: Vec<ReplyEnd>,
    /// Its trace.
    pub trace: Trace,
}

impl MessageView {
    /// `asking`, `accepted` or `failed`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.code {
            None => "asking",
            Some(200..=299) => "accepted",
            Some(_) => "failed",
        }
    }
}

impl Messages {
    /// The next step of the message `sid`.
    pub fn note(&self, sid: CallSid, at: Instant, step: &MessageStep) {
        if let MessageStep::Admitted(facts) = step {
            self.remember(sid, facts);
        }
        let Some(mut view) = self.by_sid.get_mut(&sid) else { return };
        match step {
            MessageStep::Admitted(_) => {}
            MessageStep::Answered(code, reason) => {
                (view.code, view.reason, view.answered) = (Some(*code), *reason, Some(at));
            }
            MessageStep::Sent => view.sent += 1,
            MessageStep::Reply(end) => view.ends.push(*end),
        }
    }

    /// One line of a message's trace; false: it is none of ours.
    pub fn trace(&self, sid: CallSid, at: Instant, item: &TraceItem) -> bool {
        let Some(mut view) = self.by_sid.get_mut(&sid) else { return false };
        if view.trace.lines.len() < LINES_PER_CALL {
            view.trace.lines.push(TraceLine { at, item: item.clone() });
        } else {
            view.trace.omitted += 1;
        }
        true
    }

    /// The latest `limit` of them, the newest first.
    #[must_use]
    pub fn list(&self, limit: usize) -> Vec<MessageView> {
        let latest: Vec<CallSid> = self.locked().iter().rev().take(limit).copied().collect();
        latest.iter().filter_map(|sid| self.by_sid.get(sid).map(|view| view.clone())).collect()
    }

    /// The one with this sid, while it is remembered.
    #[must_use]
    pub fn get(&self, sid: CallSid) -> Option<MessageView> {
        self.by_sid.get(&sid).map(|view| view.clone())
    }

    /// The one with this SmsSid or Call-ID; of several with one Call-ID the newest.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<MessageView> {
        if let Some(sid) = id.strip_prefix("SM").and_then(|hex| u128::from_str_radix(hex, 16).ok()) {
            return self.get(CallSid(sid));
        }
        self.list(MOST).into_iter().find(|view| *view.facts.sip_call_id == *id)
    }

    fn remember(&self, sid: CallSid, facts: &Arc<CallFacts>) {
        self.by_sid.insert(sid, MessageView::new(facts.clone()));
        let mut order = self.locked();
        order.push_back(sid);
        let gone = if order.len() > MOST { order.pop_front() } else { None };
        drop(order);
        if let Some(gone) = gone {
            self.by_sid.remove(&gone);
        }
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<CallSid>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MessageView {
    fn new(facts: Arc<CallFacts>) -> Self {
        let (trace, ends) = (Trace::default(), Vec::new());
        Self { facts, code: None, reason: None, answered: None, sent: 0, ends, trace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::calls::tests::facts;

    #[test]
    fn a_message_is_followed_to_its_last_reply_and_forgotten_as_the_oldest() {
        let messages = Messages::default();
        let at = Instant::from_millis(5);
        for call in 1..=MOST as u128 {
            messages.note(CallSid(call), at, &MessageStep::Admitted(facts(call)));
        }
        let first = CallSid(1);
        assert!(messages.trace(first, at, &TraceItem::Note("a remark".into())));
        for step in
            [MessageStep::Answered(202, None), MessageStep::Sent, MessageStep::Reply(ReplyEnd::Answered(486))]
        {
            messages.note(first, at, &step);
        }
        let view = messages.find(&format!("SM{:032x}", 1)).expect("remembered");
        assert_eq!((view.status(), view.sent, view.trace.lines.len()), ("accepted", 1, 1));
        assert_eq!(view.ends[0].as_str(), "refused");
        assert_eq!(messages.find("1@host").map(|view| view.facts.call), Some(first));
        messages.note(CallSid(7_000), at, &MessageStep::Admitted(facts(7_000)));
        assert!(messages.find("1@host").is_none(), "the oldest went");
        assert!(!messages.trace(first, at, &TraceItem::Note("late".into())));
        let newest: Vec<_> = messages.list(2).iter().map(|view| view.facts.call.0).collect();
        assert_eq!(newest, [7_000, MOST as u128]);
    }
}
