//! The projection's tables, column by column.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::call::outcome::CallStatus;
use crate::ids::{AccountSid, CallSid, InstanceSid, NumberSid, OrganizationSid, TrunkSid};
use crate::reason::Reason;
use crate::routing::model::Method;
use crate::store::calls::deliveries::DeliveryState;
use crate::store::table::table;

table! {
    /// A call as its newest projected record left it.
    CallRow in "calls" {
        /// Identity.
        1 id: CallSid,
        /// The `seq` of the newest record in it: an older one changes nothing.
        2 sequence: u32,
        /// The node that had the call.
        3 node: InstanceSid,
        /// Owner of the number.
        4 account_id: AccountSid,
        /// The organization it was dialled in.
        5 organization_id: OrganizationSid,
        /// The number, where one was found.
        6 number_id: Option<NumberSid>,
        /// The number's own text.
        7 number: Arc<str>,
        /// The trunk, where one matched.
        8 trunk_id: Option<TrunkSid>,
        /// `From`.
        9 caller: Arc<str>,
        /// `To`.
        10 called: Arc<str>,
        /// The display name.
        11 caller_name: Arc<str>,
        /// `ForwardedFrom`.
        12 forwarded_from: Arc<str>,
        /// The A leg's Call-ID.
        13 sip_call_id: Arc<str>,
        /// Where the INVITE came from.
        14 sip_source: IpAddr,
        /// The directory's generation that decided.
        15 generation: u64,
        /// How it stands.
        16 status: CallStatus,
        /// When the INVITE came.
        17 started_at: Timestamp,
        /// When our 2xx left.
        18 answered_at: Option<Timestamp>,
        /// When it was over.
        19 ended_at: Option<Timestamp>,
        /// From answer to BYE.
        20 duration_ms: u64,
        /// The final response.
        21 sip_code: Option<u16>,
        /// Why it ended.
        22 reason: Option<Reason>,
        /// Who ended it.
        23 hangup_source: Option<String>,
    }
}

table! {
    /// A target's leg as its newest projected record left it.
    LegRow in "legs" {
        /// Identity.
        1 id: CallSid,
        /// The `seq` of the newest record in it: an older one changes nothing.
        2 sequence: u32,
        /// The call.
        3 call_id: CallSid,
        /// The call's account.
        4 account_id: AccountSid,
        /// The caller id that the target was shown.
        5 caller: Arc<str>,
        /// The noun's text.
        6 called: Arc<str>,
        /// How it stands.
        7 status: CallStatus,
        /// When the INVITE left.
        8 started_at: Timestamp,
        /// When its 2xx came.
        9 answered_at: Option<Timestamp>,
        /// When it was over.
        10 ended_at: Option<Timestamp>,
        /// From answer to BYE.
        11 duration_ms: u64,
        /// The final response, or what stood for it.
        12 sip_code: Option<u16>,
    }
}

table! {
    /// A call or a leg, as the list of both shows it: a view, never written.
    CallLegRow in "call_legs" {
        /// Identity.
        1 id: CallSid,
        /// The call, where this is a leg of one.
        2 call_id: Option<CallSid>,
        /// Whose.
        3 account_id: AccountSid,
        /// The number, where one was found.
        4 number_id: Option<NumberSid>,
        /// `From`.
        5 caller: String,
        /// `To`.
        6 called: String,
        /// The display name.
        7 caller_name: String,
        /// `ForwardedFrom`.
        8 forwarded_from: String,
        /// How it stands.
        9 status: CallStatus,
        /// When its INVITE came or left.
        10 started_at: Timestamp,
        /// When it was answered.
        11 answered_at: Option<Timestamp>,
        /// When it was over.
        12 ended_at: Option<Timestamp>,
        /// From answer to BYE.
        13 duration_ms: u64,
        /// The final response.
        14 sip_code: Option<u16>,
        /// Why it ended.
        15 reason: Option<Reason>,
        /// Who ended it.
        16 hangup_source: Option<String>,
    }
}

table! {
    /// A stretch of a call's journal records, in words: as many as one batch of the projection had of it.
    EventRow in "events" {
        /// Whose.
        1 call_id: CallSid,
        /// The `seq` of its first record.
        2 sequence: u32,
        /// When that was.
        3 at: Timestamp,
        /// A line for each: the seconds since `at`, the kind of change (`admitted`, `ringing`, …) and its
        /// particulars.
        4 text: String,
    }
}

