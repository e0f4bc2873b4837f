//! Where the journal meets the shards and the callbacks.
//!
//! Shards write through a pen; what is written is pumped to the callbacks; what became of each
//! delivery is written again; and what callbacks have no room for is found in the journal's files.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::effects::Scribe;
use super::gathering::Gathering;
use super::succession::Parking;
use super::yielding::Yielding;
use crate::call::record::Record;
use crate::callback::{self, Attempt, Backlog, BacklogFuture, Beat, Dead, Delivery, Notice, Outcomes};
use crate::ids::{AccountSid, InstanceSid};
use crate::journal::{Archive, Entry, Fate, Fed, Feed, Outcome, Pen, Replay, Undelivered};

/// Entries pumped at once.
const AT_ONCE: usize = 256;
/// And while calls wait: a millisecond's work or two, and as much more for each second that it is behind, as what
/// is put off has to be done when it is over.
const FEW: usize = 32;

impl Scribe for Pen {
    fn write(&mut self, batch: &mut Vec<Record>) {
        Self::write(self, batch);
    }

    fn written(&mut self) -> u64 {
        Self::written(self)
    }

    fn lag(&self) -> Duration {
        Self::lag(self)
    }

    fn grown(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(Self::grown(self))
    }
}

/// Writes down what became of deliveries.
pub struct Deliveries {
    pen: Mutex<Pen>,
    held: Notify,
}

impl Deliveries {
    /// Writes with `pen`.
    #[must_use]
    pub fn new(pen: Pen) -> Self {
        Self { pen: Mutex::new(pen), held: Notify::new() }
    }

    /// Writes what has gathered, for as long as it is polled; what a crash takes of it is delivered again. The rest
    /// is written when this is dropped.
    pub async fn write(&self, beat: Beat) {
        loop {
            self.held.notified().await;
            beat.next().await;
            self.pen.lock().unwrap_or_else(PoisonError::into_inner).flush();
        }
    }

    /// The receiver gets its events again; tell [`callback::Feed::enable`] too.
    pub fn enable(&self, account: AccountSid, url: &str) {
        self.note(Entry::Enabled { account, url: url.into() });
    }

    fn note(&self, entry: Entry) {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner).hold(&entry);
        self.held.notify_one();
    }

    fn tried(&self, delivery: &Delivery, attempt: &Attempt, fate: Fate) {
        self.note(Entry::Outcome(Outcome {
            call: delivery.notice.call(),
            leg: delivery.notice.leg(),
            sequence: delivery.notice.event.sequence,
            attempt: attempt.number,
            took: attempt.took,
            http_status: attempt.status,
            error: attempt.error.as_str().into(),
            fate,
        }));
    }

    fn given_up(&self, delivery: &Delivery, fate: Fate) {
        self.note(Entry::Outcome(Outcome {
            call: delivery.notice.call(),
            leg: delivery.notice.leg(),
            sequence: delivery.notice.event.sequence,
            attempt: 0,
            took: Duration::ZERO,
            http_status: None,
            error: "".into(),
            fate,
        }));
    }
}

impl Outcomes for Deliveries {
    fn attempt(&self, delivery: &Delivery, attempt: &Attempt) {
        let next = attempt.next.map(|wait| millis(attempt.at + attempt.took + wait));
        self.tried(delivery, attempt, Fate::Failed(next));
    }

    fn delivered(&self, delivery: &Delivery, attempt: &Attempt) {
        self.tried(delivery, attempt, Fate::Delivered);
    }

    fn superseded(&self, delivery: &Delivery) {
        self.given_up(delivery, Fate::Superseded);
    }

    fn dead(&self, delivery: &Delivery, why: Dead) {
        self.given_up(delivery, Fate::Dead(why.as_str()));
    }

    fn disabled(&self, account: AccountSid, url: &str) {
        self.note(Entry::Disabled { account, url: url.into() });
    }
}

/// Gives the callbacks what an earlier life left: receivers that want nothing first, then events.
pub fn restore(replay: Replay, callbacks: &callback::Feed) {
    for (account, url) in &replay.disabled {
        callbacks.disable(*account, url);
    }
    for event in replay.undelivered {
        if let Some(notice) = notice(&event) {
            callbacks.push(notice);
        }
    }
}

