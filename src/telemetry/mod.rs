//! What operators see of a running callgate, apart from answers to their requests.
//!
//! - `log`: the log's configuration, its set-up, its span per call; a slow reader never stops a shard.
//! - `metrics`: every counter, gauge and histogram with its name and help.
//! - `health`: whether this node is ready, and what is degraded.
//! - `seldom`: a bound on lines that strangers can cause. `chain`: an error in one of them.
//! - `gateways`: how each stands, and what became of its calls.
//! - `calls`: the live calls and their traces, by CallSid and by Call-ID, `lines`: a trace packed. `messages`: the latest messages and theirs.

pub mod calls;
mod chain;
mod gateways;
pub mod health;
mod lines;
pub mod log;
pub mod messages;
pub mod metrics;
mod seldom;

pub use calls::Calls;
pub use chain::chain;
pub use gateways::{GatewayCounts, Gateways};
pub use health::Health;
pub use messages::Messages;
pub use metrics::Metrics;
pub use seldom::Seldom;
