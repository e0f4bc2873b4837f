//! The order of effects, kept in this one place: **an ask that was emitted after a record leaves
//! only when that record is written; sends never wait.**
//!
//! The engine does not know that there is a disk. It emits records and asks in order; this queue
//! holds back each ask until the journal says that everything recorded before it is written.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::call::record::Record;
use crate::engine::door::{Answer, Ask, AskId};
use crate::reason::Reason;

/// How a shard writes its records. Positions count the shard's records from 1 and never fall.
pub trait Scribe {
    /// Takes over `batch` in order, leaving it empty. Never waits.
    fn write(&mut self, batch: &mut Vec<Record>);

    /// How many of the shard's records are written by now.
    fn written(&mut self) -> u64;

    /// How old the oldest record is that is not written.
    fn lag(&self) -> Duration;

    /// Resolves when [`Scribe::written`] may have grown.
    fn grown(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// Answers asks on the shard's own thread; dropping the future gives the ask up.
pub trait Answerer {
    /// The answer to one ask.
    fn answer(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer>>>;
}

/// A shard's records and asks on their way out.
pub struct Effects {
    scribe: Box<dyn Scribe>,
    answerer: Rc<dyn Answerer>,
    batch: Vec<Record>,
    /// Records emitted so far, those in `batch` included.
    recorded: u64,
    /// Asks with the position that must be written before they leave, in order.
    held: VecDeque<(u64, Ask)>,
    running: JoinSet<(AskId, Answer)>,
    handles: HashMap<AskId, AbortHandle>,
}

impl Effects {
    /// Nothing under way.
    #[must_use]
    pub fn new(scribe: Box<dyn Scribe>, answerer: Rc<dyn Answerer>) -> Self {
        Self {
            scribe,
            answerer,
            batch: Vec::new(),
            recorded: 0,
            held: VecDeque::new(),
            running: JoinSet::new(),
            handles: HashMap::new(),
        }
    }

    /// How old the oldest record is that is not written.
    pub fn lag(&self) -> Duration {
        self.scribe.lag()
    }

    /// The next record.
    pub fn record(&mut self, record: Record) {
        self.recorded += 1;
        self.batch.push(record);
    }

    /// An ask, to leave after all records so far.
    pub fn ask(&mut self, ask: Ask) {
        self.held.push_back((self.recorded, ask));
    }

    /// Gives an ask up, whether it has left or not.
    pub fn abort(&mut self, ask: AskId) {
        self.held.retain(|(_, held)| held.id != ask);
        if let Some(handle) = self.handles.remove(&ask) {
            handle.abort();
        }
    }

    /// The end of a turn: what was recorded goes to the journal, what may leave leaves.
    pub fn turn(&mut self) {
        if !self.batch.is_empty() {
            self.scribe.write(&mut self.batch);
        }
        if self.held.is_empty() {
            return;
        }
        let written = self.scribe.written();
        while self.held.front().is_some_and(|(after, _)| *after <= written) {
            let Some((_, ask)) = self.held.pop_front() else { break };
            let (id, answer) = (ask.id, self.answerer.answer(ask));
            let handle = self.running.spawn_local(async move { (id, answer.await) });
            self.handles.insert(id, handle);
        }
    }

    /// The next answer, or `None` after the journal has written more: then another
    /// [`Effects::turn`] is due. Never resolves when there is nothing to wait for.
    pub async fn next(&mut self) -> Option<(AskId, Answer)> {
        loop {
            tokio::select! {
                biased;
                Some(joined) = self.running.join_next_with_id() => {
                    if let Some(answered) = answered(&mut self.handles, joined) {
                        return Some(answered);
                    }
                }
                // Inside a block, so that nothing is made for a branch that is not taken.
                () = async { self.scribe.grown().await }, if !self.held.is_empty() => return None,
                else => std::future::pending().await,
            }
        }
    }

    /// An answer that is already there.
    pub fn try_next(&mut self) -> Option<(AskId, Answer)> {
        loop {
            let joined = self.running.try_join_next_with_id()?;
            if let Some(answered) = answered(&mut self.handles, joined) {
                return Some(answered);
            }
        }
    }

    /// How many asks are held back or running.
    #[must_use]
    pub fn asks(&self) -> usize {
        self.held.len() + self.handles.len()
    }
}

type Joined = Result<(tokio::task::Id, (AskId, Answer)), JoinError>;

/// An aborted ask has no answer; one that panicked has failed.
fn answered(handles: &mut HashMap<AskId, AbortHandle>, joined: Joined) -> Option<(AskId, Answer)> {
    match joined {
        Ok((_, (id, answer))) => handles.remove(&id).map(|_| (id, answer)),
        Err(error) => {
            let id = handles.iter().find(|(_, handle)| handle.id() == error.id()).map(|(id, _)| *id)?;
            handles.remove(&id);
            tracing::error!(%error, "a question to an application panicked");
            Some((id, Answer::NoDocument { reason: Reason::Internal, http_status: None }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::task::LocalSet;

    use super::*;
    use crate::call::outcome::{CallStatus, HangupSource, Terminal};
    use crate::call::record::Change;
    use crate::engine::door::Question;
    use crate::ids::CallSid;
    use crate::time::Instant;
    use crate::transport::next_hop::Unresolved;

    #[derive(Default)]
    struct Disk {
        taken: Cell<u64>,
        written: Cell<u64>,
        grown: Notify,
    }

    impl Disk {
        fn write_all(&self) {
            self.written.set(self.taken.get());
            self.grown.notify_one();
        }
    }

    struct SlowScribe(Rc<Disk>);

    impl Scribe for SlowScribe {
        fn write(&mut self, batch: &mut Vec<Record>) {
            self.0.taken.set(self.0.taken.get() + batch.drain(..).count() as u64);
        }
        fn written(&mut self) -> u64 {
            self.0.written.get()
        }
        fn lag(&self) -> Duration {
            Duration::ZERO
        }
        fn grown(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
            Box::pin(self.0.grown.notified())
        }
    }

    /// Answers every ask but number 9, which panics, and notes which were begun.
    #[derive(Default)]
    struct Noting(RefCell<Vec<u64>>);

    impl Answerer for Noting {
        fn answer(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer>>> {
            self.0.borrow_mut().push(ask.id.0);
            Box::pin(async move {
                assert_ne!(ask.id.0, 9, "the ninth panics");
                tokio::time::sleep(Duration::from_millis(20)).await;
                Answer::NoAddress
            })
        }
    }

    fn ask(id: u64) -> Ask {
        let wanted = Unresolved { host: "a.example".into(), port: None, transport: None, is_secure: false };
        let question = Question::Resolve(wanted);
        Ask { id: AskId(id), call: CallSid(1), question, deadline: Instant::from_millis(9) }
    }

    fn record(seq: u32) -> Record {
        let terminal = Terminal {
            status: CallStatus::Failed,
            sip_code: 500,
            reason: Reason::Internal,
            source: HangupSource::Router,
            duration: Duration::ZERO,
        };
        Record { call: CallSid(1), seq, at: Instant::ZERO, change: Change::Ended(terminal), event: None }
    }

    fn effects() -> (Effects, Rc<Disk>, Rc<Noting>) {
        let (disk, noting) = (Rc::<Disk>::default(), Rc::<Noting>::default());
        (Effects::new(Box::new(SlowScribe(disk.clone())), noting.clone()), disk, noting)
    }

    #[tokio::test]
    async fn an_ask_waits_for_the_records_before_it_and_not_for_those_after() {
        LocalSet::new()
            .run_until(async {
                let (mut effects, disk, noting) = effects();
                effects.ask(ask(1));
                effects.record(record(0));
                effects.ask(ask(2));
                effects.turn();
                assert_eq!(*noting.0.borrow(), [1], "the second waits");
                disk.write_all();
                effects.record(record(1));
                assert!(effects.next().await.is_none(), "the journal has grown");
                effects.turn();
                assert_eq!(*noting.0.borrow(), [1, 2]);
                assert_eq!(effects.next().await.unwrap().0, AskId(1));
                assert_eq!(effects.next().await.unwrap().0, AskId(2));
                assert_eq!(effects.asks(), 0);
            })
            .await;
    }

    #[tokio::test]
    async fn an_aborted_ask_never_answers_whether_held_or_running() {
        LocalSet::new()
            .run_until(async {
                let (mut effects, disk, noting) = effects();
                effects.ask(ask(1));
                effects.turn();
                effects.record(record(0));
                effects.ask(ask(2));
                effects.ask(ask(3));
                effects.abort(AskId(1));
                effects.abort(AskId(2));
                effects.turn();
                disk.write_all();
                effects.turn();
                assert_eq!(effects.next().await.unwrap().0, AskId(3));
                assert_eq!(*noting.0.borrow(), [1, 3]);
                assert_eq!(effects.asks(), 0);
            })
            .await;
    }

    #[tokio::test]
    async fn an_ask_that_panics_is_answered_as_failed() {
        LocalSet::new()
            .run_until(async {
                let (mut effects, _disk, _noting) = effects();
                effects.ask(ask(9));
                effects.turn();
                let (id, answer) = effects.next().await.unwrap();
                assert_eq!(id, AskId(9));
                assert!(matches!(answer, Answer::NoDocument { reason: Reason::Internal, .. }));
            })
            .await;
    }
}
