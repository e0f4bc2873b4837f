//! The journal's way into the store: rows of calls, events, deliveries, tries and traces.
//!
//! Batches of what 200 ms bring, in net form, idempotent by call and sequence. A store that is
//! down, locked or slow is one case: the batch waits, the journal keeps what comes. After a restart
//! the journal is read from its oldest segment, so that calls which began before the store's
//! position stand as they did; nothing before that position is written again.

use std::future::Future;
use std::time::{Duration, Instant};

use super::call_rows::{Body, Rows};
use crate::ids::InstanceSid;
use crate::journal::{Feed, Gauge};
use crate::store::calls::Batch;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// Entries in one batch at most, and how long they gather. A commit writes every index's page it
/// touches, so its cost is the batch's, hardly the rows'; and a call that ends, or a delivery that is
/// made, within the batch is one row.
const ENTRIES: usize = 4_096;
const GATHER: Duration = Duration::from_millis(200);

/// Entries read without letting the others of this thread go on.
const AT_ONCE: usize = 128;

/// How long a batch the store did not take waits: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Where batches go.
pub trait Sink: Send + Sync {
    /// Up to where this node's journal is in the store.
    fn projected(&self, node: InstanceSid) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Writes a batch and the position behind it, both or neither.
    fn project(
        &self,
        node: InstanceSid,
        position: u64,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Sink for Store {
    async fn projected(&self, node: InstanceSid) -> Result<Option<u64>, StoreError> {
        Self::projected(self, node).await
    }

    async fn project(&self, node: InstanceSid, position: u64, batch: &Batch) -> Result<(), StoreError> {
        Self::project(self, node, position, batch).await
    }
}

/// Projects one node's journal for as long as it is polled.
pub struct Projection<S> {
    node: InstanceSid,
    sink: S,
    feed: Feed,
    gauge: Gauge,
    metrics: std::sync::Arc<Metrics>,
    rows: Rows,
}

impl<S: Sink> Projection<S> {
    /// `feed` begins at the journal's oldest segment (`journal.feed_from(0)`).
    #[must_use]
    pub fn new(
        node: InstanceSid,
        sink: S,
        feed: Feed,
        gauge: Gauge,
        metrics: std::sync::Arc<Metrics>,
        body: Body,
    ) -> Self {
        Self { node, sink, feed, gauge, metrics, rows: Rows::new(node, body) }
    }

    /// Never ends; dropping it between batches loses nothing.
    pub async fn run(mut self) {
        let done = self.position().await;
        self.gauge.projected(done);
        loop {
            let (position, oldest) = self.gather(done).await;
            if position > done {
                self.write(position, oldest).await;
            }
        }
    }

    /// Up to where the store is, once it answers.
    async fn position(&self) -> u64 {
        let mut wait = PATIENCE.0;
        loop {
            match self.sink.projected(self.node).await {
                Ok(position) => {
                    self.metrics.store.up.set(1);
                    return position.unwrap_or(0);
                }
                Err(error) => self.complain(&error, &mut wait).await,
            }
        }
    }

    /// Reads until a batch is full or has gathered long enough. What the store has already only
    /// brings calls to where they stood.
    async fn gather(&mut self, done: u64) -> (u64, u64) {
        let mut deadline = None;
        let (mut entries, mut oldest) = (0, u64::MAX);
        while entries < ENTRIES {
            let limit = AT_ONCE.min(ENTRIES - entries);
            let fed = if deadline.is_none() { self.feed.next(limit).await } else { self.feed.read(limit) };
            match fed {
                Ok(fed) => {
                    for one in &fed {
                        self.rows.take(one, one.position > done);
                        oldest = oldest.min(one.at);
                    }
                    entries += fed.len();
                    let end = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                    if fed.len() == limit {
                        tokio::task::yield_now().await;
                    } else if tokio::time::Instant::now() < end {
                        // What comes meanwhile is read at once: no wake-up per record.
                        tokio::time::sleep_until(end).await;
                    } else {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be read for the store");
                    tokio::time::sleep(PATIENCE.1).await;
                    if entries > 0 {
                        break;
                    }
                }
            }
        }
        let lag = micros_now().saturating_sub(oldest) / 1000;
        self.metrics.store.projection_lag_ms.set(i64::try_from(lag).unwrap_or(i64::MAX));
        (self.feed.position(), oldest)
    }

    /// Until the store has taken it.
    async fn write(&mut self, position: u64, oldest: u64) {
        let batch = self.rows.finish();
        let mut wait = PATIENCE.0;
        let begun = Instant::now();
        while let Err(error) = self.sink.project(self.node, position, &batch).await {
            let lag = micros_now().saturating_sub(oldest) / 1000;
            self.metrics.store.projection_lag_ms.set(i64::try_from(lag).unwrap_or(i64::MAX));
            self.complain(&error, &mut wait).await;
        }
        self.gauge.projected(position);
        self.metrics.store.up.set(1);
        self.metrics.store.projected.inc_by(batch.events.len() as u64);
        self.metrics.store.projection_seconds.observe(begun.elapsed().as_secs_f64());
        if self.feed.lag() == 0 {
            self.metrics.store.projection_lag_ms.set(0);
        }
    }

    async fn complain(&self, error: &StoreError, wait: &mut Duration) {
        self.metrics.store.failures.inc();
        self.metrics.store.up.set(0);
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "the store does not take calls; the journal keeps them");
        tokio::time::sleep(*wait).await;
        *wait = (*wait * 2).min(PATIENCE.1);
    }
}

fn micros_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::call::facts::CallFacts;
    use crate::call::outcome::{CallStatus, HangupSource, Terminal};
    use crate::call::record::{CallerSide, Change, Event, Record};
    use crate::flow::{Flow, ListenerId, Transport};
    use crate::ids::{AccountSid, CallSid, OrganizationSid};
    use crate::journal::{Config, Entry, Fate, Journal, Outcome};
    use crate::reason::Reason;
    use crate::routing::model::{Hook, VoiceProfile};
    use crate::store::calls::{DeliveryState, EventRow};

    /// A store that is down for its first few batches and then keeps what it gets.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<(u32, u64, Vec<Batch>)>>);

    impl Sink for Memory {
        async fn projected(&self, _: InstanceSid) -> Result<Option<u64>, StoreError> {
            let position = self.0.lock().unwrap().1;
            Ok((position > 0).then_some(position))
        }

        async fn project(&self, _: InstanceSid, position: u64, batch: &Batch) -> Result<(), StoreError> {
            let mut memory = self.0.lock().unwrap();
            if memory.0 > 0 {
                memory.0 -= 1;
                return Err(StoreError::Url("down".into()));
            }
            memory.1 = position;
            memory.2.push(batch.clone());
            Ok(())
        }
    }

    fn begin() -> Change {
        let hook = Hook { url: "https://a.example/".into(), method: crate::routing::model::Method::Post };
        let profile = VoiceProfile { status_callback: Some(hook), ..VoiceProfile::default() };
        let facts = CallFacts {
            call: CallSid(9),
            account: AccountSid(1),
            organization: OrganizationSid(2),
            number: None,
            number_text: "+1".into(),
            trunk: None,
            profile: Arc::new(profile),
            base_url: "".into(),
            post_query_in_body: false,
            from: "+2".into(),
            to: "+1".into(),
            sip_to: None,
            caller_name: "".into(),
            forwarded_from: "".into(),
            sip_call_id: "c".into(),
            sip_source: "192.0.2.1".parse().unwrap(),
            sip_headers: Vec::new(),
            started: crate::time::Instant::ZERO,
            generation: 1,
        };
        let flow = Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: "192.0.2.2".parse().unwrap(),
            peer: "192.0.2.1:5060".parse().unwrap(),
            connection: None,
            domain: None,
        };
        let caller = CallerSide { response_headers: b"".as_slice().into(), flow };
        Change::Admitted { facts: Arc::new(facts), caller: Box::new(caller) }
    }

