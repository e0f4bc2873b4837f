//! The truths about lives of the router that ended by `kill -9`.

use std::collections::BTreeMap;

use callgate::call::outcome::CallStatus;
use callgate::call::record::{Change, Record};
use callgate::ids::CallSid;

use super::dialogs::is_over;
use crate::evidence::{Evidence, What};
use crate::operator::Act;
use crate::phone::TIMEOUT;

/// One call that had no end when the router died, and what was written of it before and after.
struct Cut<'e> {
    call: CallSid,
    before: Vec<&'e Record>,
    after: Vec<&'e Record>,
    /// When the next life began.
    start: u64,
}

impl Cut<'_> {
    fn answered(&self) -> bool {
        self.before.iter().any(|record| matches!(record.change, Change::Answered { .. }))
    }
}

/// Every call, at every start, that had no end by then.
fn cut(e: &Evidence) -> Vec<Cut<'_>> {
    let mut all = Vec::new();
    for (place, (at, what)) in e.log.iter().enumerate() {
        if !matches!(what, What::Act(Act::Start)) {
            continue;
        }
        let mut calls: BTreeMap<CallSid, (Vec<&Record>, Vec<&Record>)> = BTreeMap::new();
        for (record_place, (_, what)) in e.log.iter().enumerate() {
            let What::Record(_, record) = what else { continue };
            let (before, after) = calls.entry(record.call).or_default();
            if record_place < place { before } else { after }.push(&**record);
        }
        let unended = calls.into_iter().filter(|(_, (before, _))| {
            !before.is_empty() && !before.iter().any(|record| matches!(record.change, Change::Ended(_)))
        });
        all.extend(unended.map(|(call, (before, after))| Cut { call, before, after, start: *at }));
    }
    all
}

/// An answered call is taken over: its first record says so, and it does not end as one that failed but
/// where its 2xx was never acknowledged.
pub fn an_answered_call_goes_on(e: &Evidence) -> Result<(), String> {
    for cut in cut(e).iter().filter(|cut| cut.answered()) {
        // A leg that was invited for a transfer ends before.
        let of_leg = |change: &&Change| matches!(change, Change::LegEnded { .. } | Change::Leg(_));
        let first = cut.after.iter().map(|record| &record.change).find(|change| !of_leg(change));
        if !matches!(first, Some(Change::Recovered)) {
            return Err(format!("{} was answered, and after the restart: {first:?}", cut.call));
        }
    }
    Ok(())
}

/// A call without an answer is over with the first moment of the next life, as `failed` with 500.
pub fn an_unanswered_call_ends(e: &Evidence) -> Result<(), String> {
    for cut in cut(e).iter().filter(|cut| !cut.answered()) {
        let end = cut.after.iter().find_map(|record| match &record.change {
            Change::Ended(terminal) => Some((record.at.as_nanos(), terminal)),
            _ => None,
        });
        let ends = end.is_some_and(|(at, terminal)| {
            at == cut.start && terminal.status == CallStatus::Failed && terminal.sip_code == 500
        });
        if !ends {
            return Err(format!("{} was not answered at {}, and ended {end:?}", cut.call, cut.start));
        }
    }
    Ok(())
}

/// Each leg without an end gets CANCEL with its INVITE's branch, but for the one that was answered.
pub fn whoever_rang_is_cancelled(e: &Evidence) -> Result<(), String> {
    for cut in cut(e).iter().filter(|cut| !cut.answered()) {
        let mut ringing = BTreeMap::new();
        for record in &cut.before {
            match &record.change {
                Change::Invited(invited) => drop(ringing.insert(invited.leg, invited)),
                Change::LegEnded { leg, .. } => drop(ringing.remove(leg)),
                _ => {}
            }
        }
        for invited in ringing.values() {
            let branch = super::branch_of(&invited.headers);
            let cancelled = e.out().any(|(wire, text)| {
                text.method() == "CANCEL" && text.branch() == branch && wire.at >= cut.start
            });
            if !cancelled {
                return Err(format!("{}: the leg of branch {branch} rings on", cut.call));
            }
        }
    }
    Ok(())
}

/// Each side of a call that was taken over says BYE in the end, or hears it, or has lost its dialog. A BYE
/// that waits for an ACK when the router dies again is lost with it, as its call has ended.
pub fn both_sides_end(e: &Evidence) -> Result<(), String> {
    let kills = e.log.iter().filter(|(_, what)| matches!(what, What::Act(Act::Kill)));
    let kills: Vec<u64> = kills.map(|(at, _)| *at).collect();
    for cut in cut(e) {
        let ends = cut.after.iter().filter(|record| matches!(record.change, Change::Ended(_)));
        let end = ends.map(|record| record.at.as_nanos()).next();
        if end.is_some_and(|end| kills.iter().any(|kill| (end..=end + TIMEOUT).contains(kill))) {
            continue;
        }
        for record in &cut.before {
            let Change::Answered { caller, target, .. } = &record.change else { continue };
            for side in [caller, target] {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (call_id, peer) = (text(&side.call_id), text(&side.remote_tag));
                if !is_over(e, &call_id, &peer) {
                    return Err(format!("{}: the dialog {call_id} with {peer} never ends", cut.call));
                }
            }
        }
    }
    Ok(())
}
