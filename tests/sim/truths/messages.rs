//! The truths about each message by itself, and its repeats.

use std::collections::{BTreeMap, BTreeSet};

use rsip::prelude::{HeadersExt as _, ToTypedHeader as _, UntypedHeader as _};

use super::served;
use crate::evidence::{Evidence, What};
use crate::operator::Act;
use crate::phone::list;
use crate::world::ROUTER;

/// What others send the router.
pub const METHODS: [&str; 11] = [
    "INVITE", "CANCEL", "BYE", "INFO", "OPTIONS", "MESSAGE", "UPDATE", "REFER", "PRACK", "NOTIFY", "CHATTER",
];

pub fn every_message_can_be_read(e: &Evidence) -> Result<(), String> {
    for wire in e.wires.iter().filter(|wire| wire.from == ROUTER) {
        if let Err(error) = &wire.text {
            return Err(format!("{error} in {}", String::from_utf8_lossy(&wire.bytes)));
        }
    }
    Ok(())
}

pub fn repeats_are_equal(e: &Evidence) -> Result<(), String> {
    let mut first: BTreeMap<(&str, &str), &[u8]> = BTreeMap::new();
    for (wire, text) in e.out().filter(|(_, text)| text.is_request()) {
        let known = first.entry((text.branch(), text.method())).or_insert(&wire.bytes);
        if **known != *wire.bytes {
            return Err(format!("{} of {} changed when repeated", text.method(), text.call_id()));
        }
    }
    Ok(())
}

/// Numbers rise within a dialog. A loser that answers in two lives of the router is hung up on in both,
/// and nothing tells the second that it was: its BYE may bear the number of the first.
pub fn cseq_rises(e: &Evidence) -> Result<(), String> {
    let mut highest: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    let mut byes: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (wire, text) in
        e.out().filter(|(_, text)| text.is_request() && !["ACK", "CANCEL"].contains(&text.method()))
    {
        if !seen.insert(text.branch()) || wire.to == ROUTER {
            continue;
        }
        // One INVITE may open several dialogs, of either side; each counts on by itself.
        let key = (text.call_id(), text.tag_of_from(), text.to_tag());
        let dialog = highest.entry(key).or_default();
        let bye = (text.method() == "BYE").then(|| byes.insert(key, wire.sent)).flatten();
        let killed = |since: usize| {
            e.log[since..wire.sent].iter().any(|(_, what)| matches!(what, What::Act(Act::Kill)))
        };
        let again = text.cseq().0 == *dialog && bye.is_some_and(killed);
        if text.cseq().0 <= *dialog && !again {
            return Err(format!("CSeq {} after {dialog} in {}", text.get("cseq"), text.call_id()));
        }
        *dialog = text.cseq().0;
    }
    Ok(())
}

pub fn responses_repeat_what_they_must(e: &Evidence) -> Result<(), String> {
    let plain = |via: &str| {
        via.split(';')
            .filter(|p| !p.starts_with("received") && !p.starts_with("rport"))
            .collect::<Vec<_>>()
            .join(";")
    };
    for method in METHODS {
        for served in served(e, method) {
            let request = served.request;
            for (_, response, code) in &served.responses {
                let vias: Vec<String> = response.all("via").map(plain).collect();
                let same = request.all("via").map(plain).eq(vias)
                    && ["from", "call-id", "cseq"].iter().all(|name| response.get(name) == request.get(name))
                    && response.get("to").starts_with(request.get("to"))
                    && (*code == 100 || !response.to_tag().is_empty())
                    // 12.1.1: whoever opens a dialog repeats the route.
                    && (method != "INVITE" || !served.opens() || !(101..300).contains(code)
                        || list(request, "record-route") == list(response, "record-route"));
                if !same {
                    return Err(format!("{code} to {method} of {} repeats it wrongly", request.call_id()));
                }
            }
        }
    }
    Ok(())
}

pub fn an_ack_is_never_answered(e: &Evidence) -> Result<(), String> {
    match e.out().find(|(_, text)| text.code().is_some() && text.cseq().1 == "ACK") {
        Some((_, text)) => Err(format!("{} to an ACK of {}", text.start, text.call_id())),
        None => Ok(()),
    }
}

pub fn every_bye_and_cancel_is_answered(e: &Evidence) -> Result<(), String> {
    for method in ["BYE", "CANCEL"] {
        for served in served(e, method) {
            let codes: BTreeSet<u16> = served.finals().map(|(_, _, code)| *code).collect();
            // A number below the last is refused (12.2.2), as when a lost BYE comes after the next one.
            let request = served.request;
            let overtaken = e.toward_router().any(|(wire, other)| {
                let same =
                    other.call_id() == request.call_id() && other.tag_of_from() == request.tag_of_from();
                let before = wire.first_delivery().is_some_and(|at| at < served.arrived);
                same && before && other.cseq().0 > request.cseq().0
            });
            // A 481 leaves no state, so a CANCEL that overtook its INVITE may get 200 when repeated.
            let right = |code: &u16| [200, 481].contains(code) || (overtaken && *code == 500);
            if codes.is_empty() || !codes.iter().all(right) {
                return Err(format!("{method} of {} was answered {codes:?}", served.request.call_id()));
            }
        }
    }
    Ok(())
}

/// A second reader, not ours either, finds what ours put there; it knows no method but the RFCs'.
pub fn rsip_reads_the_same(e: &Evidence) -> Result<(), String> {
    for (wire, text) in e.out().filter(|(_, text)| text.cseq().1 != "CHATTER") {
        let read = rsip::SipMessage::try_from(&wire.bytes[..])
            .map_err(|error| format!("{error} in {}", String::from_utf8_lossy(&wire.bytes)))?;
        let found = (|| {
            let cseq = read.cseq_header()?.typed()?;
            let branch = read.via_header()?.typed()?.branch().map(ToString::to_string);
            let call_id = read.call_id_header()?.value().to_owned();
            let from = read.from_header()?.typed()?.tag().map(ToString::to_string);
            let to = read.to_header()?.typed()?.tag().map(ToString::to_string);
            Ok::<_, rsip::Error>((
                cseq.seq,
                branch,
                call_id,
                from.unwrap_or_default(),
                to.unwrap_or_default(),
            ))
        })()
        .map_err(|error| format!("{error} in {}", String::from_utf8_lossy(&wire.bytes)))?;
        let ours = (
            text.cseq().0,
            Some(text.branch().to_owned()),
            text.call_id().to_owned(),
            text.tag_of_from().to_owned(),
            text.to_tag().to_owned(),
        );
        if found != ours || *read.body() != text.body {
            return Err(format!("rsip reads {found:?}, the text says {ours:?}"));
        }
    }
    Ok(())
}
