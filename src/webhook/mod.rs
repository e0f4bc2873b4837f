//! The synchronous question: what shall this call do?
//!
//! - `config`: `[webhook]`. `ask`: one question from its URLs to its answer. `budget`: who gets how
//!   much of the time. `rcml`: the document that comes back.

mod ask;
mod budget;
mod config;
pub mod rcml;

pub use ask::{Asked, Keys, Setup, Try, Webhook};
pub use config::{Allowance, Config};
