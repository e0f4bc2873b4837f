//! RFC 3261 section 18 and RFC 3581: where answers go, what arrived from where, where requests go.
//!
//! - `response`: the flow of a response. `next_hop`: where a URI leads, and through which listener.
//! - `sent_by`: how Via and Contact name a listener toward a peer. `nat`: peers whose Contact is no
//!   address for us.

pub mod nat;
pub mod next_hop;
pub mod response;
pub mod sent_by;
