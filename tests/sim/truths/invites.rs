//! The truths about INVITEs and their end.

use std::collections::BTreeSet;

use callgate::routing::model::Follow;

use super::{Served, heard, invite_of, served};
use crate::evidence::{Evidence, Wire};
use crate::phone::TIMEOUT;
use crate::world::ROUTER;

pub fn every_invite_gets_one_final(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE") {
        let finals: BTreeSet<&[u8]> = served.finals().map(|(wire, ..)| &*wire.bytes).collect();
        if finals.len() != 1 {
            return Err(format!(
                "{} different finals for {} {}",
                finals.len(),
                served.request.call_id(),
                served.request.branch()
            ));
        }
    }
    Ok(())
}

pub fn nothing_provisional_follows_a_final(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE") {
        let first_final = served.finals().map(|(wire, ..)| wire.sent).min();
        if let Some((wire, text, _)) = served
            .responses
            .iter()
            .find(|(wire, _, code)| *code < 200 && first_final.is_some_and(|f| wire.sent > f))
        {
            return Err(format!("{} at {} after the final of {}", text.start, wire.sent, text.call_id()));
        }
    }
    Ok(())
}

/// After CANCEL the final is 487, unless another had left before.
pub fn a_cancel_is_obeyed(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for cancel in served(e, "CANCEL") {
        let Some(invite) = invites.iter().find(|invite| invite.request.branch() == cancel.request.branch())
        else {
            continue;
        };
        let Some((wire, text, code)) = invite.finals().min_by_key(|(wire, ..)| wire.sent) else { continue };
        // Inside a call it is the far side that decides, and its answer may have won.
        let far = !invite.opens() && heard(e).any(|(_, _, far)| far == *code);
        if invite.arrived < cancel.arrived && wire.sent > cancel.arrived && *code != 487 && !far {
            return Err(format!("{} was canceled and got {code}", text.call_id()));
        }
    }
    Ok(())
}

/// A target's 2xx that came in time reaches the caller as 2xx.
pub fn an_answer_is_not_lost(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for (wire, text, code) in heard(e).filter(|(_, _, code)| (200..300).contains(code)) {
        let came = wire.first_delivery().expect("it arrived");
        let Some((sent, request)) = invite_of(e, text.branch()) else { continue };
        let rang = heard(e)
            .any(|(w, t, c)| c < 200 && t.branch() == text.branch() && w.first_delivery() < Some(came));
        let prompt = e.log[came].0 < sent.at + 400_000_000;
        let given_up =
            e.out().any(|(w, t)| t.method() == "CANCEL" && t.branch() == text.branch() && w.sent < came);
        let Some(caller) = super::journal::caller_of(e, request.uri()) else { continue };
        // A merged INVITE may have become a call of its own under the same Call-ID.
        let finals = || invites.iter().filter(|i| i.request.call_id() == caller).flat_map(Served::finals);
        let before = finals().any(|(w, ..)| w.sent < came);
        let ended = super::fork::ended_before(e, text.branch(), came);
        // It waits for the PRACK of a description, and the caller may end the call before (RFC 3262 3).
        let waits = super::reliable::owes_prack(e, caller, came);
        if !(rang || prompt) || given_up || before || ended || waits {
            continue;
        }
        if invites.iter().any(|i| i.request.call_id() == caller)
            && !finals().any(|(_, _, code)| (200..300).contains(code))
        {
            return Err(format!("{code} of {} never became the answer of {caller}", text.call_id()));
        }
    }
    Ok(())
}

/// The final reaches the caller, unless the drop log shows that all of a full series was lost.
pub fn the_caller_hears_the_end(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE") {
        let finals: Vec<&Wire> = served.finals().map(|(wire, ..)| *wire).collect();
        let (Some(first), Some(last)) = (finals.first(), finals.last()) else { continue };
        let heard = finals.iter().any(|wire| !wire.delivered.is_empty());
        let acked =
            e.toward_router().any(|(_, t)| t.method() == "ACK" && t.call_id() == served.request.call_id());
        // A stream loses only with the connection, and then nobody can be told.
        let exhausted = last.at - first.at >= 27_000_000_000 || first.tcp;
        if !heard && !exhausted && !acked {
            return Err(format!(
                "the final of {} was sent {} times and lost",
                served.request.call_id(),
                finals.len()
            ));
        }
    }
    Ok(())
}

