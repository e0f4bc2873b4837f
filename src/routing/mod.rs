//! Whom a call is for: from an INVITE's source, host and dialled string to a decision.
//!
//! - `model`: the things routing knows, as values.
//! - `trunk`: which trunk a message came from. `limits`: whether it may place one more call.
//! - `dialled`: the dialled string out of the message. `forms`: the spellings it is looked up by.
//! - `decide`: from both to an application, a gateway or a refusal. `explain`: the same, told step by step.
//! - `directory`: the immutable, numbered snapshot, and its next generation by a delta.
//! - `table`, `side`, `slab`, `profiles`, `mains`, `frame`: what it is made of.
//! - `pattern`: one pattern. `patterns`, `trie`: those of an organization, indexed. `lint`: what looks
//!   wrong among them, judged by `samples`.
//! - `peer_policy`: header rules of trunks and gateways, and what else is done as one of them wants.
//! - `text`: a short text held inline.

pub mod decide;
pub mod dialled;
pub mod directory;
pub mod explain;
pub mod forms;
pub mod frame;
pub mod limits;
pub mod lint;
mod mains;
pub mod model;
pub mod pattern;
pub mod patterns;
pub mod peer_policy;
mod profiles;
mod samples;
mod side;
mod slab;
pub mod table;
pub mod text;
mod trie;
pub mod trunk;

pub use decide::{Decision, Inbound, decide};
pub use dialled::{Address, Scheme};
pub use directory::{Builder, Directory};
pub use explain::{explain, explain_message};