table! {
    /// A stretch of a call's trace.
    TraceRow in "trace" {
        /// Whose.
        1 call_id: CallSid,
        /// Counts per call.
        2 line: u32,
        /// When its first line was.
        3 at: Timestamp,
        /// Its lines, each begun by the seconds since `at`; whole: numbers are redacted where they
        /// are printed.
        4 text: Arc<str>,
    }
}

impl EventRow {
    /// A stretch that begins with the record `sequence`, and has no lines yet.
    #[must_use]
    pub const fn begin(call_id: CallSid, sequence: u32, at: Timestamp) -> Self {
        Self { call_id, sequence, at, text: String::new() }
    }

    /// Adds a record's line.
    pub fn push(&mut self, at: Timestamp, kind: &str, detail: &str) {
        let since = at.duration_since(self.at).as_micros();
        push_line(&mut self.text, u64::try_from(since).unwrap_or(0), format_args!("{kind} {detail}"));
    }

    /// Its lines with their moments.
    pub fn lines(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        lines_of(self.at, &self.text)
    }
}

impl TraceRow {
    /// Its lines with their moments.
    pub fn lines(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        lines_of(self.at, &self.text)
    }
}

/// Adds a line to a stretch, `since` microseconds after its first.
pub fn push_line(text: &mut String, since: u64, line: std::fmt::Arguments<'_>) {
    let line = format_args!("{}.{:06} {line}\n", since / 1_000_000, since % 1_000_000);
    text.write_fmt(line).expect("a String takes every text");
}

fn lines_of(first: Timestamp, text: &str) -> impl Iterator<Item = (Timestamp, &str)> {
    text.lines().map(move |line| {
        let timed = line.split_once(' ').and_then(|(since, rest)| {
            let (seconds, micros) = since.split_once('.')?;
            let since = SignedDuration::from_secs(seconds.parse().ok()?)
                + SignedDuration::from_micros(micros.parse().ok()?);
            Some((first.checked_add(since).ok()?, rest))
        });
        timed.unwrap_or((first, line))
    })
}

table! {
    /// One event for one receiver, in net form: as its newest outcome left it.
    DeliveryRow in "deliveries" {
        /// See [`delivery_id`].
        1 id: String,
        /// The call it tells of.
        2 call_id: CallSid,
        /// Whose receiver.
        3 account_id: AccountSid,
        /// `SequenceNumber`.
        4 sequence: u32,
        /// Counts the outcomes projected for it: an older one changes nothing.
        5 revision: u32,
        /// The node that delivers it.
        6 node: InstanceSid,
        /// `CallStatus`.
        7 status: CallStatus,
        /// The URL as stored.
        8 url: Arc<str>,
        /// How it is asked.
        9 method: Method,
        /// The form-encoded parameters.
        10 body: Arc<str>,
        /// How it stands.
        11 state: DeliveryState,
        /// How many tries there were.
        12 attempts: u32,
        /// When the event happened.
        13 created_at: Timestamp,
        /// When the next try is due; `None` when there is none.
        14 next_attempt_at: Option<Timestamp>,
        /// When it was delivered or given up.
        15 finished_at: Option<Timestamp>,
        /// What the last try came to.
        16 last_error: Option<String>,
        /// When the first try began, where the receiver took it: that one has no row in `attempts`.
        17 first_at: Option<Timestamp>,
        /// Its answer's status.
        18 first_http_status: Option<u16>,
        /// How long it took.
        19 first_took_ms: Option<u64>,
    }
}

impl DeliveryRow {
    /// The first try, where the receiver took it.
    #[must_use]
    pub fn first_try(&self) -> Option<AttemptRow> {
        Some(AttemptRow {
            delivery_id: self.id.clone(),
            attempt: 1,
            at: self.first_at?,
            http_status: self.first_http_status,
            error: None,
            took_ms: self.first_took_ms.unwrap_or(0),
        })
    }
}

table! {
    /// One HTTP try, but for a first one that the receiver took: its delivery's row has it.
    AttemptRow in "attempts" {
        /// Of which delivery.
        1 delivery_id: String,
        /// Counts from 1.
        2 attempt: u32,
        /// When it began.
        3 at: Timestamp,
        /// The answer's status, where one came.
        4 http_status: Option<u16>,
        /// What went wrong.
        5 error: Option<String>,
        /// How long it took.
        6 took_ms: u64,
    }
}

/// The id of the delivery of a call's `sequence`th event: the same whoever computes it, so that
/// projecting twice makes one row. A B leg's own events count apart.
#[must_use]
pub fn delivery_id(call: CallSid, leg: Option<CallSid>, sequence: u32) -> String {
    match leg {
        Some(leg) => format!("{call}-{leg}-{sequence}"),
        None => format!("{call}-{sequence}"),
    }
}
