//! The machines and their table in virtual time: every instant exactly, by RFC and section.
//!
//! - `world`: a table, its timers and a log. `clients`, `servers`: the machines. `matching`: which of
//!   them a message is for. `anything`: random events.

mod anything;
mod clients;
mod matching;
mod servers;
mod world;
