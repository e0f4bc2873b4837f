//! What became of deliveries, and where those wait that memory has no room for.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::notice::Notice;
use crate::ids::AccountSid;

/// One event for one receiver, named.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event.
    pub notice: Arc<Notice>,
    /// The receiver's URL as stored.
    pub url: Arc<str>,
}

/// One HTTP try that failed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Which try it was, from 1, those before a restart included.
    pub number: u32,
    /// When it began.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// What went wrong, in words; empty after a success.
    pub error: String,
    /// When the next try comes; `None`: there is none.
    pub next: Option<Duration>,
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dead {
    /// Every try of the schedule failed.
    Exhausted,
    /// The receiver answered 410, now or before; its URL is disabled for the account.
    Disabled,
    /// The stored URL cannot be requested.
    UrlInvalid,
}

impl Dead {
    /// The word users see in the list of dead letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Disabled => "disabled",
            Self::UrlInvalid => "url_invalid",
        }
    }
}

/// Hears what became of deliveries, in order per call. Must not block: it is called on the control
/// thread.
pub trait Outcomes: Send + Sync {
    /// A try failed; it may not have been the last.
    fn attempt(&self, delivery: &Delivery, attempt: &Attempt);
    /// The receiver took it (2xx), with this try.
    fn delivered(&self, delivery: &Delivery, attempt: &Attempt);
    /// It held up a terminal event and was given up: a dead letter.
    fn superseded(&self, delivery: &Delivery);
    /// It was given up: a dead letter.
    fn dead(&self, delivery: &Delivery, why: Dead);
    /// The receiver answered 410: nothing is sent to this URL for this account any more, until
    /// [`super::Feed::enable`].
    fn disabled(&self, account: AccountSid, url: &str);
}

/// What a question to the backlog is under way to.
pub type BacklogFuture = Pin<Box<dyn Future<Output = Vec<Notice>> + Send>>;

/// The undelivered events that memory had no room for.
pub trait Backlog: Send + Sync {
    /// The oldest undelivered events of one receiver, at most `limit`, those of one call in order.
    /// Some of them may be in memory already; they are recognised.
    fn undelivered(&self, account: AccountSid, url: &Arc<str>, limit: usize) -> BacklogFuture;
}
