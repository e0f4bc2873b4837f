//! The target legs of a call, so that what is told of it names the leg that counts.

use crate::call::record::{Change, Record};
use crate::ids::CallSid;

/// Legs in the order they were invited; those that ended without an answer are marked.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs(Vec<Invited>);

#[derive(Clone, Copy, Debug)]
struct Invited {
    seq: u32,
    leg: CallSid,
    ended: bool,
    /// It took the caller's place: it is no target.
    of_caller: bool,
}

impl Legs {
    /// Takes note of a record. One that is read twice changes nothing.
    pub fn take(&mut self, record: &Record) {
        match &record.change {
            Change::Invited(invited) if self.0.iter().all(|known| known.leg != invited.leg) => {
                let at = self.0.partition_point(|known| known.seq < record.seq);
                // Most calls have one; a vector's own first step has room for four.
                self.0.reserve_exact(1);
                self.0.insert(
                    at,
                    Invited { seq: record.seq, leg: invited.leg, ended: false, of_caller: false },
                );
            }
            Change::LegEnded { leg, .. } => self.change(*leg, |known| known.ended = true),
            Change::Transferred { leg, caller: true, .. } => {
                self.change(*leg, |known| known.of_caller = true)
            }
            _ => {}
        }
    }

    /// The target that rings or is connected; of several, or of none, the latest.
    pub fn current(&self) -> Option<CallSid> {
        let live = self.0.iter().rev().find(|known| !known.ended && !known.of_caller);
        live.or(self.0.last()).map(|known| known.leg)
    }

    /// How many have no end.
    pub fn live(&self) -> u32 {
        u32::try_from(self.0.iter().filter(|known| !known.ended).count()).unwrap_or(u32::MAX)
    }

    fn change(&mut self, leg: CallSid, change: impl FnMut(&mut Invited)) {
        self.0.iter_mut().filter(|known| known.leg == leg).for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use super::*;
    use crate::call::record::InvitedLeg;
    use crate::flow::{Flow, ListenerId, Transport};
    use crate::time::Instant;

    fn record(seq: u32, change: Change) -> Record {
        Record { call: CallSid(1), seq, at: Instant::ZERO, change, event: None }
    }

    fn invited(seq: u32, leg: u128) -> Record {
        let local = Ipv4Addr::LOCALHOST.into();
        let (transport, peer) = (Transport::Udp, SocketAddr::new(local, 5060));
        let flow = Flow { transport, listener: ListenerId(0), local, peer, connection: None, domain: None };
        let empty: Arc<[u8]> = Arc::from([]);
        let leg = InvitedLeg {
            leg: CallSid(leg),
            parties: ("".into(), "".into()),
            request_uri: empty.clone(),
            headers: empty,
            flow,
            again: false,
            gateway: None,
            ahead: 0,
        };
        record(seq, Change::Invited(Box::new(leg)))
    }

    fn ended(seq: u32, leg: u128) -> Record {
        record(seq, Change::LegEnded { leg: CallSid(leg), sip_code: 487 })
    }

    #[test]
    fn of_targets_that_ring_together_the_one_left_counts() {
        let mut legs = Legs::default();
        assert_eq!(legs.current(), None);
        [invited(1, 7), invited(2, 8), invited(3, 9)].iter().for_each(|record| legs.take(record));
        assert_eq!(legs.current(), Some(CallSid(9)));
        legs.take(&ended(4, 9));
        assert_eq!(legs.current(), Some(CallSid(8)));
        legs.take(&ended(5, 8));
        // Read once more, as after a restart.
        [invited(2, 8), invited(3, 9)].iter().for_each(|record| legs.take(record));
        assert_eq!(legs.current(), Some(CallSid(7)));
        legs.take(&ended(6, 7));
        assert_eq!(legs.current(), Some(CallSid(9)), "the latest, where all have ended");
    }
}
