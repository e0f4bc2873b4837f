//! The rows of a call's legs, as its records leave them.

use jiff::Timestamp;

use crate::call::facts::CallFacts;
use crate::call::outcome::CallStatus;
use crate::call::record::{Change, Record};
use crate::ids::CallSid;
use crate::store::calls::LegRow;

use super::call_rows::Progress;

/// Brings the legs of the call that is so far to where a record leaves them; those that it touches are
/// marked where they are wanted.
pub(super) fn advance(
    legs: &mut Vec<(LegRow, bool)>,
    call: &Progress,
    record: &Record,
    at: Timestamp,
    wanted: bool,
) {
    if let Change::Invited(invited) = &record.change
        && !legs.iter().any(|(known, _)| known.id == invited.leg)
    {
        // Most calls have one; a vector's own first step has room for four.
        legs.reserve_exact(1);
        legs.push((begun(&call.facts, record.seq, invited.leg, &invited.parties, at), wanted));
    }
    let mut touch = |leg: CallSid, change: &mut dyn FnMut(&mut LegRow)| {
        if let Some((row, changed)) = legs.iter_mut().find(|(row, _)| row.id == leg) {
            change(row);
            row.sequence = row.sequence.max(record.seq);
            *changed |= wanted;
        }
    };
    match &record.change {
        Change::Leg(event) if event.status == CallStatus::Ringing => {
            touch(event.leg.leg, &mut |leg| leg.status = CallStatus::Ringing);
        }
        Change::LegEnded { leg, sip_code } => touch(*leg, &mut |leg| end(leg, *sip_code, at)),
        Change::Answered { leg, .. } | Change::Transferred { leg, .. } => touch(*leg, &mut |leg| {
            leg.status = CallStatus::InProgress;
            leg.answered_at = Some(at);
        }),
        Change::Ended(terminal) => {
            for (leg, changed) in legs.iter_mut().filter(|(leg, _)| leg.ended_at.is_none()) {
                end(leg, terminal.sip_code, at);
                // The one that the call was answered by talked as long as the call did, to the millisecond.
                if leg.answered_at.is_some() && leg.answered_at == call.answered_at {
                    leg.duration_ms = u64::try_from(terminal.duration.as_millis()).unwrap_or(u64::MAX);
                }
                leg.sequence = leg.sequence.max(record.seq);
                *changed |= wanted;
            }
        }
        _ => {}
    }
}

fn begun(
    call: &CallFacts,
    sequence: u32,
    id: CallSid,
    parties: &(std::sync::Arc<str>, std::sync::Arc<str>),
    started_at: Timestamp,
) -> LegRow {
    LegRow {
        id,
        sequence,
        call_id: call.call,
        account_id: call.account,
        caller: parties.0.clone(),
        called: parties.1.clone(),
        status: CallStatus::Initiated,
        started_at,
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        sip_code: None,
    }
}

/// The end of a leg. Without an answer 487 is what one gets that nobody waits for any more.
fn end(leg: &mut LegRow, sip_code: u16, at: Timestamp) {
    let talked = leg.answered_at.map(|since| at.duration_since(since));
    let (status, sip_code) = match talked {
        Some(_) => (CallStatus::Completed, 200),
        None if (200..400).contains(&sip_code) => (CallStatus::Canceled, sip_code),
        None => (CallStatus::of_refusal(sip_code), sip_code),
    };
    let talked = talked.map_or(0, |talked| talked.as_millis());
    leg.duration_ms = u64::try_from(talked).unwrap_or(0);
    (leg.status, leg.sip_code, leg.ended_at) = (status, Some(sip_code), Some(at));
}
