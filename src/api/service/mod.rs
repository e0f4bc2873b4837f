//! The one place that validates what is written, writes it, and answers the generation that shows it.
//! Dialects are thin over it, the command line uses it over the socket.
//!
//! - `access`: who asks, and whose things they may touch. `principal`: the asker.
//! - `numbers`, `applications`, `organizations`, `accounts`: one resource each.
//! - `rows`: tables that operators edit row by row; `trunks`, `gateways`: what each may hold.
//! - `many`: numbers as a tenant has them. `bulk`: many in one request. `sweeps`: all that match. `caps`: how many one account may have.
//! - `lifecycle`: a number's states. `heritage`: what stays with one that comes to somebody else. `sessions`: tokens given for a while.
//! - `inventory`, `offers`: numbers that nobody has. `numbering`: what the numbering plan says of a text.
//! - `urls`, `texts`: what a stored URL, number or target may be. `error`: why the service refused; `refused`: why a number does not move.

mod access;
mod accounts;
mod applications;
mod bulk;
mod caps;
mod error;
mod gateways;
mod heritage;
mod inventory;
mod lifecycle;
mod many;
pub(super) mod numbering;
mod numbers;
mod offers;
mod organizations;
mod principal;
mod refused;
mod rows;
mod sessions;
mod sweeps;
mod texts;
mod trunks;
mod urls;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::api::buckets::Buckets;
use crate::outbound::Guard;
use crate::routing::Directory;
use crate::store::{Entity, Store};

pub use bulk::{Bulk, BulkNumber, Existing};
pub use error::ServiceError;
pub use lifecycle::Lookup;
pub use many::Made;
pub use numbers::NewNumber;
pub use principal::Principal;
pub use refused::Refused;
pub use rows::Operated;
pub use sessions::{Claim, Hashed};
pub use sweeps::Sweep;

/// What the service's functions return.
pub type Result<T, E = ServiceError> = std::result::Result<T, E>;

/// The service layer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    store: Store,
    directory: Arc<ArcSwap<Directory>>,
    guard: Guard,
    strict: bool,
    /// Requests of accounts that have a limit of them.
    requests: Arc<Buckets>,
}

/// A row as it stands after a write, with what is worth saying about it.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The row.
    pub value: T,
    /// The generation of the directory that shows it.
    pub generation: u64,
    /// Remarks: the write stands, something about it is doubtful.
    pub warnings: Vec<String>,
}

impl Service {
    /// A service over `store`. `directory` is the live one, which remarks compare with; `guard` says
    /// which literal addresses of URLs will be refused at call time.
    #[must_use]
    pub fn new(store: Store, directory: Arc<ArcSwap<Directory>>, guard: Guard) -> Self {
        let requests = Arc::new(Buckets::new(Duration::from_secs(1)));
        Self { store, directory, guard, strict: false, requests }
    }

    /// With `[inventory] strict`: customers get provider numbers out of the inventory only.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads a row, lets `edit` change it and `check` look at the outcome, then writes it: `edit`
    /// is laid over the row as it stands at that moment, so that two writers of different fields
    /// both have their way.
    async fn rewrite<T: Entity, E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        before: T,
        edit: &(impl Fn(&mut T) -> Result<(), E> + Sync),
    ) -> Result<(T, u64), E> {
        let changed = self.store.change::<T, E>(&who.actor(), before.id(), edit).await;
        let written = changed.map_err(ServiceError::from)??;
        Ok((written.row, written.generation))
    }
}

/// A friendly name holds at most 64 characters.
fn check_name(field: &'static str, name: &str) -> Result<()> {
    let length = name.chars().count();
    if length > 64 {
        return Err(ServiceError::field(field, format!("is {length} characters long: use at most 64")));
    }
    if name.chars().any(char::is_control) {
        return Err(ServiceError::field(field, "holds control characters: leave them out"));
    }
    Ok(())
}
