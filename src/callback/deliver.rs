//! The queue at work: on the control thread, over lanes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::config::Config;
use super::notice::{Notice, Receiver};
use super::outcomes::{Attempt, Backlog, Delivery, Outcomes};
use super::queue::{Chance, Queue, Try};
use super::receiver::{End, Result as TryResult};
use super::request;
use crate::ids::{AccountSid, InstanceSid};
use crate::outbound::{Client, Targets};
use crate::routing::model::SigningKeys;
use crate::time;

/// How often it is looked whether the last try has ended.
const REST: Duration = Duration::from_millis(5);

/// What callbacks are born with.
#[derive(Clone)]
pub struct Setup {
    /// The rules.
    pub config: Config,
    /// `InstanceId`.
    pub instance: InstanceSid,
    /// The client of the thread that runs [`Callbacks::run`].
    pub client: Client,
    /// The signing keys of an account.
    pub keys: Arc<dyn Fn(AccountSid) -> Option<Arc<SigningKeys>> + Send + Sync>,
    /// Hears what became of deliveries.
    pub outcomes: Arc<dyn Outcomes>,
    /// Where those wait that have no room.
    pub backlog: Arc<dyn Backlog>,
}

/// Takes notices, on any thread, without waiting for anything. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// Delivers what the feed was given.
pub struct Callbacks {
    setup: Arc<Setup>,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Rung when something is due earlier than was known.
    bell: Notify,
    origin: Instant,
    /// No try begins any more.
    resting: AtomicBool,
    /// Lanes at work.
    lanes: AtomicUsize,
    targets: Targets,
}

impl Callbacks {
    /// Callbacks and their feed. Nothing is sent until [`Self::run`].
    #[must_use]
    pub fn new(setup: Setup) -> (Feed, Self) {
        let queue = Mutex::new(Queue::new(setup.config.clone(), chance()));
        let shared = Arc::new(Shared {
            queue,
            bell: Notify::new(),
            origin: Instant::now(),
            resting: AtomicBool::new(false),
            lanes: AtomicUsize::new(0),
            targets: Targets::default(),
        });
        (Feed { shared: shared.clone() }, Self { setup: Arc::new(setup), shared })
    }

    /// Delivers, until the future is dropped; tries in flight then end unheard and are made again
    /// from the journal.
    pub async fn run(self) {
        let mut lanes = JoinSet::new();
        let mut refill = Instant::now();
        loop {
            let (tries, thirsty, next) = {
                let mut queue = self.shared.lock();
                let resting = self.shared.resting.load(Ordering::Relaxed);
                let tries = if resting { Vec::new() } else { queue.start(self.shared.now()) };
                let due = Instant::now() >= refill;
                let thirsty = if due { queue.thirsty() } else { Vec::new() };
                (tries, thirsty, queue.next())
            };
            for next in tries {
                self.shared.lanes.fetch_add(1, Ordering::Relaxed);
                lanes.spawn(lane(self.setup.clone(), self.shared.clone(), next));
            }
            if !thirsty.is_empty() || Instant::now() >= refill {
                refill = Instant::now() + self.setup.config.refill;
            }
            for (receiver, room) in thirsty {
                lanes.spawn(drink(self.setup.clone(), self.shared.clone(), receiver, room));
            }
            self.shared.report(&*self.setup.outcomes);
            let next = next.filter(|_| !self.shared.resting.load(Ordering::Relaxed));
            let wake = next.map(|at| self.shared.origin + at.since(time::Instant::ZERO));
            tokio::select! {
                () = self.shared.bell.notified() => {}
                () = sleep_until(wake.unwrap_or(refill).min(refill)) => {}
                Some(done) = lanes.join_next() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "a callback lane ended by itself");
                    }
                }
            }
            // What falls due meanwhile leaves with the rest.
            self.setup.config.beat.next().await;
            while lanes.try_join_next().is_some() {}
        }
    }
}

impl Feed {
    /// Takes a written event. What finds no room in memory stays in the backlog.
    pub fn push(&self, notice: Notice) {
        self.shared.with(|queue, now| queue.push(notice, now));
    }

    /// Sends nothing to this URL for this account: it answered 410 in an earlier life.
    pub fn disable(&self, account: AccountSid, url: &str) {
        let receiver = Receiver { account, url: url.into() };
        self.shared.with(|queue, now| queue.disable(receiver, now));
    }

    /// Sends to this URL again: its row was written again, or an operator said so.
    pub fn enable(&self, account: AccountSid, url: &str) {
        let receiver = Receiver { account, url: url.into() };
        self.shared.with(|queue, _| queue.enable(&receiver));
    }