/// Where what is written goes.
pub struct Pump {
    /// What becomes requests.
    pub callbacks: callback::Feed,
    /// Where events of adopted calls wait.
    pub parking: Arc<Parking>,
    /// What becomes rows.
    pub gathering: Arc<Gathering>,
    /// To whom it gives way.
    pub yielding: Yielding,
    /// When it looks.
    pub beat: Beat,
    /// Who tells.
    pub instance: InstanceSid,
}

impl Pump {
    /// Gives the callbacks every event that is written, and the store's gathering everything, for as long as it
    /// is polled. `feed` begins where this process did (`journal.feed()`); what another process wrote is not told.
    pub async fn run(self, mut feed: Feed) {
        // Kept from turn to turn: a record is large, and so is what holds some hundred of them.
        let (mut written, mut notices, mut begun) = (Vec::new(), Vec::new(), feed.position());
        let mut behind = Duration::ZERO;
        loop {
            let most = if self.yielding.give_way().await { slice(behind) } else { AT_ONCE };
            match feed.next(most, &mut written).await {
                Ok(count) => {
                    let last = written.last().filter(|_| count == most);
                    behind = last.map_or(Duration::ZERO, |one| age(one.at));
                    notices.extend(written.iter().map(|one| told(one, self.instance)));
                    self.gathering.show(begun, &mut written, &notices, feed.position());
                    begun = feed.position();
                    let told = notices.drain(..).flatten();
                    told.filter_map(|notice| self.parking.pass(notice))
                        .for_each(|notice| self.callbacks.push(notice));
                    if count < most {
                        self.beat.next().await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be read for the callbacks");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            // One receiver's flood leaves room for the rest of the thread.
            tokio::task::yield_now().await;
        }
    }
}

/// How much is pumped at once while calls wait, so far behind.
fn slice(behind: Duration) -> usize {
    usize::try_from(behind.as_secs())
        .map_or(AT_ONCE, |seconds| FEW.saturating_mul(seconds.saturating_add(1)).min(AT_ONCE))
}

/// What is told of an entry of this process's.
fn told(one: &Fed, instance: InstanceSid) -> Option<Notice> {
    let (Entry::Record(record), Some(known), false) = (&one.entry, &one.known, one.foreign) else {
        return None;
    };
    let (at, started) = (time(one.at), time(known.started));
    let mut notice = Notice::of(record, &known.facts, at, started, known.outbound)?;
    // Its request and its row have the same.
    notice.form = Some(callback::body(&notice, instance).into());
    Some(notice)
}

/// The events that callbacks had no room for, from the journal's files.
pub struct Unread(Archive);

impl Unread {
    /// Reads from `archive`.
    #[must_use]
    pub const fn new(archive: Archive) -> Self {
        Self(archive)
    }
}

impl Backlog for Unread {
    fn undelivered(&self, account: AccountSid, url: &Arc<str>, limit: usize) -> BacklogFuture {
        let (archive, url) = (self.0.clone(), Arc::clone(url));
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || archive.undelivered(account, &url, limit)).await;
            match read {
                Ok(Ok(events)) => events.iter().filter_map(notice).collect(),
                Ok(Err(error)) => {
                    tracing::error!(%error, "undelivered events cannot be read from the journal");
                    Vec::new()
                }
                Err(error) => {
                    tracing::error!(%error, "reading undelivered events ended by itself");
                    Vec::new()
                }
            }
        })
    }
}

fn notice(event: &Undelivered) -> Option<Notice> {
    let known = &event.known;
    let (at, started) = (time(event.at), time(known.started));
    let mut notice = Notice::of(&event.record, &known.facts, at, started, known.outbound)?;
    notice.tries = event.tries;
    Some(notice)
}

/// How long ago something was written; nothing where the clock was set back since.
fn age(micros: u64) -> Duration {
    SystemTime::now().duration_since(time(micros)).unwrap_or_default()
}

fn time(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}

fn millis(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
