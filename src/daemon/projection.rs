//! The journal's way into the store: rows of calls, events, deliveries, tries and traces.
//!
//! Batches of what 200 ms bring, in net form, idempotent by call and sequence. A store that is
//! down, locked or slow is one case: the batch waits, the journal keeps what comes. After a restart,
//! and where a store was away for long, the journal is read from its oldest segment, so that calls which
//! began before the store's position stand as they did; nothing before that position is written again.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gathering::{Gathered, Gathering};
use crate::ids::InstanceSid;
use crate::journal::{Archive, Gauge};
use crate::store::calls::Batch;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// Entries in one batch at most where they are read from files, and how long they gather where they come.
/// A commit writes every index's page it touches, so its cost is the batch's, hardly the rows'; and a call
/// that ends, or a delivery that is made, within the batch is one row.
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
    archive: Archive,
    gathering: Arc<Gathering>,
    gauge: Gauge,
    metrics: Arc<Metrics>,
}

impl<S: Sink> Projection<S> {
    /// Of the journal behind `archive`, which whoever follows it shows to `gathering`.
    #[must_use]
    pub const fn new(
        node: InstanceSid,
        sink: S,
        archive: Archive,
        gathering: Arc<Gathering>,
        gauge: Gauge,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { node, sink, archive, gathering, gauge, metrics }
    }