    fn end() -> Change {
        Change::Ended(Terminal {
            status: CallStatus::Busy,
            sip_code: 486,
            reason: Reason::TargetBusy,
            source: HangupSource::Callee,
            duration: Duration::ZERO,
        })
    }

    fn record(seq: u32, change: Change, event: Option<(u32, CallStatus)>) -> Record {
        let event = event.map(|(sequence, status)| Event { sequence, status });
        Record { call: CallSid(9), seq, at: crate::time::Instant::from_millis(u64::from(seq)), change, event }
    }

    fn outcome(sequence: u32, attempt: u32, fate: Fate) -> Entry {
        let (call, took) = (CallSid(9), Duration::from_millis(3));
        let error = "".into();
        Entry::Outcome(Outcome {
            call,
            leg: None,
            sequence,
            attempt,
            took,
            http_status: Some(200),
            error,
            fate,
        })
    }

    /// Runs a projection until the store holds everything that is written.
    async fn catch_up(journal: &Journal, memory: &Memory) {
        let (feed, gauge) = (journal.feed_from(0), journal.gauge());
        let body: Body = Box::new(|notice| format!("SequenceNumber={}", notice.event.sequence));
        let metrics = Arc::new(Metrics::new());
        let projection = Projection::new(InstanceSid(5), memory.clone(), feed, gauge.clone(), metrics, body);
        let running = tokio::spawn(projection.run());
        let begun = Instant::now();
        while memory.0.lock().unwrap().1 < gauge.written() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the store never caught up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.abort();
    }

