//! The rows of calls, their events, deliveries, tries and traces, as the journal's entries leave them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::call::outcome::CallStatus;
use crate::call::record::{Change, Record};
use crate::callback::Notice;
use crate::ids::{CallSid, InstanceSid};
use crate::journal::{Entry, Fate, Fed, Known, Outcome};
use crate::store::calls::{
    AttemptRow, Batch, CallRow, DeliveryRow, DeliveryState, EventRow, LegRow, TraceRow, delivery_id,
};

/// The body of a notice's request, as its row shows it.
pub type Body = Box<dyn Fn(&Notice) -> String + Send + Sync>;

/// What the rows are made from: each live call's row and deliveries as they stand.
pub struct Rows {
    node: InstanceSid,
    body: Body,
    calls: HashMap<CallSid, Standing, foldhash::fast::RandomState>,
    /// Calls whose rows changed since the last batch and that are not done.
    changed: Vec<CallSid>,
    batch: Batch,
    /// How many records the batch has.
    records: u64,
}

struct Standing {
    row: CallRow,
    row_changed: bool,
    /// Its records since the last batch, in words.
    events: Option<EventRow>,
    /// Its targets' legs; true: changed since the last batch.
    legs: Vec<(LegRow, bool)>,
    deliveries: Vec<(DeliveryRow, bool)>,
    listed: bool,
}

impl Standing {
    fn is_done(&self) -> bool {
        let settled = |(delivery, _): &(DeliveryRow, bool)| delivery.state != DeliveryState::Pending;
        self.row.ended_at.is_some() && self.deliveries.iter().all(settled)
    }
}

impl Rows {
    /// Of no call yet.
    pub fn new(node: InstanceSid, body: Body) -> Self {
        let (calls, changed, batch) = (HashMap::default(), Vec::new(), Batch::default());
        Self { node, body, calls, changed, batch, records: 0 }
    }

    /// Of no call any more.
    pub fn clear(&mut self) {
        (self.calls, self.changed, self.batch) = (HashMap::default(), Vec::new(), Batch::default());
        self.records = 0;
    }

    /// Takes one entry in; its rows are wanted unless the store has them.
    /// `notice` is what its receiver is told, where somebody has made that already.
    pub fn take(&mut self, fed: Fed, notice: Option<&Notice>, wanted: bool) {
        let call = match fed.entry {
            Entry::Record(record) => {
                if let Some(known) = &fed.known {
                    self.record(&record, known, fed.at, notice, wanted);
                }
                record.call
            }
            Entry::Outcome(outcome) => {
                self.outcome(&outcome, fed.at, wanted);
                outcome.call
            }
            Entry::Trace { call, at, text } => {
                if wanted && !text.is_empty() {
                    self.batch.trace.push(TraceRow { call_id: call, line: 0, at: stamp(at), text });
                }
                return;
            }
            Entry::Disabled { .. } | Entry::Enabled { .. } | Entry::Done { .. } => return,
        };
        let Some(standing) = self.calls.get_mut(&call) else { return };
        if standing.is_done() {
            if let Some(standing) = self.calls.remove(&call) {
                self.batch.events.extend(standing.events);
                self.batch.calls.extend(standing.row_changed.then_some(standing.row));
                let legs = standing.legs.into_iter().filter(|(_, changed)| *changed);
                self.batch.legs.extend(legs.map(|(leg, _)| leg));
                let changed = standing.deliveries.into_iter().filter(|(_, changed)| *changed);
                self.batch.deliveries.extend(changed.map(|(delivery, _)| delivery));
            }
        } else if wanted && !standing.listed {
            standing.listed = true;
            self.changed.push(call);
        }
    }

    /// The rows of everything taken in since the last time, each call and delivery once, as it stands; and
    /// of how many records they are.
    pub fn finish(&mut self) -> (Batch, u64) {
        for call in self.changed.drain(..) {
            let Some(standing) = self.calls.get_mut(&call) else { continue };
            standing.listed = false;
            self.batch.events.extend(standing.events.take());
            if std::mem::take(&mut standing.row_changed) {
                self.batch.calls.push(standing.row.clone());
            }
            for (leg, changed) in &mut standing.legs {
                if std::mem::take(changed) {
                    self.batch.legs.push(leg.clone());
                }
            }
            for (delivery, changed) in &mut standing.deliveries {
                if std::mem::take(changed) {
                    self.batch.deliveries.push(delivery.clone());
                }
            }
        }
        (std::mem::take(&mut self.batch), std::mem::take(&mut self.records))
    }

    fn record(&mut self, record: &Record, known: &Known, micros: u64, notice: Option<&Notice>, wanted: bool) {
        let at = stamp(micros);
        let node = self.node;
        let standing = self.calls.entry(record.call).or_insert_with(|| Standing {
            row: call_row(node, known, stamp(known.started)),
            row_changed: false,
            events: None,
            legs: Vec::new(),
            deliveries: Vec::new(),
            listed: false,
        });
        advance(&mut standing.row, record, at);
        super::leg_rows::advance(&mut standing.legs, &standing.row, record, at, wanted);
        if wanted {
            let (kind, detail) = words(&record.change);
            let events = standing.events.get_or_insert_with(|| EventRow::begin(record.call, record.seq, at));
            events.push(at, kind, &detail);
            standing.row_changed = true;
            self.records += 1;
        }
        let own = match notice {
            Some(_) => None,
            None => Notice::of(record, &known.facts, time(micros), time(known.started), known.outbound),
        };
        let Some(notice) = notice.or(own.as_ref()) else { return };
        let Some(hook) = notice.hook() else { return };
        let delivery = DeliveryRow {
            id: delivery_id(record.call, notice.leg(), notice.event.sequence),
            call_id: record.call,
            account_id: known.facts.account,
            sequence: notice.event.sequence,
            revision: 0,
            node,
            status: notice.event.status,
            url: hook.url.clone(),
            method: hook.method,
            body: notice.form.clone().unwrap_or_else(|| (self.body)(notice).into()),
            state: DeliveryState::Pending,
            attempts: 0,
            created_at: at,
            next_attempt_at: Some(at),
            finished_at: None,
            last_error: None,
            first_at: None,
            first_http_status: None,
            first_took_ms: None,
        };
        standing.deliveries.push((delivery, wanted));
    }

