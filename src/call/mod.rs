//! One call: its legs, its instructions, its outcome.
//!
//! - `facts`: what stays the same about it. `outcome`: how it stands and ends.
//! - `instructions`: what an application answered. `record`: what the journal keeps.
//! - `ask`: what a call asks of the world.
//! - `trace`: what its trace shows.

pub mod ask;
pub mod facts;
pub mod instructions;
pub mod outcome;
pub mod record;
pub mod trace;
