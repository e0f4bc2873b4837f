//! The call journal: append-only, local to the node, whatever the store.
//!
//! Shards hand over records, already encoded, and never wait; one thread writes what has gathered
//! and says so, a second one syncs it to the disk within 10 ms. Everyone else reads the files: a
//! [`Feed`] follows what is written, and one that lags only reads older bytes. At start the files
//! are replayed: calls that have no end are taken over by whoever opened the journal.
//!
//! - `entry`: what is kept. `legs`: which target's leg counts. `wire`, `words`, `frame`: how it stands in bytes.
//! - `segment`: the files, preallocated, with a reserve against a full disk. `track`: when one may go.
//! - `shared`: what the threads have in common. `pen`: a shard's end of it. `thread`: the writer and
//!   the syncer. `replay`: the start. `feed`: reading on. `open`: the whole.
//! - `estate`: what one process leaves another.

mod entry;
mod estate;
mod feed;
mod frame;
mod legs;
mod open;
mod pen;
mod replay;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod thread;
mod track;
mod wire;
mod words;

pub use entry::{Entry, Fate, Outcome};
pub use estate::{Estate, gather};
pub use feed::{Fed, Feed, Held, Known};
pub use frame::VERSION as FORM;
pub use open::{Archive, Config, Gauge, Journal, JournalError};
pub use pen::Pen;
pub use replay::{Replay, Undelivered};
pub use segment::{Allocate, Disk};
pub use shared::{Observer, Work};
pub use track::{ANSWERED_NEEDS, LEG_NEEDS, UNANSWERED_NEEDS};