    fn outcome(&mut self, outcome: &Outcome, at: u64, wanted: bool) {
        let id = delivery_id(outcome.call, outcome.leg, outcome.sequence);
        let took_ms = u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX);
        let begun = stamp(at.saturating_sub(took_ms.saturating_mul(1000)));
        let error = (!outcome.error.is_empty()).then(|| outcome.error.as_ref().to_owned());
        let deliveries = self.calls.get_mut(&outcome.call).map(|standing| &mut standing.deliveries);
        let found = deliveries.and_then(|rows| rows.iter_mut().find(|(row, _)| row.id == id));
        let is_first_taken = outcome.attempt == 1 && outcome.fate == Fate::Delivered && found.is_some();
        if outcome.attempt > 0 && !is_first_taken {
            let (attempt, http_status) = (outcome.attempt, outcome.http_status);
            let row = AttemptRow {
                delivery_id: id,
                attempt,
                at: begun,
                http_status,
                error: error.clone(),
                took_ms,
            };
            self.batch.attempts.extend(wanted.then_some(row));
        }
        let Some((row, changed)) = found else { return };
        *changed |= wanted;
        row.revision += 1;
        row.attempts = row.attempts.max(outcome.attempt);
        row.last_error = error;
        if is_first_taken {
            row.first_at = Some(begun);
            (row.first_http_status, row.first_took_ms) = (outcome.http_status, Some(took_ms));
        }
        (row.state, row.next_attempt_at) = match outcome.fate {
            Fate::Delivered => (DeliveryState::Delivered, None),
            Fate::Superseded => (DeliveryState::Superseded, None),
            Fate::Dead(why) => {
                row.last_error.get_or_insert_with(|| why.to_owned());
                (DeliveryState::Dead, None)
            }
            Fate::Failed(next) => (DeliveryState::Pending, next.map(|next| stamp(next.saturating_mul(1000)))),
        };
        row.finished_at = outcome.fate.is_final().then(|| stamp(at));
    }
}

fn call_row(node: InstanceSid, known: &Known, started_at: Timestamp) -> CallRow {
    let facts = &known.facts;
    CallRow {
        id: facts.call,
        sequence: 0,
        node,
        account_id: facts.account,
        organization_id: facts.organization,
        number_id: facts.number,
        number: facts.number_text.clone(),
        trunk_id: facts.trunk,
        caller: facts.from.clone(),
        called: facts.to.clone(),
        caller_name: facts.caller_name.clone(),
        forwarded_from: facts.forwarded_from.clone(),
        sip_call_id: facts.sip_call_id.clone(),
        sip_source: facts.sip_source,
        generation: facts.generation,
        status: CallStatus::Ringing,
        started_at,
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        sip_code: None,
        reason: None,
        hangup_source: None,
    }
}

/// Brings a call's row to where a record leaves it.
fn advance(row: &mut CallRow, record: &Record, at: Timestamp) {
    row.sequence = row.sequence.max(record.seq);
    match &record.change {
        Change::Answered { .. } => {
            row.status = CallStatus::InProgress;
            row.answered_at = Some(at);
        }
        Change::Ended(terminal) => {
            row.status = terminal.status;
            row.ended_at = Some(at);
            row.duration_ms = u64::try_from(terminal.duration.as_millis()).unwrap_or(u64::MAX);
            row.sip_code = Some(terminal.sip_code);
            row.reason = Some(terminal.reason);
            row.hangup_source = Some(terminal.source.as_str().to_owned());
        }
        _ => {}
    }
}

/// A record in words.
fn words(change: &Change) -> (&'static str, String) {
    match change {
        Change::Admitted { .. } => ("admitted", String::new()),
        Change::Ringing => ("ringing", String::new()),
        Change::Invited(leg) => {
            ("invited", format!("leg {} at {} {}", leg.leg, leg.flow.transport.via_token(), leg.flow.peer))
        }
        Change::LegEnded { leg, sip_code } => ("leg_ended", format!("leg {leg} with {sip_code}")),
        Change::Answered { target, .. } => ("answered", format!("by {}", target.flow.peer)),
        Change::Acked => ("acked", String::new()),
        Change::Recovered => ("recovered", String::new()),
        Change::Transferred { leg, caller, .. } => (
            "transferred",
            format!("leg {leg} in place of the {}", if *caller { "caller" } else { "target" }),
        ),
        Change::DialogChanged { caller, .. } => {
            ("dialog_changed", if *caller { "the caller's" } else { "the target's" }.to_owned())
        }
        Change::Dialled(outcome) => ("dialled", outcome.status.as_str().to_owned()),
        Change::Leg(event) => ("leg", format!("{} {}", event.leg.leg, event.status.as_str())),
        Change::Ended(terminal) => {
            ("ended", format!("{} {} {}", terminal.status.as_str(), terminal.sip_code, terminal.reason))
        }
    }
}

fn stamp(micros: u64) -> Timestamp {
    i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or_default()
}

fn time(micros: u64) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_micros(micros)
}
