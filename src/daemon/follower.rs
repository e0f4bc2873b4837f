//! The handle on the directory follower: reloads on request, generations as they go live, and the last of them.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::api::{BoxFuture, GenerationNote, ReloadError, ReloadOptions, ReloadReport};
use crate::daemon::lists::ListsAhead;
use crate::routing::Directory;
use crate::store::Store;

/// The handle that others hold.
#[derive(Clone, Debug)]
pub struct Follower {
    pub(super) shared: Arc<Shared>,
    pub(super) orders: mpsc::Sender<Order>,
}

/// What the follower's task shows it.
#[derive(Debug)]
pub(super) struct Shared {
    pub directory: Arc<ArcSwap<Directory>>,
    pub live: watch::Sender<u64>,
    /// The generation of the process that is to follow this one, while there is one.
    pub ahead: watch::Sender<Option<u64>>,
    /// Numbers that changed since the first directory.
    pub touched: Arc<AtomicU64>,
    /// Somebody wrote through this process.
    pub written: Notify,
    pub history: Mutex<VecDeque<GenerationNote>>,
}

/// A reload that somebody waits for.
pub(super) struct Order {
    pub options: ReloadOptions,
    pub answer: oneshot::Sender<Result<ReloadReport, ReloadError>>,
}

impl Follower {
    /// Tells every generation that goes live.
    #[must_use]
    pub fn live(&self) -> watch::Receiver<u64> {
        self.shared.live.subscribe()
    }

    /// To be told what generation is live in the process that takes new calls, where that is another.
    #[must_use]
    pub fn ahead(&self) -> watch::Sender<Option<u64>> {
        self.shared.ahead.clone()
    }

    /// What walks lists of numbers before they are asked for.
    #[must_use]
    pub fn lists_ahead(&self, store: Store) -> ListsAhead {
        ListsAhead::new(store, self.live(), Arc::clone(&self.shared.touched))
    }
}

impl crate::api::Follower for Follower {
    fn reload(&self, options: ReloadOptions) -> BoxFuture<'_, Result<ReloadReport, ReloadError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.orders.try_send(Order { options, answer }).map_err(|_| ReloadError::Busy)?;
            // The follower ends with the process only.
            answered.await.unwrap_or(Err(ReloadError::Busy))
        })
    }

    fn wait(&self, generation: u64, limit: Duration) -> BoxFuture<'_, u64> {
        Box::pin(async move {
            let (mut live, mut ahead) = (self.live(), self.shared.ahead.subscribe());
            let both = async {
                drop(live.wait_for(|now| *now >= generation).await);
                drop(ahead.wait_for(|there| there.is_none_or(|there| there >= generation)).await);
            };
            drop(tokio::time::timeout(limit, both).await);
            let (here, there) = (*self.shared.live.borrow(), *self.shared.ahead.borrow());
            there.map_or(here, |there| there.min(here))
        })
    }

    fn look(&self) {
        self.shared.written.notify_one();
    }

    fn history(&self) -> Vec<GenerationNote> {
        let history = self.shared.history.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        history.iter().cloned().collect()
    }
}
