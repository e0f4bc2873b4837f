//! Which segments are still needed: those that hold anything of a call that has no end, or whose
//! events are not settled, or that is not in the store.

use std::collections::{BTreeMap, HashMap};

use super::shared::{Note, What};
use crate::ids::CallSid;

/// Bytes kept free for a call that is not answered, from its begin to its end: one leg with what its
/// noun's callback hears, two dialogs with the 2xx, and what becomes of its events. Measured with long
/// messages and URLs (`tests`): 6.5 KiB; on the demo's telephones 1.8 KiB.
pub const UNANSWERED_NEEDS: u32 = 10_240;

/// And for each leg beside the first that has been invited and has no end, or may still be invited: its
/// INVITE, once more for a challenge and for another way, its events, its end, and what becomes of them.
/// Measured: 4.2 KiB.
pub const LEG_NEEDS: u32 = 4608;

/// And for an answered one: its end, the answered leg's, and what becomes of their events.
pub const ANSWERED_NEEDS: u32 = 3072;

/// Keeps book of calls and segments.
#[derive(Default)]
pub(super) struct Track {
    calls: HashMap<CallSid, Pinned, foldhash::fast::RandomState>,
    /// Calls that wait for the store only, by the position the store has to reach.
    waiting: BTreeMap<(u64, CallSid), ()>,
    /// Calls by the segment their first record stands in.
    first: BTreeMap<u64, usize>,
    reserved: u64,
    /// Calls that are done with and of which something was written again.
    done: Vec<CallSid>,
}

/// A call that is not done.
pub(super) struct Pinned {
    /// Where its first record stands.
    pub segment: u64,
    /// Events that are not settled; those of a call nobody is told of are not counted.
    pub unsettled: u32,
    pub told: bool,
    pub answered: bool,
    pub ended: bool,
    /// Legs that were invited and have no end.
    pub legs: u32,
    /// Legs that may still be invited beside them.
    pub ahead: u16,
    /// Behind its last entry.
    pub last: u64,
    /// Some of it was written again in a later segment.
    pub moved: bool,
}

impl Track {
    /// An entry was written in the segment at `segment`, up to `end`.
    pub fn note(&mut self, note: Note, segment: u64, end: u64) {
        if let What::Admitted { told, event } = note.what {
            let unsettled = u32::from(event && told);
            self.pin(
                note.call,
                Pinned {
                    segment,
                    unsettled,
                    told,
                    answered: false,
                    ended: false,
                    legs: 0,
                    ahead: 0,
                    last: end,
                    moved: false,
                },
            );
            return;
        }
        let Some(call) = self.calls.get_mut(&note.call) else { return };
        let waited = call.ended && call.unsettled == 0;
        match note.what {
            What::Record { event, leg_event, answered, ended, leg, ahead } => {
                self.reserved -= call.need();
                call.unsettled += u32::from(event && call.told) + u32::from(leg_event);
                call.answered |= answered;
                call.ended |= ended;
                call.legs = call.legs.saturating_add_signed(leg.into());
                call.ahead = ahead.unwrap_or(call.ahead);
                self.reserved += call.need();
            }
            What::Settled => call.unsettled = call.unsettled.saturating_sub(1),
            What::Admitted { .. } | What::Receiver | What::Other => {}
        }
        if waited {
            self.waiting.remove(&(call.last, note.call));
        }
        call.last = end;
        if call.ended && call.unsettled == 0 {
            self.waiting.insert((end, note.call), ());
        }
    }

    /// Takes in a call as it stands.
    pub fn pin(&mut self, call: CallSid, pinned: Pinned) {
        *self.first.entry(pinned.segment).or_default() += 1;
        if pinned.ended && pinned.unsettled == 0 {
            self.waiting.insert((pinned.last, call), ());
        }
        self.reserved += pinned.need();
        if let Some(before) = self.calls.insert(call, pinned) {
            self.reserved -= before.need();
            self.unpin(before.segment);
        }
    }

    /// So many more events of a call are not settled.
    pub fn owe(&mut self, call: CallSid, events: u32) {
        let Some(pinned) = self.calls.get_mut(&call).filter(|_| events > 0) else { return };
        self.waiting.remove(&(pinned.last, call));
        pinned.unsettled += events;
    }

    /// The store holds everything before `position`.
    pub fn projected(&mut self, position: u64) {
        while let Some(entry) = self.waiting.first_entry() {
            let (last, call) = *entry.key();
            if last > position {
                return;
            }
            entry.remove();
            if let Some(done) = self.calls.remove(&call) {
                self.unpin(done.segment);
                self.done.extend(done.moved.then_some(call));
            }
        }
    }

    /// Something of this call was written again in the newest segment.
    pub fn moved(&mut self, call: CallSid) {
        if let Some(pinned) = self.calls.get_mut(&call) {
            pinned.moved = true;
        }
    }

    /// Calls that must be said to be done before a segment goes; given once.
    pub fn take_done(&mut self) -> Vec<CallSid> {
        std::mem::take(&mut self.done)
    }

    /// These were not said after all.
    pub fn still_done(&mut self, calls: Vec<CallSid>) {
        self.done.extend(calls);
    }

    /// The oldest segment that is still needed for a call.
    pub fn oldest(&self) -> Option<u64> {
        self.first.keys().next().copied()
    }

    /// What the records of all calls that have no end may still need, in bytes.
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Whether a call is not done.
    pub fn holds(&self, call: CallSid) -> bool {
        self.calls.contains_key(&call)
    }

    /// All that the segment at `oldest` held of calls that are not done was written again: of these
    /// the one at `next` is the first that is needed.
    pub fn advance(&mut self, oldest: u64, next: u64) {
        let held = self.calls.values_mut().filter(|call| call.segment <= oldest);
        let mut moved = 0;
        for call in held {
            (call.segment, call.moved) = (next, true);
            moved += 1;
        }
        self.first.retain(|base, _| *base > oldest);
        if moved > 0 {
            *self.first.entry(next).or_default() += moved;
        }
    }

    fn unpin(&mut self, segment: u64) {
        if let Some(count) = self.first.get_mut(&segment) {
            *count -= 1;
            if *count == 0 {
                self.first.remove(&segment);
            }
        }
    }
}

impl Pinned {
    fn need(&self) -> u64 {
        let beside = self.legs.saturating_sub(1).saturating_add(self.ahead.into()).saturating_mul(LEG_NEEDS);
        u64::from(match (self.ended, self.answered) {
            (true, _) => 0,
            (false, true) => ANSWERED_NEEDS.saturating_add(beside),
            (false, false) => UNANSWERED_NEEDS.saturating_add(beside),
        })
    }
}
