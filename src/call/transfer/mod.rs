//! A transfer by REFER, served by the refer application: third-party call control (RFC 3725 4.1).
//!
//! Its document is carried out as a call's first one is, by the same hands: nouns ring together, the first
//! 2xx wins, what fails goes on to the action or the next verb. But the targets are invited without a body;
//! the winner's offer goes to the transferee in a re-INVITE, the answer back in the ACK. Only then does the
//! transferor's leg end. A transfer that fails leaves the call as it was, unless the transferor has hung
//! up meanwhile.
//!
//! Where a target refuses to make the offer, it gets the transferee's last description as one, its
//! answer goes to the transferee as an offer, and what that answers to the target, where it is news.
//!
//! Whoever refreshed the session before, the target is asked to refresh it from now on; where it does not,
//! the transferee is, and where neither does, both are asked whether they are there.
//!
//! `request`: the REFER and its question. `invite`: the INVITE of its targets. `join`: the two
//! who stay are brought together. `notify`: the transferor hears of it. `origin`: descriptions of who takes
//! another's place.

mod invite;
mod join;
mod notify;
mod origin;
mod request;

use std::time::Duration;

use crate::call::ask::AskId;
use crate::call::desk::Desk;
use crate::call::events::forget_run;
use crate::call::outcome::HangupSource;
use crate::call::program::Program;
use crate::call::record::Change;
use crate::call::state::{Call, Run, Side};
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
    pub(super) pair: usize,
    pub(super) by: Side,
    /// The REFER's number: its events' id.
    id: u32,
    /// `Refer-Sub: false`: nobody wants to hear of it (RFC 4488).
    silent: bool,
    /// The transferor hung up meanwhile.
    gone: bool,
    /// The application is asked for a document.
    pub(super) asked: Option<AskId>,
    /// The document, and how far it is.
    pub(super) program: Program,
    /// The Dial that rings, or whose target answered.
    pub(super) run: Option<Box<Run>>,
    /// A timer of `<Pause>`.
    pub(super) pause: Option<TimerId>,
    /// The target that answered.
    pub(super) leg: Option<usize>,
    /// Its dialog and the transferee's.
    pub(super) made: Option<usize>,
    timer: Option<TimerId>,
    /// The target's 2xx, whose description is for the transferee.
    answer: Option<Kept>,
    /// The interval in which the target refreshes the session, and the one it is to have, in seconds.
    refreshed: Option<u32>,
    session: Option<u32>,
    /// The shortest session the transferee takes.
    least_session: u32,
    /// The transferee's dialog was busy: when it gets the offer, and how often it was.
    busy: Option<TimerId>,
    waits: u8,
}

impl Transfer {
    /// Nothing is waited for any more.
    fn forget(&mut self, desk: &mut Desk) {
        for timer in [&mut self.timer, &mut self.busy, &mut self.pause] {
            desk.stop(timer);
        }
        if let Some(ask) = self.asked.take() {
            desk.abort(ask);
        }
    }
}

impl Call {
    /// Nobody was reached, or the transferee does not want it.
    pub(in crate::call) fn transfer_failed(&mut self, desk: &mut Desk, code: u16) {
        let Some(mut transfer) = self.transfer.take() else { return };
        self.undo(desk, &mut transfer, code);
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
        if let Some(mut transfer) = self.transfer.take() {
            self.notify_of(desk, &transfer, 487);
            self.undo(desk, &mut transfer, 487);
        }
    }

    /// Who was invited for it, or has answered, is let go; the Dial's action hears why.
    fn undo(&mut self, desk: &mut Desk, transfer: &mut Transfer, code: u16) {
        transfer.forget(desk);
        let Some(mut run) = transfer.run.take() else { return };
        let leg = transfer.leg.or(self.leg_of_run(&run));
        self.stop_run(desk, &mut run, 487, b"");
        if let (Some(leg), Some(made)) = (transfer.leg, transfer.made) {
            self.ensure_ack(desk, made, transfer.by, self.legs[leg].cseq);
            self.pairs[made].alive[transfer.by.other() as usize] = false;
            self.bye(desk, made, transfer.by, b"", &[]);
            let sid = self.legs[leg].sid;
            self.record(desk, Change::LegEnded { leg: sid, sip_code: 487 }, None);
            self.leg_over(desk, leg, 487, Duration::ZERO);
        }
        self.run_given_up(desk, &mut run, leg, code);
    }

    /// Takes back what a transfer waits for, where its call is forgotten.
    pub(in crate::call) fn forget_transfer(&mut self, desk: &mut Desk) {
        if let Some(mut transfer) = self.transfer.take() {
            transfer.forget(desk);
            if let Some(run) = &mut transfer.run {
                forget_run(desk, run);
            }
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
