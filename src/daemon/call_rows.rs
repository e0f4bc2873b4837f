//! The rows of calls, their events, deliveries, tries and traces, as the journal's entries leave them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::leg_rows::Leg;
use crate::call::facts::CallFacts;
use crate::call::outcome::{CallStatus, Terminal};
use crate::call::record::{Change, Record};
use crate::callback::Notice;
use crate::ids::{CallSid, InstanceSid};
use crate::journal::{Entry, Fate, Fed, Known, Outcome};
use crate::store::calls::{
    AttemptRow, Batch, CallRow, DeliveryRow, DeliveryState, EventRow, TraceRow, delivery_id,
};

/// The body of a notice's request, as its row shows it.
pub type Body = Box<dyn Fn(&Notice) -> String + Send + Sync>;

/// What the rows are made from: each live call's progress, legs and unsettled deliveries.
pub struct Rows {
    node: InstanceSid,
    body: Body,
    /// Apart, as a map has up to twice the room it needs.
    calls: HashMap<CallSid, Box<Standing>, foldhash::fast::RandomState>,
    /// Calls whose rows changed since the last batch and that are not done.
    changed: Vec<CallSid>,
    batch: Batch,
    /// How many records the batch has.
    records: u64,
}

struct Standing {
    progress: Progress,
    row_changed: bool,
    /// Its records since the last batch, in words: seldom any.
    events: Option<Box<EventRow>>,
    /// Its targets'.
    legs: Vec<Leg>,
    /// Those that are not settled, and those that were since the last batch.
    deliveries: Vec<(DeliveryRow, bool)>,
    listed: bool,
}

impl Standing {
    fn new(known: &Known) -> Self {
        let (events, legs, deliveries) = (None, Vec::new(), Vec::new());
        let progress = Progress::new(known);
        Self { progress, row_changed: false, events, legs, deliveries, listed: false }
    }

    fn is_done(&self) -> bool {
        let settled = |(delivery, _): &(DeliveryRow, bool)| is_settled(delivery);
        self.progress.ended.is_some() && self.deliveries.iter().all(settled)
    }

    /// Adds what changed since the last batch.
    fn hand_over(&mut self, node: InstanceSid, batch: &mut Batch) {
        self.listed = false;
        batch.events.extend(self.events.take().map(|events| *events));
        if std::mem::take(&mut self.row_changed) {
            batch.calls.push(self.progress.row(node));
        }
        let facts = &self.progress.facts;
        batch.legs.extend(self.legs.iter_mut().filter_map(|leg| leg.changed(facts)));
        let settled = self.deliveries.extract_if(.., |(delivery, _)| is_settled(delivery));
        batch.deliveries.extend(settled.filter(|(_, changed)| *changed).map(|(delivery, _)| delivery));
        for (delivery, changed) in &mut self.deliveries {
            if std::mem::take(changed) {
                batch.deliveries.push(delivery.clone());
            }
        }
        // A call stands for hours, and most of that time nothing waits to be delivered.
        self.deliveries.shrink_to_fit();
    }
}

