//! What operators see of the journal and of deliveries.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::Deliveries;
use super::notices::Notices;
use super::shard::Command;
use crate::callback::{self, Attempt, Dead, Delivery, Outcomes};
use crate::ids::AccountSid;
use crate::journal::{self, Gauge};
use crate::outbound::{Urls, without_secrets};
use crate::telemetry::health::Severity;
use crate::telemetry::{Health, Metrics};

/// How often the journal's state is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Tells shards and operators whether the journal takes new calls, for as long as it is polled.
pub async fn watch_journal(
    gauge: Gauge,
    shards: Vec<tokio::sync::mpsc::Sender<Command>>,
    health: Arc<Health>,
) {
    let mut before = (false, false);
    loop {
        tokio::time::sleep(LOOK).await;
        let (full, on_reserve) = (gauge.is_full(), gauge.is_on_reserve());
        if (full, on_reserve) == before {
            continue;
        }
        if full != before.0 {
            for shard in &shards {
                if shard.send(Command::JournalFull(full)).await.is_err() {
                    return;
                }
            }
        }
        before = (full, on_reserve);
        say(&health, full, on_reserve);
    }
}

/// A node that takes calls into the reserve is degraded; one that refuses them is not ready.
fn say(health: &Health, full: bool, on_reserve: bool) {
    match (full, on_reserve) {
        (true, _) => {
            let sentence = "the disk is full or too slow: new calls get 503 until the journal can be written";
            health.raise("journal", Severity::NotReady, sentence);
        }
        (false, true) => {
            let sentence =
                "the disk is full: calls go on in the journal's reserve, free the disk of journal.directory";
            health.raise("journal", Severity::Degraded, sentence);
        }
        (false, false) => health.clear("journal"),
    }
}

/// Brings what is only asked for, not counted as it happens, up to this moment.
pub fn sample(gauge: &Gauge, callbacks: &callback::Feed, urls: &Urls, metrics: &Metrics) {
    let number = |value: u128| i64::try_from(value).unwrap_or(i64::MAX);
    let journal = &metrics.journal;
    journal.oldest_unwritten_ms.set(number(gauge.oldest_unwritten().as_millis()));
    journal.reserved_bytes.set(number(gauge.reserved().into()));
    journal.segments.set(number(gauge.segments() as u128));
    journal.full.set(i64::from(gauge.is_full()));
    journal.on_reserve.set(i64::from(gauge.is_on_reserve()));
    journal.records.inc_by(gauge.records().saturating_sub(journal.records.get()));
    journal.bytes.inc_by(gauge.bytes().saturating_sub(journal.bytes.get()));
    journal.failures.inc_by(gauge.failures().saturating_sub(journal.failures.get()));
    let (held, spilled) = callbacks.size();
    metrics.callback.pending.set(number((held + spilled) as u128));
    let oldest = callbacks.oldest().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    metrics.callback.oldest_ms.set(number(oldest.as_millis()));
    metrics.webhook.breakers_open.set(number(urls.open().len() as u128));
}

/// Where the journal's times are counted.
pub fn observer(metrics: &Metrics) -> journal::Observer {
    let (write, sync) = (metrics.journal.write_seconds.clone(), metrics.journal.sync_seconds.clone());
    Box::new(move |work, took| match work {
        journal::Work::Write => write.observe(took.as_secs_f64()),
        journal::Work::Sync => sync.observe(took.as_secs_f64()),
    })
}

/// Counts and logs what became of deliveries on its way into the journal.
pub struct Reported {
    deliveries: Arc<Deliveries>,
    metrics: Arc<Metrics>,
    notices: Notices,
}

impl Reported {
    /// Before `deliveries`.
    #[must_use]
    pub const fn new(deliveries: Arc<Deliveries>, metrics: Arc<Metrics>, notices: Notices) -> Self {
        Self { deliveries, metrics, notices }
    }

    fn count(&self, attempt: &Attempt) {
        let callback = &self.metrics.callback;
        callback.seconds.observe(attempt.took.as_secs_f64());
        callback.attempts.inc(match attempt.status {
            Some(200..300) => "success",
            Some(410) => "gone",
            Some(_) => "refused",
            None if attempt.took >= Duration::from_secs(15) => "timeout",
            None => "unreachable",
        });
    }
}

impl Outcomes for Reported {
    fn attempt(&self, delivery: &Delivery, attempt: &Attempt) {
        self.count(attempt);
        let call = delivery.notice.call();
        let (number, error, url) = (attempt.number, &attempt.error, without_secrets(&delivery.url));
        tracing::info!(sid = %call, url, number, error, "a callback failed");
        self.deliveries.attempt(delivery, attempt);
    }

    fn delivered(&self, delivery: &Delivery, attempt: &Attempt) {
        self.count(attempt);
        let callback = &self.metrics.callback;
        callback.delivered.inc();
        if let Ok(lag) = (attempt.at + attempt.took).duration_since(delivery.notice.at) {
            callback.lag_seconds.observe(lag.as_secs_f64());
        }
        self.deliveries.delivered(delivery, attempt);
    }

    fn superseded(&self, delivery: &Delivery) {
        self.metrics.callback.superseded.inc();
        self.metrics.callback.dead.inc();
        self.deliveries.superseded(delivery);
    }

    fn dead(&self, delivery: &Delivery, why: Dead) {
        self.metrics.callback.dead.inc();
        let url = without_secrets(&delivery.url);
        tracing::warn!(sid = %delivery.notice.call(), url, why = why.as_str(), "a callback is given up");
        self.deliveries.dead(delivery, why);
    }

    fn disabled(&self, account: AccountSid, url: &str) {
        tracing::warn!(
            %account,
            url = without_secrets(url),
            "the receiver answered 410: its events are dead letters from here on, until its row is written again \
             or `callgate deliveries enable URL`"
        );
        self.notices.disabled(account, url);
        self.deliveries.disabled(account, url);
    }
}
