//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::buckets::Buckets;
use super::config::{HttpConfig, KazooConfig};
use super::handles::Handles;
use super::service::{Service, numbering};

/// The API's state; a clone is a pointer.
#[derive(Clone, Debug)]
pub struct Api(Arc<Shared>);

/// See [`Api`].
#[derive(Debug)]
pub struct Shared {
    pub(super) handles: Handles,
    pub(super) service: Service,
    pub(super) config: HttpConfig,
    pub(super) kazoo: KazooConfig,
    pub(super) activations: Buckets,
    pub(super) gate: Arc<Semaphore>,
    pub(super) waiting: Arc<Semaphore>,
}

impl Api {
    /// The API over what the daemon wires in. The numbering plan is warmed meanwhile.
    #[must_use]
    pub fn new(handles: Handles, service: Service, config: HttpConfig, kazoo: KazooConfig) -> Self {
        let warmed = std::thread::Builder::new().name("numbering-plan".to_owned()).spawn(numbering::warm);
        if let Err(error) = warmed {
            tracing::warn!(%error, "the numbering plan is not warmed: the first look into it takes longer");
        }
        let room = || Arc::new(Semaphore::new(config.max_requests));
        let (gate, waiting) = (room(), room());
        let activations = Buckets::new(Duration::from_hours(24));
        Self(Arc::new(Shared { handles, service, config, kazoo, activations, gate, waiting }))
    }
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
