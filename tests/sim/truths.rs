//! What holds in every world, whatever is lost, late or twice. Each truth is one function; each has a
//! sabotage in `tamper` that proves it can fail.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Evidence, Wire};
use crate::text::Text;
use crate::world::ROUTER;

pub type Truth = fn(&Evidence) -> Result<(), String>;

/// All truths, by name.
pub const ALL: &[(&str, Truth)] = &[
    ("every message that leaves can be read", every_message_can_be_read),
    ("every INVITE gets one final response", every_invite_gets_one_final),
    ("nothing provisional follows a final", nothing_provisional_follows_a_final),
    ("a CANCEL is obeyed", a_cancel_is_obeyed),
    ("an answer is not lost", an_answer_is_not_lost),
    ("every final of a target is acknowledged", every_final_is_acknowledged),
    ("every answered dialog ends", every_answered_dialog_ends),
    ("a retransmission makes no second leg", no_second_leg),
    ("a CANCEL waits for a provisional", a_cancel_waits_for_a_provisional),
    ("repeats are equal to the octet", repeats_are_equal),
    ("CSeq numbers rise within a dialog", cseq_rises),
    ("responses repeat what they must", responses_repeat_what_they_must),
    ("an ACK is never answered", an_ack_is_never_answered),
    ("every BYE and CANCEL is answered", every_bye_and_cancel_is_answered),
    ("the caller hears the end", the_caller_hears_the_end),
    ("bodies and headers pass", crate::journal::bodies_and_headers_pass),
    ("one question per INVITE", crate::journal::one_question_per_invite),
    ("records and events have no gap", crate::journal::no_gaps),
    ("each call ends once", crate::journal::each_call_ends_once),
    ("questions follow the record", crate::journal::questions_follow_the_record),
    ("the journal says what the caller got", crate::journal::the_journal_says_what_the_caller_got),
    ("quiet means empty", crate::journal::quiet_means_empty),
];

/// The truths that do not hold, each with what is wrong.
pub fn broken(evidence: &Evidence) -> Vec<(&'static str, String)> {
    ALL.iter().filter_map(|(name, truth)| truth(evidence).err().map(|why| (*name, why))).collect()
}

/// One INVITE transaction toward the router: its request and the responses that left.
pub struct Served<'e> {
    pub request: &'e Text,
    pub arrived: usize,
    pub responses: Vec<(&'e Wire, &'e Text, u16)>,
}

impl<'e> Served<'e> {
    pub fn finals(&self) -> impl Iterator<Item = &(&'e Wire, &'e Text, u16)> {
        self.responses.iter().filter(|(_, _, code)| *code >= 200)
    }
}

/// The transactions of this method that others began toward the router.
pub fn served<'e>(e: &'e Evidence, method: &str) -> Vec<Served<'e>> {
    let mut by_key: BTreeMap<_, Served<'e>> = BTreeMap::new();
    for (wire, text) in e.toward_router().filter(|(_, text)| text.method() == method) {
        let arrived = wire.first_delivery().expect("it arrived");
        by_key
            .entry((wire.from, text.branch()))
            .and_modify(|served| served.arrived = served.arrived.min(arrived))
            .or_insert(Served { request: text, arrived, responses: Vec::new() });
    }
    for (wire, text) in e.out() {
        if let (Some(code), Some(served)) = (text.code(), by_key.get_mut(&(wire.to, text.branch())))
            && text.cseq().1 == method
        {
            served.responses.push((wire, text, code));
        }
    }
    by_key.into_values().collect()
}

/// The responses to INVITEs of the router that reached it.
fn heard(e: &Evidence) -> impl Iterator<Item = (&Wire, &Text, u16)> {
    e.toward_router()
        .filter_map(|(wire, text)| Some((wire, text, text.code()?)))
        .filter(|(_, text, _)| text.cseq().1 == "INVITE")
}

/// The INVITE of the router with this branch: its first sending.
fn invite_of<'e>(e: &'e Evidence, branch: &str) -> Option<(&'e Wire, &'e Text)> {
    e.out().find(|(_, text)| text.method() == "INVITE" && text.branch() == branch)
}

