//! Whom a call is for: from an INVITE's source, host and dialled string to a decision.
//!
//! - `model`: the things routing knows, as values.

pub mod model;

/// The immutable, numbered snapshot of everything routing knows.
#[derive(Debug, Default)]
pub struct Directory {}
