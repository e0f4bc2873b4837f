//! Notifications on their way into the store: told by whoever meets what is wrong with an application,
//! paced, and written by *control*. No call waits for them, and one that cannot be kept is counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::call::facts::CallFacts;
use crate::call::messages::MessageStep;
use crate::ids::{AccountSid, CallSid, NotificationSid};
use crate::outbound::without_secrets;
use crate::reason::Reason;
use crate::routing::model::Method;
use crate::store::calls::NotificationRow;
use crate::store::{Store, random_id};
use crate::telemetry::{Calls, Metrics};
use crate::webhook::Try;

/// Notifications that may wait for the store (DESIGN: queues).
const WAITING: usize = 1_024;
/// Rows of one write.
const AT_ONCE: usize = 64;
/// What is gathered is written this often.
const EVERY: Duration = Duration::from_millis(200);
/// Within this the same of an account is written once, and [`MOST`] of it altogether.
const WINDOW: Duration = Duration::from_secs(60);
const MOST: usize = 60;
/// Accounts told apart within one window; further ones wait for the next.
const ACCOUNTS: usize = 4_096;
/// The longest text kept, in bytes.
const LONGEST: usize = 500;

/// Where notifications are told. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    told: mpsc::Sender<NotificationRow>,
    metrics: Arc<Metrics>,
}

impl Notices {
    /// A place to tell them, and what writes them into `store`.
    #[must_use]
    pub fn new(store: Store, metrics: Arc<Metrics>) -> (Self, Writing) {
        let (told, waiting) = mpsc::channel(WAITING);
        let writing = Writing { store, waiting, metrics: metrics.clone(), pace: Pace::default() };
        (Self { told, metrics }, writing)
    }

    /// A try of a webhook that gave nothing usable.
    pub fn failed(&self, account: AccountSid, call: CallSid, tried: &Try) {
        let Some(reason) = tried.failed else { return };
        let text = tried.detail.as_deref().unwrap_or(reason.sentence());
        self.tell(NotificationRow {
            url: tried.url.to_string(),
            method: Some(tried.method),
            http_status: tried.status,
            ..row(account, Some(call), reason.code(), number(reason), text)
        });
    }

    /// A call that ended by what its document says.
    pub fn ended(&self, facts: &CallFacts, reason: Reason) {
        if is_of_document(reason) {
            self.tell(row(facts.account, Some(facts.call), reason.code(), number(reason), reason.sentence()));
        }
    }

    /// A call to a number of the account about which nobody is to be asked.
    pub fn unasked(&self, account: AccountSid, reason: Reason, dialled: &str) {
        let text = format!("{dialled}: {}", reason.sentence());
        self.tell(row(account, None, reason.code(), number(reason), &text));
    }

    /// A MESSAGE that was answered by what its document says.
    pub fn answered(&self, calls: &Calls, sid: CallSid, step: &MessageStep) {
        if let MessageStep::Answered(_, Some(reason)) = step
            && is_of_document(*reason)
            && let Some(message) = calls.messages.get(sid)
        {
            self.ended(&message.facts, *reason);
        }
    }

    /// A target of a document that its account may not dial.
    pub fn refused(&self, account: AccountSid, call: CallSid, reason: Reason) {
        self.tell(row(account, Some(call), reason.code(), number(reason), reason.sentence()));
    }

    /// A receiver of callbacks that wants no more of them.
    pub fn disabled(&self, account: AccountSid, url: &str) {
        let text = "the receiver answered 410: it is told nothing until its row is written again or \
                    `callgate deliveries enable URL`";
        self.tell(NotificationRow {
            url: without_secrets(url).to_owned(),
            method: Some(Method::Post),
            http_status: Some(410),
            ..row(account, None, "receiver_disabled", 11_206, text)
        });
    }

    /// At the limit it is lost, and counted.
    fn tell(&self, row: NotificationRow) {
        if self.told.try_send(row).is_err() {
            self.metrics.store.notifications.inc("lost");
        }
    }
}

/// Writes what is told.
pub struct Writing {
    store: Store,
    waiting: mpsc::Receiver<NotificationRow>,
    metrics: Arc<Metrics>,
    pace: Pace,
}

