//! The process: start, run, reload, drain, stop.
//!
//! - `config`: `[node]` and `[limits]`. `shard`: the loop of one shard. `effects`: the order of effects. `clock`: the two scales of time.
//! - `follow`, `full_load`: the directory kept in step with the store.
//! - `ledger`: where the journal meets shards and callbacks. `projection`: its way into the store.

mod clock;
mod config;
mod drain;
mod effects;
mod first;
mod follow;
mod full_load;
mod ledger;
mod listeners;
mod notify;
mod questions;
mod projection;
mod run;
mod shard;
mod shards;
mod start;

pub use clock::Clock;
pub use config::{LimitsConfig, NodeConfig};
pub use effects::{Answerer, Effects, Scribe};
pub use follow::{FollowConfig, Follower, Following};
pub use ledger::{Deliveries, Unread, pump, restore};
pub use projection::{Projection, Sink};
pub use run::{ServeError, serve};
pub use shard::{Command, Load, Shard, ShardParts};