    /// Never ends; dropping it between batches loses nothing.
    pub async fn run(self) {
        let mut done = self.position().await;
        self.gauge.projected(done);
        loop {
            done = self.catch_up(done).await;
            done = self.follow(done).await;
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

    /// Reads the files from the oldest on until nothing is left in them. What the store has already only
    /// brings calls to where they stood.
    async fn catch_up(&self, mut done: u64) -> u64 {
        self.gathering.clear();
        let (mut feed, mut fed) = (self.archive.feed(), Vec::new());
        loop {
            match feed.read(AT_ONCE, &mut fed) {
                // All that is left is none of the store's business but for the position.
                Ok(0) if self.gathering.entries() == 0 && feed.position() > done => {
                    if let Some(gathered) = self.gathering.finish(Some(feed.position())) {
                        done = self.write(gathered).await;
                    }
                }
                Ok(0) => {
                    self.gathering.follow(feed.position());
                    return done;
                }
                Ok(_) => {
                    for one in fed.drain(..) {
                        let wanted = one.position > done;
                        self.gathering.read(one, wanted);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be read for the store");
                    tokio::time::sleep(PATIENCE.1).await;
                }
            }
            if self.gathering.entries() >= ENTRIES
                && let Some(gathered) = self.gathering.finish(Some(feed.position()))
            {
                done = self.write(gathered).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes what the one reader of the journal has gathered, until that was given up.
    async fn follow(&self, mut done: u64) -> u64 {
        while self.gathering.grown().await {
            // What comes meanwhile is in the same batch: no wake-up per record.
            tokio::time::sleep(GATHER).await;
            let Some(gathered) = self.gathering.finish(None) else { break };
            done = self.write(gathered).await;
        }
        done
    }

    /// Until the store has taken it.
    async fn write(&self, gathered: Gathered) -> u64 {
        let Gathered { batch, position, oldest, records } = gathered;
        let mut wait = PATIENCE.0;
        let begun = Instant::now();
        self.lags(oldest);
        while let Err(error) = self.sink.project(self.node, position, &batch).await {
            self.lags(oldest);
            self.complain(&error, &mut wait).await;
        }
        self.gauge.projected(position);
        self.metrics.store.up.set(1);
        self.metrics.store.projected.inc_by(records);
        self.metrics.store.projection_seconds.observe(begun.elapsed().as_secs_f64());
        if self.gathering.entries() == 0 {
            self.metrics.store.projection_lag_ms.set(0);
        }
        position
    }

    /// Says how old the oldest entry is that the store does not have.
    fn lags(&self, oldest: u64) {
        let lag = micros_now().saturating_sub(oldest) / 1000;
        self.metrics.store.projection_lag_ms.set(i64::try_from(lag).unwrap_or(i64::MAX));
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
    use std::sync::Mutex;

    use super::super::call_rows::Body;
    use super::*;
    use crate::call::facts::CallFacts;
    use crate::call::outcome::{CallStatus, HangupSource, Terminal};
    use crate::call::record::{CallerSide, Change, Event, Record};
    use crate::flow::{Flow, ListenerId, Transport};
    use crate::ids::CallSid;
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
        let facts = CallFacts { profile: Arc::new(profile), ..CallFacts::plain(CallSid(9)) };
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
        let (archive, gauge) = (journal.archive(), journal.gauge());
        let body: Body = Box::new(|notice| format!("SequenceNumber={}", notice.event.sequence));
        let metrics = Arc::new(Metrics::new());
        let gathering = Arc::new(Gathering::new(InstanceSid(5), body));
        let projection =
            Projection::new(InstanceSid(5), memory.clone(), archive, gathering, gauge.clone(), metrics);
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
        let kind = |(_, line): (_, &str)| line.split(' ').next().unwrap().to_owned();
        let kinds =
            |rows: &[&EventRow]| rows.iter().flat_map(|row| row.lines()).map(kind).collect::<Vec<_>>();
        assert_eq!(kinds(&first), ["admitted", "ringing"]);
        assert_eq!(kinds(&second), ["ended"], "what the store had is not written again");
        let attempts = batches.iter().map(|batch| batch.attempts.len()).sum::<usize>();
        assert_eq!(attempts, 2, "a first try that was taken stands in its delivery's row");
        let call = batches.iter().flat_map(|batch| &batch.calls).next_back().unwrap();
        assert_eq!((call.status, call.sip_code, call.sequence), (CallStatus::Busy, Some(486), 2));
        let last = batches.iter().flat_map(|batch| &batch.deliveries).next_back().unwrap();
        assert_eq!((last.sequence, last.state, last.attempts), (1, DeliveryState::Delivered, 1));
        assert_eq!(&*last.body, "SequenceNumber=1");
        let first = last.first_try().unwrap();
        assert_eq!((first.attempt, first.http_status, first.took_ms, first.error), (1, Some(200), 3, None));
        drop(pen);
        drop(journal);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn what_a_store_that_was_away_too_long_missed_comes_from_the_files() {
        const MANY: u32 = 20_000;
        let path = std::env::temp_dir().join(format!("callgate-gathering-{}", std::process::id()));
        let memory = Memory::default();
        let (journal, _) = Journal::open(&Config::new(&path, std::time::UNIX_EPOCH)).unwrap();
        let body: Body = Box::new(|notice| format!("SequenceNumber={}", notice.event.sequence));
        let gathering = Arc::new(Gathering::new(InstanceSid(5), body));
        let (metrics, gauge) = (Arc::new(Metrics::new()), journal.gauge());
        let shown = gathering.clone();
        let projection =
            Projection::new(InstanceSid(5), memory.clone(), journal.archive(), shown, gauge.clone(), metrics);
        let running = tokio::spawn(projection.run());
        let mut pen = journal.pen();
        pen.write(&mut vec![record(0, begin(), None), record(1, Change::Ringing, None)]);
        let (mut feed, mut fed) = (journal.feed(), Vec::new());
        let mut show = async |until: u64| {
            while gauge.written() > feed.position() || memory.0.lock().unwrap().1 < until {
                let begun = feed.position();
                feed.read(1_000, &mut fed).unwrap();
                gathering.show(begun, &mut fed, &[], feed.position());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let settled = async |pen: &crate::journal::Pen, count: u64| {
            while pen.written() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        settled(&pen, 2).await;
        show(gauge.written()).await;
        memory.0.lock().unwrap().0 = u32::MAX;
        pen.note((0..MANY).map(|attempt| outcome(0, attempt + 1, Fate::Failed(None))));
        settled(&pen, 2 + u64::from(MANY)).await;
        show(0).await;
        memory.0.lock().unwrap().0 = 0;
        show(gauge.written()).await;
        pen.write(&mut vec![record(2, end(), None)]);
        settled(&pen, 3 + u64::from(MANY)).await;
        show(gauge.written()).await;
        running.abort();
        let batches = memory.0.lock().unwrap().2.clone();
        let mut tries: Vec<_> =
            batches.iter().flat_map(|batch| &batch.attempts).map(|row| row.attempt).collect();
        tries.sort_unstable();
        assert_eq!(tries, (1..=MANY).collect::<Vec<_>>(), "each once");
        let call = batches.iter().flat_map(|batch| &batch.calls).next_back().unwrap();
        assert_eq!((call.status, call.sequence), (CallStatus::Busy, 2));
        drop((pen, journal));
        std::fs::remove_dir_all(path).unwrap();
    }
}