fn every_message_can_be_read(e: &Evidence) -> Result<(), String> {
    for wire in e.wires.iter().filter(|wire| wire.from == ROUTER) {
        if let Err(error) = &wire.text {
            return Err(format!("{error} in {}", String::from_utf8_lossy(&wire.bytes)));
        }
    }
    Ok(())
}

fn every_invite_gets_one_final(e: &Evidence) -> Result<(), String> {
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

fn nothing_provisional_follows_a_final(e: &Evidence) -> Result<(), String> {
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
fn a_cancel_is_obeyed(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for cancel in served(e, "CANCEL") {
        let Some(invite) = invites.iter().find(|invite| invite.request.branch() == cancel.request.branch())
        else {
            continue;
        };
        let Some((wire, text, code)) = invite.finals().min_by_key(|(wire, ..)| wire.sent) else { continue };
        if invite.arrived < cancel.arrived && wire.sent > cancel.arrived && *code != 487 {
            return Err(format!("{} was canceled and got {code}", text.call_id()));
        }
    }
    Ok(())
}

/// A target's 2xx that came in time reaches the caller as 2xx.
fn an_answer_is_not_lost(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for (wire, text, code) in heard(e).filter(|(_, _, code)| (200..300).contains(code)) {
        let came = wire.first_delivery().expect("it arrived");
        let Some((sent, request)) = invite_of(e, text.branch()) else { continue };
        let rang = heard(e)
            .any(|(w, t, c)| c < 200 && t.branch() == text.branch() && w.first_delivery() < Some(came));
        let prompt = e.log[came].0 < sent.at + 400_000_000;
        let given_up =
            e.out().any(|(w, t)| t.method() == "CANCEL" && t.branch() == text.branch() && w.sent < came);
        let Some(caller) = crate::journal::caller_of(e, request.uri()) else { continue };
        // A merged INVITE may have become a call of its own under the same Call-ID.
        let finals = || invites.iter().filter(|i| i.request.call_id() == caller).flat_map(Served::finals);
        let before = finals().any(|(w, ..)| w.sent < came);
        if !(rang || prompt) || given_up || before {
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

/// Each final response to an INVITE of the router gets its ACK: a 2xx in its dialog, others by branch.
fn every_final_is_acknowledged(e: &Evidence) -> Result<(), String> {
    for (_, text, code) in heard(e).filter(|(_, _, code)| *code >= 200) {
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

/// Whoever answered is hung up on, or hangs up, or is known to be gone.
fn every_answered_dialog_ends(e: &Evidence) -> Result<(), String> {
    let ended = |call: &str, peer: &str| {
        let ours = e.out().any(|(_, t)| t.method() == "BYE" && t.call_id() == call && t.to_tag() == peer);
        let theirs =
            e.toward_router().any(|(_, t)| t.method() == "BYE" && t.call_id() == call && t.tag_of_from() == peer);
        // 481 or 408 to a request inside the dialog, or none at all: the peer has lost it.
        let lost = e.out().any(|(w, t)| {
            let inside = t.is_request() && t.method() != "ACK" && t.call_id() == call && t.to_tag() == peer;
            inside
                && !e.toward_router().any(|(_, r)| {
                    r.branch() == t.branch() && r.code().is_some_and(|c| c >= 200 && c != 481 && c != 408)
                })
                && w.to != ROUTER
        });
        ours || theirs || lost
    };
    for (_, text, code) in heard(e) {
        let opens = invite_of(e, text.branch()).is_some_and(|(_, invite)| invite.to_tag().is_empty());
        if (200..300).contains(&code) && opens && !ended(text.call_id(), text.to_tag()) {
            return Err(format!("the target's dialog {} tag {} never ends", text.call_id(), text.to_tag()));
        }
    }
    for served in served(e, "INVITE").iter().filter(|served| served.request.to_tag().is_empty()) {
        let answered = served.finals().any(|(_, _, code)| (200..300).contains(code));
        if answered && !ended(served.request.call_id(), served.request.tag_of_from()) {
            return Err(format!("the caller's dialog {} never ends", served.request.call_id()));
        }
    }
    Ok(())
}

fn no_second_leg(e: &Evidence) -> Result<(), String> {
    for dialled in &e.dials {
        let wanted = format!("sip:{}@", dialled.user);
        let legs: BTreeSet<&str> = e
            .out()
            .filter(|(_, text)| {
                text.method() == "INVITE" && text.to_tag().is_empty() && text.uri().starts_with(&wanted)
            })
            .map(|(_, text)| text.branch())
            .collect();
        if legs.len() > dialled.addresses {
            return Err(format!("{} INVITEs for {}", legs.len(), dialled.user));
        }
    }
    Ok(())
}

fn a_cancel_waits_for_a_provisional(e: &Evidence) -> Result<(), String> {
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

fn repeats_are_equal(e: &Evidence) -> Result<(), String> {
    let mut first: BTreeMap<(&str, &str), &[u8]> = BTreeMap::new();
    for (wire, text) in e.out().filter(|(_, text)| text.is_request()) {
        let known = first.entry((text.branch(), text.method())).or_insert(&wire.bytes);
        if **known != *wire.bytes {
            return Err(format!("{} of {} changed when repeated", text.method(), text.call_id()));
        }
    }
    Ok(())
}

fn cseq_rises(e: &Evidence) -> Result<(), String> {
    let mut highest: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (wire, text) in
        e.out().filter(|(_, text)| text.is_request() && !["ACK", "CANCEL"].contains(&text.method()))
    {
        if !seen.insert(text.branch()) || wire.to == ROUTER {
            continue;
        }
        // One INVITE may open several dialogs; each counts on by itself.
        let dialog = highest.entry((text.call_id(), text.to_tag())).or_default();
        if text.cseq().0 <= *dialog {
            return Err(format!("CSeq {} after {dialog} in {}", text.get("cseq"), text.call_id()));
        }
        *dialog = text.cseq().0;
    }
    Ok(())
}

fn responses_repeat_what_they_must(e: &Evidence) -> Result<(), String> {
    let plain = |via: &str| {
        via.split(';')
            .filter(|p| !p.starts_with("received") && !p.starts_with("rport"))
            .collect::<Vec<_>>()
            .join(";")
    };
    for method in ["INVITE", "CANCEL", "BYE", "INFO", "OPTIONS", "MESSAGE", "UPDATE"] {
        for served in served(e, method) {
            let request = served.request;
            for (_, response, code) in &served.responses {
                let vias: Vec<String> = response.all("via").map(plain).collect();
                let same = request.all("via").map(plain).eq(vias)
                    && ["from", "call-id", "cseq"].iter().all(|name| response.get(name) == request.get(name))
                    && response.get("to").starts_with(request.get("to"))
                    && (*code == 100 || !response.to_tag().is_empty());
                if !same {
                    return Err(format!("{code} to {method} of {} repeats it wrongly", request.call_id()));
                }
            }
        }
    }
    Ok(())
}

fn an_ack_is_never_answered(e: &Evidence) -> Result<(), String> {
    match e.out().find(|(_, text)| text.code().is_some() && text.cseq().1 == "ACK") {
        Some((_, text)) => Err(format!("{} to an ACK of {}", text.start, text.call_id())),
        None => Ok(()),
    }
}

fn every_bye_and_cancel_is_answered(e: &Evidence) -> Result<(), String> {
    for method in ["BYE", "CANCEL"] {
        for served in served(e, method) {
            let codes: BTreeSet<u16> = served.finals().map(|(_, _, code)| *code).collect();
            // A 481 leaves no state, so a CANCEL that overtook its INVITE may get 200 when repeated.
            if codes.is_empty() || !codes.iter().all(|code| [200, 481].contains(code)) {
                return Err(format!("{method} of {} was answered {codes:?}", served.request.call_id()));
            }
        }
    }
    Ok(())
}

/// The final reaches the caller, unless the drop log shows that all of a full series was lost.
fn the_caller_hears_the_end(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE") {
        let finals: Vec<&Wire> = served.finals().map(|(wire, ..)| *wire).collect();
        let (Some(first), Some(last)) = (finals.first(), finals.last()) else { continue };
        let heard = finals.iter().any(|wire| !wire.delivered.is_empty());
        let acked =
            e.toward_router().any(|(_, t)| t.method() == "ACK" && t.call_id() == served.request.call_id());
        let exhausted = last.at - first.at >= 27_000_000_000;
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
