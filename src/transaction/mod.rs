//! RFC 3261 section 17 with RFC 6026 and RFC 4320: the four transaction machines.
//!
//! A machine is told what happened and says, in a [`step::Step`], what follows from it; it holds a
//! state and an interval, and nothing else. The [`table::Table`] finds the machine a message belongs
//! to, keeps the bytes that are repeated, and runs the machine's timers in the engine's queue.
//!
//! - `timer`: the timers by name. `step`: what a machine wants done.
//! - `server_invite`, `server_other`, `client_invite`, `client_other`: the machines.
//!   `machine`: whichever of the four.
//! - `key`: what a message is matched by (17.1.3, 17.2.3). `slots`: names that do not outlive what
//!   they name. `table`: all transactions of an engine. `outcome`: what it answers. `server`:
//!   requests that came to us. `client`: requests of our own, CANCEL included. `revive`: those of an
//!   earlier life. `compose`: the ACK and the CANCEL an INVITE implies.

pub mod client;
pub mod client_invite;
pub mod client_other;
mod compose;
pub mod key;
mod machine;
mod outcome;
mod revive;
mod server;
pub mod server_invite;
pub mod server_other;
mod slots;
pub mod step;
pub mod table;
#[cfg(test)]
mod tests;
pub mod timer;
