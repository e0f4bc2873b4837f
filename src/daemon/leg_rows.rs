//! The rows of a call's legs, as its records leave them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::call::facts::CallFacts;
use crate::call::outcome::CallStatus;
use crate::call::record::{Change, InvitedLeg, Record};
use crate::ids::CallSid;
use crate::store::calls::LegRow;

use super::call_rows::{Progress, millis};

/// A leg as far as it is: a row would name its call once more, and have room for an end.
pub(super) struct Leg {
    id: CallSid,
    sequence: u32,
    /// Whom the target was shown, and the noun's text.
    parties: (Arc<str>, Arc<str>),
    status: CallStatus,
    started_at: Timestamp,
    answered_at: Option<Timestamp>,
    ended: Option<Box<End>>,
    /// Since the last batch.
    changed: bool,
}

struct End {
    at: Timestamp,
    duration_ms: u64,
    sip_code: u16,
}

/// Brings the legs of the call that is so far to where a record leaves them; those that it touches are
/// marked where they are wanted.
pub(super) fn advance(legs: &mut Vec<Leg>, call: &Progress, record: &Record, at: Timestamp, wanted: bool) {
    if let Change::Invited(invited) = &record.change
        && !legs.iter().any(|known| known.id == invited.leg)
    {
        // Most calls have one; a vector's own first step has room for four.
        legs.reserve_exact(1);
        legs.push(Leg::begun(invited, record.seq, at, wanted));
    }
    let mut touch = |leg: CallSid, change: &mut dyn FnMut(&mut Leg)| {
        if let Some(known) = legs.iter_mut().find(|known| known.id == leg) {
            change(known);
            known.sequence = known.sequence.max(record.seq);
            known.changed |= wanted;
        }
    };
    match &record.change {
        Change::Leg(event) if event.status == CallStatus::Ringing => {
            touch(event.leg.leg, &mut |leg| leg.status = CallStatus::Ringing);
        }
        Change::LegEnded { leg, sip_code } => touch(*leg, &mut |leg| leg.end(*sip_code, at)),
        Change::Answered { leg, .. } | Change::Transferred { leg, .. } => touch(*leg, &mut |leg| {
            leg.status = CallStatus::InProgress;
            leg.answered_at = Some(at);
        }),
        Change::Ended(terminal) => {
            for leg in legs.iter_mut().filter(|leg| leg.ended.is_none()) {
                leg.end(terminal.sip_code, at);
                // The one that the call was answered by talked as long as the call did, to the millisecond.
                if leg.answered_at.is_some()
                    && leg.answered_at == call.answered_at
                    && let Some(end) = &mut leg.ended
                {
                    end.duration_ms = millis(terminal.duration);
                }
                leg.sequence = leg.sequence.max(record.seq);
                leg.changed |= wanted;
            }
        }
        _ => {}
    }
}

impl Leg {
    fn begun(invited: &InvitedLeg, sequence: u32, started_at: Timestamp, changed: bool) -> Self {
        Self {
            id: invited.leg,
            sequence,
            parties: invited.parties.clone(),
            status: CallStatus::Initiated,
            started_at,
            answered_at: None,
            ended: None,
            changed,
        }
    }

    /// Its end. Without an answer 487 is what one gets that nobody waits for any more.
    fn end(&mut self, sip_code: u16, at: Timestamp) {
        let talked = self.answered_at.map(|since| at.duration_since(since));
        let (status, sip_code) = match talked {
            Some(_) => (CallStatus::Completed, 200),
            None if (200..400).contains(&sip_code) => (CallStatus::Canceled, sip_code),
            None => (CallStatus::of_refusal(sip_code), sip_code),
        };
        let talked = talked.map_or(0, |talked| talked.as_millis());
        let duration_ms = u64::try_from(talked).unwrap_or(0);
        self.status = status;
        self.ended = Some(Box::new(End { at, duration_ms, sip_code }));
    }

    /// Its row, where it changed since the last batch.
    pub(super) fn changed(&mut self, call: &CallFacts) -> Option<LegRow> {
        std::mem::take(&mut self.changed).then(|| self.row(call))
    }

    fn row(&self, call: &CallFacts) -> LegRow {
        let ended = self.ended.as_deref();
        let (caller, called) = self.parties.clone();
        LegRow {
            id: self.id,
            sequence: self.sequence,
            call_id: call.call,
            account_id: call.account,
            caller,
            called,
            status: self.status,
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: ended.map(|end| end.at),
            duration_ms: ended.map_or(0, |end| end.duration_ms),
            sip_code: ended.map(|end| end.sip_code),
        }
    }
}