impl Writing {
    /// Until nobody can tell any more.
    pub async fn run(mut self) {
        let mut rows = Vec::with_capacity(AT_ONCE);
        while self.waiting.recv_many(&mut rows, AT_ONCE).await > 0 {
            let now = Instant::now();
            let told = rows.len();
            rows.retain(|row| self.pace.lets(now, row));
            self.metrics.store.notifications.add("repeated", (told - rows.len()) as u64);
            self.write(&mut rows).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn write(&mut self, rows: &mut Vec<NotificationRow>) {
        if rows.is_empty() {
            return;
        }
        for row in rows.iter_mut() {
            match random_id() {
                Ok(id) => row.id = NotificationSid(id),
                Err(error) => tracing::error!(%error, "a notification has no id of its own"),
            }
        }
        let count = rows.len() as u64;
        match self.store.notify(rows).await {
            Ok(()) => self.metrics.store.notifications.add("written", count),
            Err(error) => {
                self.metrics.store.failures.inc();
                self.metrics.store.notifications.add("lost", count);
                tracing::warn!(%error, count, "notifications could not be written");
            }
        }
        rows.clear();
    }
}

/// What was written within the window.
#[derive(Default)]
struct Pace {
    began: Option<Instant>,
    seen: HashMap<AccountSid, HashSet<(String, String)>>,
}

impl Pace {
    fn lets(&mut self, now: Instant, row: &NotificationRow) -> bool {
        if self.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            (self.began, self.seen) = (Some(now), HashMap::new());
        }
        if self.seen.len() >= ACCOUNTS && !self.seen.contains_key(&row.account_id) {
            return false;
        }
        let seen = self.seen.entry(row.account_id).or_default();
        let about = if row.url.is_empty() { &row.text } else { &row.url };
        seen.len() < MOST && seen.insert((row.reason.clone(), about.clone()))
    }
}

fn row(
    account: AccountSid,
    call: Option<CallSid>,
    reason: &str,
    error_code: u32,
    text: &str,
) -> NotificationRow {
    let mut text = text.replace(|c: char| c.is_control(), " ");
    text.truncate(text.floor_char_boundary(LONGEST));
    NotificationRow {
        id: NotificationSid(0),
        account_id: account,
        call_id: call,
        at: Timestamp::now(),
        error_code,
        reason: reason.to_owned(),
        text,
        url: String::new(),
        method: None,
        http_status: None,
    }
}

/// Restcomm's number for a reason.
const fn number(reason: Reason) -> u32 {
    match reason {
        Reason::WebhookTimeout | Reason::WebhookUnreachable | Reason::WebhookOverloaded => 11_205,
        Reason::WebhookAddressRefused => 11_205,
        Reason::WebhookStatus | Reason::WebhookRedirects => 11_206,
        Reason::WebhookNotFound => 21_402,
        Reason::WebhookUrlInvalid => 11_100,
        Reason::TargetNotAllowed | Reason::DialLimit => 13_227,
        Reason::WebhookEmpty | Reason::WebhookNotXml | Reason::WebhookTooLarge => 12_100,
        _ => 11_001,
    }
}

/// Ends that the tries of the webhook say nothing of: the document was read, and could not be done.
const fn is_of_document(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TargetInvalid
            | Reason::NoGateway
            | Reason::NoRegistrar
            | Reason::CallerIdRefused
            | Reason::NoMedia
            | Reason::WebhookRedirects
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_written_once_a_minute_and_an_account_has_its_limit() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let of = |account, url: &str| NotificationRow {
            url: url.to_owned(),
            ..row(AccountSid(account), None, "webhook_timeout", 11_205, "")
        };
        assert!(pace.lets(now, &of(1, "a")) && !pace.lets(now, &of(1, "a")));
        assert!(pace.lets(now, &of(2, "a")));
        let about = |text| row(AccountSid(3), None, "number_without_application", 11_001, text);
        assert!(pace.lets(now, &about("1: x")) && !pace.lets(now, &about("1: x")));
        assert!(pace.lets(now, &about("2: x")));
        let more = (0..100).filter(|n| pace.lets(now, &of(1, &n.to_string()))).count();
        assert_eq!(more, MOST - 1);
        assert!(pace.lets(now + WINDOW, &of(1, "a")));
    }

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        let row = row(AccountSid(1), None, "x", 1, &"a\r\nü".repeat(400));
        assert!(row.text.len() <= LONGEST && !row.text.contains('\n'));
    }
}
