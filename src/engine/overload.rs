//! Who is refused while this node has more to do than it can: new calls alone, the noisiest source's first.
//! What is in a dialog already, and emergency calls, pass by.

use crate::call::ask::Counter;
use crate::engine::admit::{address, first_address};
use crate::engine::core::Engine;
use crate::flow::Flow;
use crate::reason::Reason;
use crate::routing::decide::{Inbound, is_emergency};
use crate::routing::model::{DialledFrom, Trunk};
use crate::sip::Message;

impl Engine {
    /// Refuses a new INVITE where there are too many (RFC 7339 5.10.2: without Retry-After), before it costs
    /// a transaction. True: it is refused.
    pub(super) fn sheds(&mut self, flow: Flow, trunk: Option<&Trunk>, message: &Message<'_>) -> bool {
        let source = trunk.map(|trunk| trunk.sid);
        if self.pressure.admits(self.desk.now, source) || is_an_emergency(trunk, message) {
            return false;
        }
        self.desk.count(Counter::Shed);
        self.refuse_from(trunk, flow, message, 503, Some(Reason::Overloaded));
        true
    }
}

/// Whether an INVITE of this trunk is an emergency call.
pub(super) fn is_an_emergency(trunk: Option<&Trunk>, message: &Message<'_>) -> bool {
    let Some(uri) = message.uri() else { return false };
    let to = message.to();
    let header = match trunk.map(|trunk| &trunk.dialled_from) {
        Some(DialledFrom::Header(name)) => first_address(message, name),
        _ => None,
    };
    is_emergency(&Inbound {
        trunk,
        unknown_organization: None,
        request: address(&uri),
        to: to.parsed_uri().as_ref().map(address).unwrap_or_default(),
        from_host: &[],
        header: header.as_ref().map(address),
    })
}
