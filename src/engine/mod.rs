//! The one door of the core: Input -> Engine -> Output.
//!
//! - `door`: the types that pass through it. `config`: what the engine is born with.

pub mod config;
pub mod door;
