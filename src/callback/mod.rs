//! The asynchronous report: at least once, in order per call.
//!
//! The cast, from the journal to the application:
//!
//! - A [`Notice`] is one event for one receiver, made of a written journal record.
//! - The [`Feed`] takes notices from whoever reads the journal, on any thread, without waiting.
//! - The `queue` decides, in virtual time and without a socket, what is tried when: per call in
//!   order, per receiver (account and URL) so many at once, retries, `superseded`, dead letters.
//!   `receiver` is one receiver's part of it, `line` one call's.
//! - [`Callbacks`] runs it on the control thread: what fell due within 10 ms leaves together, over a
//!   few lanes per receiver, each lane one connection at a time. Its [`Beat`] others may share.
//! - [`Outcomes`] hears what became of each delivery; the journal keeps it.
//! - `replay` tries one of long ago once more, when somebody asks for it.
//! - The [`Backlog`] gives back, when there is room again, what a receiver had no room for in memory.

mod beat;
mod config;
mod deliver;
mod line;
mod notice;
mod outcomes;
mod queue;
mod receiver;
mod replay;
mod request;

pub use beat::Beat;
pub use config::Config;
pub use deliver::{Callbacks, Feed, Setup};
pub use notice::Notice;
pub use outcomes::{Attempt, Backlog, BacklogFuture, Dead, Delivery, Outcomes};
pub use replay::{Replay, Replayed, replay};
pub use request::body;

#[cfg(test)]
mod tests;
