//! One event for one receiver.

use std::sync::Arc;
use std::time::SystemTime;

use crate::call::facts::CallFacts;
use crate::call::outcome::Terminal;
use crate::call::record::{Change, Event, Record};
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
    /// The end, with a terminal event.
    pub terminal: Option<Terminal>,
    /// Tries made before this process took it over.
    pub tries: u32,
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
        let event = record.event?;
        facts.profile.status_callback.as_ref()?;
        let terminal = match &record.change {
            Change::Ended(terminal) => Some(*terminal),
            _ => None,
        };
        let facts = facts.clone();
        Some(Self { facts, seq: record.seq, event, at, started, outbound, terminal, tries: 0 })
    }

    /// Whose.
    #[must_use]
    pub fn call(&self) -> CallSid {
        self.facts.call
    }

    /// Where it goes, as stored.
    pub(super) fn hook(&self) -> Option<&Hook> {
        self.facts.profile.status_callback.as_ref()
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
