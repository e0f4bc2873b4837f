//! A transfer by REFER, served by the refer application: third-party call control (RFC 3725 4.1).
//!
//! The target its document names is invited without a body; its offer goes to the transferee in a
//! re-INVITE, the answer back in the ACK. Only then does the transferor's leg end. A transfer that
//! fails leaves the call as it was, unless the transferor has hung up meanwhile.
//!
//! Where the target refuses to make the offer, it gets the transferee's last description as one, its
//! answer goes to the transferee as an offer, and what that answers to the target, where it is news.
//!
//! `request`: the REFER and its question. `invite`: the document's nouns are invited. `join`: the two
//! who stay are brought together. `notify`: the transferor hears of it. `origin`: descriptions of who takes
//! another's place.

mod invite;
mod join;
mod notify;
mod origin;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::AskId;
use crate::call::desk::Desk;
use crate::call::instructions::Dial;
use crate::call::outcome::HangupSource;
use crate::call::record::Change;
use crate::call::state::{Call, Plan, Side};
use crate::flow::Destination;
use crate::reason::Reason;
use crate::sip::Kept;
use crate::timers::TimerId;

pub(super) use origin::Described;

/// How long a transfer may take: its subscription lasts a little longer, so that the final NOTIFY
/// comes within it (RFC 3515 2.4.7).
const LASTS: Duration = Duration::from_secs(170);
const SUBSCRIBED: &[u8] = b"active;expires=180";

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The dialogs it came in, and from whom.
    pair: usize,
    by: Side,
    /// The REFER's number: its events' id.
    id: u32,
    /// `Refer-Sub: false`: nobody wants to hear of it (RFC 4488).
    silent: bool,
    /// The transferor hung up meanwhile.
    gone: bool,
    /// The application, or DNS, is asked.
    asked: Option<AskId>,
    /// The document's Dial, and which of its nouns comes next.
    dial: Option<Box<Dial>>,
    next: usize,
    plan: Option<Plan>,
    hops: VecDeque<Destination>,
    leg: Option<usize>,
    /// The target's dialog and the transferee's, once the target answered.
    made: Option<usize>,
    timer: Option<TimerId>,
    /// The target was offered the transferee's last description, as it would not make an offer.
    offered: Option<Arc<[u8]>>,
    /// The target's 2xx, whose description is for the transferee.
    answer: Option<Kept>,
    /// The transferee's dialog was busy: when it gets the offer, and how often it was.
    busy: Option<TimerId>,
    waits: u8,
    /// What the last target said.
    code: u16,
}

impl Transfer {
    /// How many legs it may still invite.
    fn ahead(&self) -> u16 {
        let nouns = self.dial.as_ref().map_or(0, |dial| dial.nouns.len().saturating_sub(self.next));
        u16::try_from(self.hops.len() + nouns).unwrap_or(u16::MAX)
    }
}

/// A leg that took a side of a call by transfer: repetitions of its 2xx get the ACK again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    leg: usize,
    pair: usize,
    side: Side,
}

impl Call {
    /// Nobody was reached, or the transferee does not want it.
    pub(in crate::call) fn transfer_failed(&mut self, desk: &mut Desk, code: u16) {
        let Some(transfer) = self.transfer.take() else { return };
        self.undo(desk, &transfer);
        self.notify_of(desk, &transfer, code);
        if transfer.gone {
            let other = transfer.by.other();
            self.bye(desk, transfer.pair, other, b"", &[]);
            let source = if transfer.by == Side::A { HangupSource::Caller } else { HangupSource::Callee };
            self.end_talking(desk, transfer.pair, Reason::Completed, source);
        }
    }

    /// The transfer took too long.
    pub(in crate::call) fn transfer_timed_out(&mut self, desk: &mut Desk) {
        if let Some(transfer) = self.transfer.as_mut() {
            transfer.timer = None;
        }
        self.transfer_failed(desk, 408);
    }

    /// The call ends under a transfer, which the transferor hears of before its BYE.
    pub(in crate::call) fn drop_transfer(&mut self, desk: &mut Desk) {
        if let Some(transfer) = self.transfer.take() {
            self.notify_of(desk, &transfer, 487);
            self.undo(desk, &transfer);
        }
    }

    pub(super) fn undo(&mut self, desk: &mut Desk, transfer: &Transfer) {
        let (mut timer, mut busy) = (transfer.timer, transfer.busy);
        desk.stop(&mut timer);
        desk.stop(&mut busy);
        if let Some(ask) = transfer.asked {
            desk.abort(ask);
        }
        let Some(leg) = transfer.leg else { return };
        match transfer.made {
            Some(made) => {
                self.ensure_ack(desk, made, transfer.by, self.legs[leg].cseq);
                self.pairs[made].alive[transfer.by.other() as usize] = false;
                self.bye(desk, made, transfer.by, b"", &[]);
                self.joined.push(Joined { leg, pair: made, side: transfer.by });
                let sid = self.legs[leg].sid;
                self.record(desk, Change::LegEnded { leg: sid, sip_code: 487 }, None);
                self.leg_over(desk, leg, 487, Duration::ZERO);
            }
            None => self.abandon_leg(desk, leg, 487, b""),
        }
    }

    /// Whether this BYE is the transferor's while its transfer goes on: the others stay together.
    pub(in crate::call) fn leaves_transfer(&mut self, pair: usize, side: Side) -> bool {
        let Some(transfer) = self.transfer.as_mut() else { return false };
        let leaves = transfer.pair == pair && transfer.by == side;
        transfer.gone |= leaves;
        leaves
    }

    /// Whether this is the side of a transfer's target that has not been joined to the transferee yet:
    /// what it says has nowhere to go.
    pub(in crate::call) fn is_joining(&self, pair: usize, side: Side) -> bool {
        let of = |transfer: &Transfer| transfer.made == Some(pair) && transfer.by == side;
        self.transfer.as_deref().is_some_and(of)
    }

    /// Whether a re-INVITE of ours is pending, or due.
    pub(in crate::call) fn transfers(&self) -> bool {
        self.settling || self.transfer.as_ref().is_some_and(|transfer| transfer.made.is_some())
    }
}