    /// Begins no more tries, and waits for those in flight: what is due from here on is another's.
    pub async fn rest(&self) {
        self.shared.resting.store(true, Ordering::Relaxed);
        self.shared.bell.notify_one();
        while self.shared.lanes.load(Ordering::Relaxed) > 0 {
            sleep(REST).await;
        }
    }

    /// Receivers that nothing is sent to, by account and URL.
    #[must_use]
    pub fn disabled(&self) -> Vec<(AccountSid, Arc<str>)> {
        self.shared.lock().disabled()
    }

    /// Events in memory, and events known to wait in the backlog.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.shared.lock().size()
    }

    /// When the oldest undelivered event in memory happened. Looks at each call that waits: for a
    /// scrape, not for each event.
    #[must_use]
    pub fn oldest(&self) -> Option<SystemTime> {
        self.shared.lock().oldest()
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (held, spilled) = self.size();
        write!(f, "Feed({held} held, {spilled} in the backlog)")
    }
}

impl Shared {
    fn with(&self, change: impl FnOnce(&mut Queue, time::Instant)) {
        let earlier = {
            let mut queue = self.lock();
            let before = queue.next();
            change(&mut queue, self.now());
            let after = queue.next();
            after.is_some() && after != before
        };
        if earlier {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> time::Instant {
        time::Instant::ZERO + self.origin.elapsed()
    }

    /// Hands over what was given up.
    fn report(&self, outcomes: &dyn Outcomes) {
        let ended = self.lock().ended();
        for end in ended {
            match end {
                End::Superseded(notice) => outcomes.superseded(&delivery(notice)),
                End::Dead(notice, why) => outcomes.dead(&delivery(notice), why),
            }
        }
    }
}

/// Makes one try, and goes on with whatever is due to the same receiver: the connection is warm.
async fn lane(setup: Arc<Setup>, shared: Arc<Shared>, first: Try) {
    let mut next = Some(first);
    while let Some(tried) = next.take() {
        make(&setup, &shared, &tried).await;
        next = if shared.resting.load(Ordering::Relaxed) {
            None
        } else {
            let mut queue = shared.lock();
            queue.start_at(&tried.receiver, shared.now())
        };
        shared.report(&*setup.outcomes);
    }
    shared.lanes.fetch_sub(1, Ordering::Relaxed);
}

async fn make(setup: &Setup, shared: &Shared, tried: &Try) {
    let (at, began) = (SystemTime::now(), Instant::now());
    let keys = (setup.keys)(tried.receiver.account).unwrap_or_default();
    let (result, status, error) =
        match request::request(&tried.notice, &keys, setup.instance, &shared.targets, at) {
            Err(error) => (TryResult::Unsendable, None, error.to_string()),
            Ok(request) => {
                let answer = setup.client.send(&request, began + setup.config.attempt).await;
                request::judge(&answer, SystemTime::now())
            }
        };
    // Reported without the lock, since whoever listens may be busy with a push of its own; in order
    // all the same, since all lanes run on this thread and nothing here waits.
    let next = shared.lock().finish(tried, result, shared.now());
    let attempt = Attempt { number: tried.number, at, took: began.elapsed(), status, error, next };
    let delivery = delivery(tried.notice.clone());
    match result {
        TryResult::Taken => setup.outcomes.delivered(&delivery, &attempt),
        TryResult::Gone => {
            setup.outcomes.attempt(&delivery, &attempt);
            setup.outcomes.disabled(tried.receiver.account, &tried.receiver.url);
        }
        TryResult::Failed { .. } | TryResult::Unsendable => setup.outcomes.attempt(&delivery, &attempt),
    }
    shared.report(&*setup.outcomes);
}

/// Reads a receiver's backlog into memory.
async fn drink(setup: Arc<Setup>, shared: Arc<Shared>, receiver: Receiver, room: usize) {
    let notices = setup.backlog.undelivered(receiver.account, &receiver.url, room).await;
    shared.with(|queue, now| queue.refill(&receiver, notices, now));
}

fn delivery(notice: Arc<Notice>) -> Delivery {
    let url = notice.hook().map_or_else(|| "".into(), |hook| hook.url.clone());
    Delivery { notice, url }
}

/// Jitter needs to differ between nodes and starts, not to be unguessable.
fn chance() -> Chance {
    use std::hash::{BuildHasher, Hasher};
    let (state, mut count) = (foldhash::fast::RandomState::default(), 0_u64);
    Box::new(move || {
        count += 1;
        let mut hasher = state.build_hasher();
        hasher.write_u64(count);
        // 53 bits: as many as a double keeps.
        (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
    })
}