pub fn no_second_leg(e: &Evidence) -> Result<(), String> {
    for dialled in &e.dials {
        let wanted = format!("sip:{}@", dialled.user);
        // A large one that found no stream may go once more as a datagram.
        for tcp in [true, false] {
            let legs: BTreeSet<&str> = e
                .out()
                .filter(|(wire, text)| {
                    let opens = text.method() == "INVITE" && text.to_tag().is_empty();
                    wire.tcp == tcp && opens && text.uri().starts_with(&wanted)
                })
                .map(|(_, text)| text.branch())
                .collect();
            // Who makes no offer in a transfer is made one; a redirection leads to ten addresses at most.
            let more = if dialled.follow == Follow::No { 0 } else { 9 };
            if legs.len() > dialled.addresses * if dialled.transfer { 2 } else { 1 } + more {
                return Err(format!("{} INVITEs for {}", legs.len(), dialled.user));
            }
        }
    }
    Ok(())
}

pub fn a_cancel_waits_for_a_provisional(e: &Evidence) -> Result<(), String> {
    for (wire, cancel) in e.out().filter(|(wire, text)| text.method() == "CANCEL" && wire.to != ROUTER) {
        let Some((invite, text)) = invite_of(e, cancel.branch()) else {
            return Err(format!("a CANCEL of branch {} without its INVITE", cancel.branch()));
        };
        if invite.to != wire.to || text.uri() != cancel.uri() || text.cseq().0 != cancel.cseq().0 {
            return Err(format!("the CANCEL of {} is not that of its INVITE", cancel.call_id()));
        }
        if !heard(e)
            .any(|(w, t, c)| c < 200 && t.branch() == cancel.branch() && w.first_delivery() < Some(wire.sent))
        {
            return Err(format!("the CANCEL of {} came before a provisional", cancel.call_id()));
        }
    }
    Ok(())
}

/// Each final response to an INVITE of the router gets its ACK: a 2xx in its dialog, others by branch.
/// What comes 64*T1 after the CANCEL finds its transaction gone (RFC 3261 9.1).
pub fn every_final_is_acknowledged(e: &Evidence) -> Result<(), String> {
    for (wire, text, code) in heard(e).filter(|(_, _, code)| *code >= 200) {
        let came = e.log[wire.first_delivery().expect("it arrived")].0;
        let cancel = e.out().find(|(_, out)| out.method() == "CANCEL" && out.branch() == text.branch());
        if code >= 300 && cancel.is_some_and(|(cancel, _)| came >= cancel.at + TIMEOUT) {
            continue;
        }
        let number = text.cseq().0;
        let acked = e.out().filter(|(_, ack)| ack.method() == "ACK" && ack.call_id() == text.call_id()).any(
            |(_, ack)| {
                let own_branch = ack.branch() == text.branch();
                ack.cseq().0 == number && ack.to_tag() == text.to_tag() && own_branch == (code >= 300)
            },
        );
        if !acked && invite_of(e, text.branch()).is_some() {
            return Err(format!("{code} of {} tag {} was never acknowledged", text.call_id(), text.to_tag()));
        }
    }
    Ok(())
}

/// After a BYE inside an early dialog the INVITE gets 487, unless another final had left before.
pub fn an_early_bye_is_obeyed(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for bye in served(e, "BYE") {
        let taken = bye.finals().any(|(_, _, code)| *code == 200);
        let same = |invite: &&Served<'_>| {
            invite.opens()
                && invite.request.call_id() == bye.request.call_id()
                && invite.request.tag_of_from() == bye.request.tag_of_from()
                && invite.responses.iter().any(|(_, text, _)| text.to_tag() == bye.request.to_tag())
        };
        let Some(invite) = invites.iter().find(same).filter(|_| taken) else { continue };
        let Some((wire, text, code)) = invite.finals().min_by_key(|(wire, ..)| wire.sent) else { continue };
        if wire.sent > bye.arrived && *code != 487 {
            return Err(format!("{} was ended by BYE and got {code}", text.call_id()));
        }
    }
    Ok(())
}

/// `Require` of an extension that is not there: 420.
pub fn what_is_not_offered_is_refused(e: &Evidence) -> Result<(), String> {
    for invite in served(e, "INVITE").iter().filter(|invite| invite.request.get("require") == "replaces") {
        if let Some((_, text, code)) = invite.finals().find(|(_, _, code)| ![420, 482].contains(code)) {
            return Err(format!("{code} to {} that requires an extension", text.call_id()));
        }
    }
    Ok(())
}