/// No outcome of it follows: in the store its row stands as it will stay.
fn is_settled(delivery: &DeliveryRow) -> bool {
    delivery.state != DeliveryState::Pending
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
            standing.hand_over(self.node, &mut self.batch);
            self.calls.remove(&call);
        } else if !wanted {
            standing.deliveries.retain(|(delivery, changed)| *changed || !is_settled(delivery));
        } else if !standing.listed {
            standing.listed = true;
            self.changed.push(call);
        }
    }

    /// The rows of everything taken in since the last time, each call and delivery once, as it stands; and
    /// of how many records they are.
    pub fn finish(&mut self) -> (Batch, u64) {
        for call in self.changed.drain(..) {
            if let Some(standing) = self.calls.get_mut(&call) {
                standing.hand_over(self.node, &mut self.batch);
            }
        }
        (std::mem::take(&mut self.batch), std::mem::take(&mut self.records))
    }

    fn record(&mut self, record: &Record, known: &Known, micros: u64, notice: Option<&Notice>, wanted: bool) {
        let at = stamp(micros);
        let node = self.node;
        let standing = self.calls.entry(record.call).or_insert_with(|| Box::new(Standing::new(known)));
        standing.progress.advance(record, at);
        super::leg_rows::advance(&mut standing.legs, &standing.progress, record, at, wanted);
        if wanted {
            let (kind, detail) = words(&record.change);
            let events =
                standing.events.get_or_insert_with(|| Box::new(EventRow::begin(record.call, record.seq, at)));
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
        let took_ms = millis(outcome.took);
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

/// How far a call is. Its constants are those that its shard has, where it is one of this process's: as a row
/// they would be here once more.
pub(super) struct Progress {
    pub facts: Arc<CallFacts>,
    /// In microseconds of wall time.
    started: u64,
    sequence: u32,
    pub answered_at: Option<Timestamp>,
    ended: Option<Box<(Terminal, Timestamp)>>,
}

impl Progress {
    fn new(known: &Known) -> Self {
        let facts = Arc::clone(&known.facts);
        Self { facts, started: known.started, sequence: 0, answered_at: None, ended: None }
    }

    /// Brings it to where a record leaves the call.
    fn advance(&mut self, record: &Record, at: Timestamp) {
        self.sequence = self.sequence.max(record.seq);
        match &record.change {
            Change::Answered { .. } => self.answered_at = Some(at),
            Change::Ended(terminal) => self.ended = Some(Box::new((*terminal, at))),
            _ => {}
        }
    }

    fn status(&self) -> CallStatus {
        match (&self.ended, self.answered_at) {
            (Some(ended), _) => ended.0.status,
            (None, Some(_)) => CallStatus::InProgress,
            (None, None) => CallStatus::Ringing,
        }
    }

    fn row(&self, node: InstanceSid) -> CallRow {
        let facts = &self.facts;
        let ended = self.ended.as_deref();
        let terminal = ended.map(|(terminal, _)| terminal);
        CallRow {
            id: facts.call,
            sequence: self.sequence,
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
            status: self.status(),
            started_at: stamp(self.started),
            answered_at: self.answered_at,
            ended_at: ended.map(|(_, at)| *at),
            duration_ms: terminal.map_or(0, |terminal| millis(terminal.duration)),
            sip_code: terminal.map(|terminal| terminal.sip_code),
            reason: terminal.map(|terminal| terminal.reason),
            hangup_source: terminal.map(|terminal| terminal.source.as_str().to_owned()),
        }
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

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn stamp(micros: u64) -> Timestamp {
    i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or_default()
}

fn time(micros: u64) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::model::{Hook, Method, VoiceProfile};
    use crate::time::Instant;

    const CALL: CallSid = CallSid(9);

    fn known() -> Known {
        let hook = Hook { url: "http://app/status".into(), method: Method::Post };
        let profile = VoiceProfile { status_callback: Some(hook), ..VoiceProfile::default() };
        let facts = CallFacts { profile: Arc::new(profile), ..CallFacts::plain(CALL) };
        Known { facts: Arc::new(facts), started: 7, outbound: None }
    }

    fn fed(entry: Entry) -> Fed {
        Fed { position: 1, at: 9, foreign: false, entry, known: Some(known()) }
    }

    fn told(sequence: u32) -> Fed {
        let event = Some(crate::call::record::Event { sequence, status: CallStatus::Ringing });
        let change = Change::Ringing;
        fed(Entry::Record(Record { call: CALL, seq: sequence + 1, at: Instant::ZERO, change, event }))
    }

    fn outcome(sequence: u32, fate: Fate) -> Fed {
        let took = Duration::from_millis(3);
        let (leg, http_status, error) = (None, Some(200), "".into());
        let outcome = Outcome { call: CALL, leg, sequence, attempt: 1, took, http_status, error, fate };
        fed(Entry::Outcome(outcome))
    }

    fn rows(wanted: bool) -> Rows {
        let mut rows = Rows::new(InstanceSid(5), Box::new(|_| "form".to_owned()));
        let entries = [told(0), told(1), outcome(0, Fate::Delivered), outcome(1, Fate::Failed(None))];
        entries.into_iter().for_each(|one| rows.take(one, None, wanted));
        rows
    }

    #[test]
    fn of_a_call_that_lives_only_what_is_not_settled_is_kept_once_the_store_has_the_rest() {
        let mut rows = rows(true);
        let (batch, _) = rows.finish();
        let states: Vec<_> = batch.deliveries.iter().map(|row| (row.sequence, row.state)).collect();
        assert_eq!(states, [(0, DeliveryState::Delivered), (1, DeliveryState::Pending)]);
        let kept = &rows.calls[&CALL].deliveries;
        assert_eq!((kept.len(), kept.capacity(), kept[0].0.sequence), (1, 1, 1));
        rows.take(outcome(1, Fate::Delivered), None, true);
        let (batch, _) = rows.finish();
        assert_eq!(batch.deliveries.len(), 1);
        assert_eq!(rows.calls[&CALL].deliveries.capacity(), 0);
    }

    #[test]
    fn what_the_store_has_already_is_kept_only_as_long_as_it_is_not_settled() {
        let mut rows = rows(false);
        assert_eq!(rows.calls[&CALL].deliveries.len(), 1);
        assert!(rows.finish().0.is_empty());
    }
}
