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

use crate::call::instructions::Document;
use crate::outbound::Target;
use crate::reason::Reason;

/// The document in the body of an answer; URLs in it are resolved against the target that answered.
///
/// # Errors
/// Why it is none: the reason code that users see.
pub fn document(body: &[u8], target: &Target) -> Result<Document, Reason> {
    rcml::parse(body, target).map_err(|error| error.reason())
}
