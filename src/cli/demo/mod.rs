//! The demo: a router, an application and two telephones on one machine.
//!
//! - `phone`: a telephone, written with `rsip`. `wire`: what carries its messages.

pub mod phone;
pub mod wire;
