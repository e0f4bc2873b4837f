//! The projection of the journal: written in batches, read by lists, traces and retries.
//!
//! - `rows`: its tables. `project`: one batch, in one transaction, any number of times over.
//! - `lists`: what the API shows. `deliveries`: what is due, what was given up, and once more.
//! - `notifications`: what was wrong with applications. `retention`: forgetting what is old.

mod deliveries;
mod lists;
mod notifications;
mod project;
mod retention;
mod rows;

pub use deliveries::DeliveryState;
pub use lists::{CallFilter, CallLegFilter, DeliveryFilter};
pub use notifications::{NotificationFilter, NotificationRow};
pub use project::Batch;
pub use retention::FORGOTTEN_AT_ONCE;
pub use rows::{
    AttemptRow, CallLegRow, CallRow, DeliveryRow, EventRow, LegRow, TraceRow, delivery_id, push_line,
};