    #[tokio::test]
    async fn the_store_gets_every_row_once_also_after_it_was_down_and_after_a_restart() {
        let path = std::env::temp_dir().join(format!("callgate-projection-{}", std::process::id()));
        let memory = Memory::default();
        memory.0.lock().unwrap().0 = 2;
        {
            let (journal, _) = Journal::open(&Config::new(&path, std::time::UNIX_EPOCH)).unwrap();
            let mut pen = journal.pen();
            let ringing = record(1, Change::Ringing, Some((0, CallStatus::Ringing)));
            pen.write(&mut vec![record(0, begin(), None), ringing]);
            pen.note([outcome(0, 1, Fate::Failed(Some(7))), outcome(0, 2, Fate::Delivered)]);
            while pen.written() < 4 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            catch_up(&journal, &memory).await;
            pen.write(&mut vec![record(2, end(), Some((1, CallStatus::Busy)))]);
        }
        let before = memory.0.lock().unwrap().2.len();
        let (journal, _) = Journal::open(&Config::new(&path, std::time::UNIX_EPOCH)).unwrap();
        let mut pen = journal.pen();
        pen.note([outcome(1, 1, Fate::Delivered)]);
        while pen.written() < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        catch_up(&journal, &memory).await;
        let batches = memory.0.lock().unwrap().2.clone();
        let first: Vec<_> = batches[..before].iter().flat_map(|batch| &batch.events).collect();
        let second: Vec<_> = batches[before..].iter().flat_map(|batch| &batch.events).collect();
        let kinds = |rows: &[&EventRow]| rows.iter().map(|row| row.kind.clone()).collect::<Vec<_>>();
        assert_eq!(kinds(&first), ["admitted", "ringing"]);
        assert_eq!(kinds(&second), ["ended"], "what the store had is not written again");
        let attempts = batches.iter().map(|batch| batch.attempts.len()).sum::<usize>();
        assert_eq!(attempts, 3);
        let call = batches.iter().flat_map(|batch| &batch.calls).next_back().unwrap();
        assert_eq!((call.status, call.sip_code, call.sequence), (CallStatus::Busy, Some(486), 2));
        let last = batches.iter().flat_map(|batch| &batch.deliveries).next_back().unwrap();
        assert_eq!((last.sequence, last.state, last.attempts), (1, DeliveryState::Delivered, 1));
        assert_eq!(last.body, "SequenceNumber=1");
        drop(pen);
        drop(journal);
        std::fs::remove_dir_all(path).unwrap();
    }
}
