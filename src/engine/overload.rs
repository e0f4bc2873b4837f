//! Who is refused while this node has more to do than it can: new calls alone, the noisiest source's first.
//! What is in a dialog already, and emergency calls, pass by.

use crate::call::ask::Counter;
use crate::engine::core::Engine;
use crate::engine::inbound::inbound;
use crate::flow::{Flow, Transport};
use crate::reason::Reason;
use crate::routing::decide::is_emergency;
use crate::routing::model::Trunk;
use crate::sip::Message;

impl Engine {
    /// Refuses a new INVITE where there are too many (RFC 7339 5.10.2: without Retry-After), before it costs
    /// a transaction, or drops it where it is stale. True: nothing more is to be done.
    pub(super) fn sheds(&mut self, flow: Flow, trunk: Option<&Trunk>, message: &Message<'_>) -> bool {
        if self.is_stale(flow, trunk, message) {
            self.desk.count(Counter::Stale);
            return true;
        }
        let source = trunk.map(|trunk| trunk.sid);
        if self.pressure.admits(self.desk.now, source) || is_an_emergency(trunk, message) {
            return false;
        }
        self.desk.count(Counter::Shed(source));
        self.refuse_from(trunk, flow, message, 503, Some(Reason::Overloaded));
        true
    }
}

impl Engine {
    /// Whether an INVITE has waited so long that its sender has sent it again (17.1.1.2): the younger copy is
    /// behind it and will be looked at. An answer to each would cost what the answers to all others need.
    fn is_stale(&self, flow: Flow, trunk: Option<&Trunk>, message: &Message<'_>) -> bool {
        let repeats = flow.transport == Transport::Udp;
        repeats && self.pressure.is_late(self.desk.config.timers.t1) && !is_an_emergency(trunk, message)
    }
}

/// Whether an INVITE of this trunk is an emergency call.
pub(super) fn is_an_emergency(trunk: Option<&Trunk>, message: &Message<'_>) -> bool {
    let Some(uri) = message.uri() else { return false };
    is_emergency(&inbound(trunk, None, &uri, message))
}
