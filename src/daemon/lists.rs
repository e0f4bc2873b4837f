//! Lists of very many numbers are walked before somebody asks for them: at the start, and once a great change, an
//! import say, has come to rest. What the server keeps for its indexes is put in order first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Store, StoreError};

/// A change of this many numbers, at once or one after the other, is a great one.
const GREAT: u64 = 20_000;

/// A change has come to rest when nothing was written for so long.
const REST: Duration = Duration::from_secs(2);

/// It is not waited for longer than this.
const LONGEST: Duration = Duration::from_secs(60);

/// What does it.
#[derive(Debug)]
pub struct ListsAhead {
    store: Store,
    live: watch::Receiver<u64>,
    touched: Arc<AtomicU64>,
}

impl ListsAhead {
    /// Of a store; `live` tells each generation that went live, `touched` how many numbers did so far.
    #[must_use]
    pub fn new(store: Store, live: watch::Receiver<u64>, touched: Arc<AtomicU64>) -> Self {
        Self { store, live, touched }
    }

    /// Goes on until nothing goes live any more.
    pub async fn run(mut self) {
        self.told(self.store.walk_lists().await);
        let mut before = self.touched.load(Ordering::Relaxed);
        while self.live.changed().await.is_ok() {
            if self.touched.load(Ordering::Relaxed) - before < GREAT {
                continue;
            }
            self.rest().await;
            before = self.touched.load(Ordering::Relaxed);
            let settled = self.store.settle_numbers().await;
            self.told(settled.map(|()| 0));
            self.told(self.store.walk_lists().await);
        }
    }

    /// Waits until nothing goes live for a while.
    async fn rest(&mut self) {
        let resting =
            async { while let Ok(Ok(())) = tokio::time::timeout(REST, self.live.changed()).await {} };
        // Writing that does not stop is no reason to put it off for ever.
        drop(tokio::time::timeout(LONGEST, resting).await);
    }

    /// Whoever asks for a list then waits for it as for any other.
    fn told(&self, done: Result<u64, StoreError>) {
        match done {
            Ok(lists) => tracing::debug!(lists, "lists are walked ahead"),
            Err(error) => tracing::debug!(%error, "lists could not be walked ahead"),
        }
    }
}
