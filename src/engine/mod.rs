//! The one door of the core: Input -> Engine -> Output.
//!
//! - `door`: the types that pass through it. `config`: what the engine is born with.
//! - `core`: the engine itself.

pub use crate::call::config;
mod core;
pub mod door;

pub use self::core::{Engine, Footprint};
