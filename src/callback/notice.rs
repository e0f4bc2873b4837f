//! One event for one receiver.

use std::sync::Arc;
use std::time::SystemTime;

use crate::call::facts::CallFacts;
use crate::call::outcome::Terminal;
use crate::call::record::{Change, Event, LegEvent, Record};
use crate::ids::{AccountSid, CallSid};
use crate::routing::model::Hook;

/// A journal record's event with all that its request needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The call's constants, the receiver's URL among them.
    pub facts: Arc<CallFacts>,
    /// The record's number within the call.
    pub seq: u32,
    /// What is told.
    pub event: Event,
    /// The record's wall time: `Timestamp`.
    pub at: SystemTime,
    /// When the call began: `CallTimestamp`.
    pub started: SystemTime,
    /// The last B leg so far: `OutboundCallSid`.
    pub outbound: Option<CallSid>,
    /// The leg, where it is a leg's event and goes to its noun's callback.
    pub leg: Option<Box<LegEvent>>,
    /// The end, with a terminal event.
    pub terminal: Option<Terminal>,
    /// Tries made before this process took it over.
    pub tries: u32,
    /// Its parameters as a form, where somebody has made that already.
    pub form: Option<Arc<str>>,
}

impl Notice {
    /// The notice of a written record; `None` when the record has no event or the call has nobody
    /// to tell.
    #[must_use]
    pub fn of(
        record: &Record,
        facts: &Arc<CallFacts>,
        at: SystemTime,
        started: SystemTime,
        outbound: Option<CallSid>,
    ) -> Option<Self> {
        let leg = record.leg_event();
        let event = match leg {
            Some(leg) => Event { sequence: leg.sequence(), status: leg.status },
            None => record.event.filter(|_| facts.profile.status_callback.is_some())?,
        };
        let terminal = match &record.change {
            Change::Ended(terminal) => Some(*terminal),
            _ => None,
        };
        let (facts, leg) = (facts.clone(), leg.cloned().map(Box::new));
        Some(Self {
            facts,
            seq: record.seq,
            event,
            at,
            started,
            outbound,
            leg,
            terminal,
            tries: 0,
            form: None,
        })
    }

    /// Whose.
    #[must_use]
    pub fn call(&self) -> CallSid {
        self.facts.call
    }

    /// The leg it tells of, where it is one's.
    #[must_use]
    pub fn leg(&self) -> Option<CallSid> {
        self.leg.as_ref().map(|event| event.leg.leg)
    }

    /// Whose events stay in order: a leg's, else the call's.
    pub(super) fn line(&self) -> CallSid {
        self.leg().unwrap_or_else(|| self.call())
    }

    /// Where it goes, as stored.
    #[must_use]
    pub fn hook(&self) -> Option<&Hook> {
        match &self.leg {
            Some(event) => Some(&event.leg.callback.hook),
            None => self.facts.profile.status_callback.as_ref(),
        }
    }

    pub(super) fn receiver(&self) -> Option<Receiver> {
        self.hook().map(|hook| Receiver { account: self.facts.account, url: hook.url.clone() })
    }
}

/// Who is told: one URL of one account, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Receiver {
    pub(super) account: AccountSid,
    pub(super) url: Arc<str>,
}
