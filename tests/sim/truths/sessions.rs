//! The truths about session timers (RFC 4028), and about calls that nobody speaks in any more.

use std::collections::BTreeSet;

use callgate::call::record::Change;
use callgate::ids::CallSid;

use super::served;
use crate::evidence::Evidence;

/// Two periods of liveness and the patience for an answer, or one session; in ns.
const LONGEST: u64 = 1_835_000_000_000;

fn interval(session: &str) -> u64 {
    session.split(';').next().unwrap_or_default().trim().parse().unwrap_or(0)
}

/// Every target is asked for a session: the caller's own wish, or ours. A transfer's is to refresh it.
pub fn a_session_is_asked_for(e: &Evidence) -> Result<(), String> {
    let callers = served(e, "INVITE");
    for (_, leg) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty()) {
        let asked = leg.get("session-expires");
        if e.transfers(leg.uri()) && interval(asked) >= 90 && asked.ends_with(";refresher=uas") {
            continue;
        }
        if interval(asked) < 90 {
            return Err(format!("the INVITE to {} asks for `{asked}`", leg.uri()));
        }
        let caller = super::journal::caller_of(e, leg.uri());
        let own = caller.and_then(|id| callers.iter().find(|c| c.opens() && c.request.call_id() == id));
        let wish = own.map_or("", |own| own.request.get("session-expires"));
        // A leg back to the router itself has many callers.
        if !wish.is_empty() && wish != asked && leg.uri().starts_with("sip:d") {
            return Err(format!("{} wanted `{wish}` and got `{asked}`", leg.uri()));
        }
    }
    Ok(())
}

/// A 2xx with a session goes to who knows timers, and binds whoever is to refresh; who knows them and
/// asks is always told.
pub fn who_refreshes_is_told(e: &Evidence) -> Result<(), String> {
    for served in ["INVITE", "UPDATE"].iter().flat_map(|method| served(e, method)) {
        let knows = served.request.all("supported").any(|tags| tags.contains("timer"));
        for (_, text, code) in served.finals().filter(|(_, _, code)| (200..300).contains(code)) {
            let session = text.get("session-expires");
            let binds = text.all("require").any(|tags| tags.contains("timer"));
            let unsaid = !session.is_empty() && !session.contains(";refresher=");
            let silent = knows && served.opens() && session.is_empty();
            if silent || (!session.is_empty() && !knows) || binds == session.is_empty() || unsaid {
                let call = text.call_id();
                return Err(format!(
                    "{code} to {call} says `{session}`, timers known: {knows}, bound: {binds}"
                ));
            }
        }
    }
    Ok(())
}

/// The Call-IDs of all dialogs of a call.
pub fn ids_of(e: &Evidence, call: CallSid) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for record in e.records().filter(|record| record.call == call) {
        match &record.change {
            Change::Admitted { facts, .. } => drop(ids.insert(facts.sip_call_id.to_string())),
            Change::Invited(leg) => {
                let lines = String::from_utf8_lossy(&leg.headers).into_owned();
                let id = lines.lines().find_map(|line| line.strip_prefix("Call-ID: ")).map(str::to_owned);
                ids.extend(id);
            }
            _ => {}
        }
    }
    ids
}

/// An answered call ends soon after the last word in it, if nobody says anything any more.
pub fn a_quiet_call_ends(e: &Evidence) -> Result<(), String> {
    for call in e.admitted() {
        let ids = ids_of(e, call);
        let (mut answered, mut ended) = (None, None);
        for record in e.records().filter(|record| record.call == call) {
            match &record.change {
                Change::Answered { .. } => answered = Some(record.at.as_nanos()),
                Change::Ended(_) => ended = Some(record.at.as_nanos()),
                _ => {}
            }
        }
        let (Some(answered), Some(ended)) = (answered, ended) else { continue };
        let last = e
            .toward_router()
            .filter(|(_, text)| ids.contains(text.call_id()))
            .filter_map(|(wire, _)| wire.first_delivery())
            .map(|place| e.log[place].0)
            .filter(|at| *at <= ended)
            .max();
        let quiet = ended - last.unwrap_or(answered).max(answered);
        if quiet > LONGEST {
            return Err(format!("{call} went on for {} s without a word", quiet / 1_000_000_000));
        }
    }
    Ok(())
}
