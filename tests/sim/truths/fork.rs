//! The truths about targets that ring together.

use std::collections::{BTreeMap, BTreeSet};

use callgate::call::record::Change;
use callgate::ids::CallSid;

use super::{branch_of, heard, invite_of};
use crate::evidence::{Evidence, What};
use crate::phone::TIMEOUT;
use crate::text::Text;

pub const WHY: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// Timer B ends an INVITE nobody answered after 32 s; a provisional before that keeps it.
const PATIENCE: u64 = 31_000_000_000;

/// One leg as the journal saw it. Moments are places in the log.
struct Leg {
    branch: String,
    /// The end, where it ended without being the winner's.
    ended: Option<usize>,
}

/// The legs of one call but for those of transfers, and when it was answered.
#[derive(Default)]
struct Call {
    legs: BTreeMap<CallSid, Leg>,
    answered: Option<usize>,
}

fn calls(e: &Evidence) -> BTreeMap<CallSid, Call> {
    let mut calls: BTreeMap<CallSid, Call> = BTreeMap::new();
    for (place, (_, what)) in e.log.iter().enumerate() {
        let What::Record(_, record) = what else { continue };
        let call = calls.entry(record.call).or_default();
        match &record.change {
            Change::Invited(leg) if !e.transfers(&String::from_utf8_lossy(&leg.request_uri)) => {
                call.legs.insert(leg.leg, Leg { branch: branch_of(&leg.headers), ended: None });
            }
            // With 200: it was the winner's, and somebody took its place.
            Change::LegEnded { leg, sip_code } if *sip_code != 200 => {
                if let Some(leg) = call.legs.get_mut(leg) {
                    leg.ended = Some(place);
                }
            }
            Change::Answered { .. } => call.answered = Some(place),
            _ => {}
        }
    }
    calls
}

/// Whether the leg of this branch had been given up before this place in the log.
pub fn ended_before(e: &Evidence, branch: &str, place: usize) -> bool {
    let ended = |leg: &Leg| leg.branch == branch && leg.ended.is_some_and(|ended| ended < place);
    calls(e).values().any(|call| call.legs.values().any(ended))
}

/// An answered call has one leg that did not end, and all dialogs of targets but one hear that the
/// call was completed elsewhere; in a call nobody answered, all do.
pub fn one_target_wins(e: &Evidence) -> Result<(), String> {
    for (sid, call) in calls(e) {
        let left = call.legs.values().filter(|leg| leg.ended.is_none()).count();
        if call.answered.is_some() && left != 1 {
            return Err(format!("{sid} was answered, and {left} of its legs did not end"));
        }
        // A leg back to the router itself has no telephone behind it.
        let outside =
            call.legs.values().filter(|leg| invite_of(e, &leg.branch).is_some_and(|(_, i)| goes_out(i)));
        let mut connected = BTreeSet::new();
        for leg in outside.clone().filter(|leg| heard_in_time(e, &leg.branch)) {
            for (_, answer, _) in
                heard(e).filter(|(_, t, code)| t.branch() == leg.branch && (200..300).contains(code))
            {
                let told = e.out().any(|(_, t)| {
                    t.method() == "BYE"
                        && t.call_id() == answer.call_id()
                        && t.to_tag() == answer.to_tag()
                        && t.get("reason") == WHY
                });
                if !told {
                    connected.insert((leg.branch.clone(), answer.to_tag().to_owned()));
                }
            }
        }
        let winner_outside = outside.clone().any(|leg| leg.ended.is_none());
        let wanted = usize::from(call.answered.is_some() && winner_outside);
        if connected.len() != wanted {
            return Err(format!("{sid} has {} connected targets instead of {wanted}", connected.len()));
        }
    }
    Ok(())
}

/// When a call is answered, whoever else rings gets CANCEL as soon as a provisional allows it, and
/// hears why.
pub fn losers_are_cancelled(e: &Evidence) -> Result<(), String> {
    for (sid, call) in calls(e) {
        let Some(answered) = call.answered else { continue };
        let at_the_answer = |place: &usize| e.log[*place].0 == e.log[answered].0;
        for leg in call.legs.values().filter(|leg| leg.ended.as_ref().is_some_and(at_the_answer)) {
            let Some((invite, _)) = invite_of(e, &leg.branch) else { continue };
            let responses = || heard(e).filter(|(_, t, _)| t.branch() == leg.branch);
            let delivered = |wanted: fn(u16) -> bool| {
                responses().filter(move |(_, _, c)| wanted(*c)).filter_map(|(w, ..)| w.first_delivery()).min()
            };
            let (rang, last) = (delivered(|code| code < 200), delivered(|code| code >= 200));
            let cancel = e.out().find(|(_, t)| t.method() == "CANCEL" && t.branch() == leg.branch);
            if let Some((_, cancel)) = cancel
                && cancel.get("reason") != WHY
            {
                return Err(format!("{sid}: the CANCEL of {} says `{}`", leg.branch, cancel.get("reason")));
            }
            let due = rang.is_some_and(|rang| {
                e.log[rang].0 < invite.at + PATIENCE && last.is_none_or(|last| last > rang.max(answered))
            });
            if due && cancel.is_none() {
                return Err(format!("{sid} was answered, and {} still rings", leg.branch));
            }
        }
    }
    Ok(())
}

/// The targets of one Dial that need no DNS are invited at the same moment.
pub fn all_targets_ring(e: &Evidence) -> Result<(), String> {
    let mut moments: BTreeMap<usize, BTreeSet<Option<u64>>> = BTreeMap::new();
    for dialled in e.dials.iter().filter(|dialled| dialled.at_once && !dialled.transfer) {
        let wanted = format!("sip:{}@", dialled.user);
        let invite = e.out().find(|(_, t)| t.method() == "INVITE" && t.uri().starts_with(&wanted));
        moments.entry(dialled.dial).or_default().insert(invite.map(|(wire, _)| wire.at));
    }
    match moments.iter().find(|(_, moments)| moments.len() > 1) {
        Some((dial, moments)) => Err(format!("the targets of Dial {dial} were invited at {moments:?}")),
        None => Ok(()),
    }
}

/// Whether the router heard of this INVITE of its before Timer B ended it after 32 s. What comes
/// later comes to nobody, lawfully.
fn heard_in_time(e: &Evidence, branch: &str) -> bool {
    let Some((invite, _)) = invite_of(e, branch) else { return false };
    heard(e)
        .filter(|(_, text, _)| text.branch() == branch)
        .filter_map(|(wire, ..)| wire.first_delivery())
        .any(|place| e.log[place].0 < invite.at + TIMEOUT)
}

fn goes_out(invite: &Text) -> bool {
    invite.uri().starts_with("sip:d")
}
