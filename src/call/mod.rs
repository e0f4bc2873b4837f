//! One call: its legs, its instructions, its outcome.
//!
//! - `facts`: what stays the same about it. `outcome`: how it stands and ends.
//! - `instructions`: what an application answered. `record`: what the journal keeps.
//! - `program`: which verb is next. `mint`: the ids it puts on the wire. `generator`: randomness.
//! - `config`: what the engine is born with. `headers`: what passes from one side to the other.
//! - `ask`: what a call asks of the world.
//! - `trace`: what its trace shows.

pub mod ask;
pub mod config;
pub mod facts;
pub mod generator;
pub mod instructions;
pub mod mint;
pub mod outcome;
pub mod program;
pub mod record;
pub mod trace;
