//! The process: start, run, reload, drain, stop.
//!
//! - `start`: step by step. `settings`: what the configuration means to each room. `doors`: what is listened on. `run`: signals until the end. `reload`: HUP. `drain`: the end without loss. `notify`: who is told.
//! - `config`: `[node]`, `[limits]`, `[journal]`. `first`: what an empty store needs. `listeners`: what is shown of them.
//! - `front`, `yielding`: who comes before whom. `control`: what the API does to calls. `shards`: the threads. `shard`: the loop of one. `effects`: the order of effects. `clock`: the two scales of time.
//! - `narrate`: what the log says of calls.
//! - `questions`: where asks are answered. `reports`: what operators see of the journal and of deliveries.
//! - `follow`, `full_load`, `on_disk`: the directory kept in step with the store, and on disk; `loader`: the thread of a full load; `follower`: the handle on it. `lists`: those of many numbers, walked before they are asked for.
//! - `ledger`: where the journal meets shards and callbacks. `projection`: its way into the store, `gathering` what is on it, `call_rows` and `leg_rows` what becomes of it there.
//! - `upgrade`: another process takes all over, `succession`: from that one's side.
//! - `takeover`: calls of an earlier life, to the shards that own them.
//! - `forget`: what is older than its retention.
//! - `traces`: ended calls' traces into the journal. `receivers`: those that answered 410, and again.

mod call_rows;
mod clock;
mod config;
mod control;
mod doors;
mod drain;
mod effects;
mod first;
mod follow;
mod follower;
mod forget;
mod front;
mod full_load;
mod gathering;
mod ledger;
mod leg_rows;
mod listeners;
mod lists;
mod loader;
mod narrate;
mod notices;
mod notify;
mod on_disk;
mod projection;
mod questions;
mod receivers;
mod reload;
mod reports;
mod run;
mod settings;
mod shard;
mod shards;
mod start;
mod succession;
mod takeover;
mod traces;
mod upgrade;
mod yielding;

pub use clock::Clock;
pub use config::{JournalSection, LimitsConfig, NodeConfig};
pub use effects::{Answerer, Effects, Scribe};
pub use follow::{FollowConfig, Following};
pub use follower::Follower;
pub use forget::Forgetting;
pub use gathering::Gathering;
pub use ledger::{Deliveries, Pump, Unread, restore};
pub use listeners::check as check_listener;
pub use lists::ListsAhead;
pub use projection::{Projection, Sink};
pub use run::{ServeError, serve};
pub use shard::{Command, Load, Shard, ShardParts};
pub(crate) use succession::cannot_follow;
pub use yielding::Yielding;
