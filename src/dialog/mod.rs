//! RFC 3261 section 12: dialogs.
//!
//! - `state`: what a dialog is, made from the messages that open it. `request`: requests inside it,
//!   ours written and the peer's checked.

mod request;
mod state;

pub use request::OutOfOrder;
pub use state::{Dialog, Local, NoDialog};
