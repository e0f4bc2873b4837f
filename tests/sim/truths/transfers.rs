//! The truths about transfers by REFER (RFC 3515, RFC 3725).

use std::collections::{BTreeMap, BTreeSet};

use callgate::call::record::Change;
use callgate::ids::CallSid;

use super::{Served, heard, invite_of, served};
use crate::evidence::{Evidence, Wire};
use crate::text::Text;

/// The REFERs that were accepted.
fn accepted(e: &Evidence) -> Vec<Served<'_>> {
    let taken = |served: &Served<'_>| served.finals().any(|(_, _, code)| *code == 202);
    served(e, "REFER").into_iter().filter(taken).collect()
}

/// What the router told the sender of this REFER, each NOTIFY once, in order.
fn told<'e>(e: &'e Evidence, refer: &Text) -> Vec<(&'e Wire, &'e Text)> {
    let id = format!("refer;id={}", refer.cseq().0);
    let mut branches = BTreeSet::new();
    e.out()
        .filter(|(_, text)| text.method() == "NOTIFY" && text.get("event") == id)
        .filter(|(_, text)| text.call_id() == refer.call_id() && text.to_tag() == refer.tag_of_from())
        .filter(|(_, text)| branches.insert(text.branch()))
        .collect()
}

/// The code that a NOTIFY tells, and whether it is the last.
fn progress(notify: &Text) -> (u16, bool) {
    let body = String::from_utf8_lossy(&notify.body);
    let code = body.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (code, notify.get("subscription-state").starts_with("terminated"))
}

/// Who refers hears 100 at once and the end once, before any BYE, unless it has left or wants to hear
/// nothing.
pub fn a_refer_is_told_its_end(e: &Evidence) -> Result<(), String> {
    for served in accepted(e) {
        let (refer, told) = (served.request, told(e, served.request));
        let what = || format!("REFER {} of {}", refer.cseq().0, refer.call_id());
        if refer.get("refer-sub") == "false" {
            if !told.is_empty() {
                return Err(format!("{} wanted to hear nothing and heard {}", what(), told.len()));
            }
            continue;
        }
        let taken = served.finals().map(|(wire, ..)| wire.at).min();
        let first = told.first().map(|(wire, notify)| (wire.at, progress(notify)));
        if first.map(|(at, _)| at) != taken || first.is_none_or(|(_, told)| told != (100, false)) {
            return Err(format!("{} was told {first:?} first", what()));
        }
        let last: Vec<_> = told.iter().filter(|(_, notify)| progress(notify).1).collect();
        let left = e
            .toward_router()
            .filter(|(_, text)| text.method() == "BYE" && text.call_id() == refer.call_id())
            .any(|(_, text)| text.tag_of_from() == refer.tag_of_from());
        let ended = e
            .out()
            .find(|(_, text)| {
                let ours = text.method() == "BYE" && text.call_id() == refer.call_id();
                ours && text.to_tag() == refer.tag_of_from()
            })
            .map(|(wire, _)| wire.sent);
        let in_time = last.first().is_some_and(|(wire, _)| ended.is_none_or(|ended| wire.sent < ended));
        if last.len() > 1 || !(left || in_time) {
            return Err(format!("{} was told its end {} times, in time: {in_time}", what(), last.len()));
        }
        if told.last().is_some_and(|(_, notify)| !progress(notify).1) && !left {
            return Err(format!("{} heard more after its end", what()));
        }
    }
    Ok(())
}

/// The legs of transfers by call: their INVITEs' Request-URIs, and whether they ended unconnected.
fn legs(e: &Evidence) -> BTreeMap<CallSid, BTreeMap<CallSid, (String, bool)>> {
    let mut calls: BTreeMap<CallSid, BTreeMap<CallSid, (String, bool)>> = BTreeMap::new();
    for record in e.records() {
        let legs = calls.entry(record.call).or_default();
        match &record.change {
            Change::Invited(leg) => {
                let uri = String::from_utf8_lossy(&leg.request_uri).into_owned();
                if e.transfers(&uri) {
                    legs.insert(leg.leg, (uri, false));
                }
            }
            // With 200: it was connected, and somebody took its place.
            Change::LegEnded { leg, sip_code } if *sip_code != 200 => {
                if let Some((_, ended)) = legs.get_mut(leg) {
                    *ended = true;
                }
            }
            _ => {}
        }
    }
    calls
}

/// Whoever is told that a transfer succeeded has brought somebody in, and whoever came in by transfer
/// got the other side's answer in the ACK of its 2xx.
pub fn a_transfer_connects(e: &Evidence) -> Result<(), String> {
    let accepted = accepted(e);
    let of_call = |call: CallSid| {
        let ids = super::sessions::ids_of(e, call);
        accepted.iter().filter(move |served| ids.contains(served.request.call_id()))
    };
    // A copy of an INVITE that comes late is a call of its own under the same Call-ID.
    let alone = |call: CallSid| {
        let ids = super::sessions::ids_of(e, call);
        let copies =
            served(e, "INVITE").into_iter().filter(|of| of.opens() && ids.contains(of.request.call_id()));
        copies.count() < 2
    };
    for (call, legs) in legs(e).into_iter().filter(|(call, _)| alone(*call)) {
        let joined: Vec<&str> = legs.values().filter(|(_, ended)| !ended).map(|(uri, _)| &**uri).collect();
        let praised = of_call(call)
            .flat_map(|served| told(e, served.request))
            .filter(|(_, notify)| progress(notify) == (200, true))
            .count();
        if praised > joined.len() || joined.len() > of_call(call).count() {
            return Err(format!("{call}: {praised} transfers were said to succeed, {joined:?} joined"));
        }
        for uri in joined {
            let answers = heard(e).filter(|(_, text, code)| {
                (200..300).contains(code) && invite_of(e, text.branch()).is_some_and(|(_, i)| i.uri() == uri)
            });
            let acked = answers.into_iter().any(|(_, answer, _)| {
                e.out().any(|(_, ack)| {
                    let of = ["ACK", "INVITE"].contains(&ack.method()) && ack.call_id() == answer.call_id();
                    // Who makes no offer is made one, and answers it.
                    let to = ack.to_tag() == answer.to_tag() || ack.branch() == answer.branch();
                    of && to && !ack.body.is_empty() && ack.body != answer.body
                })
            });
            if !acked {
                return Err(format!("{call}: {uri} joined and got no answer to its offer"));
            }
        }
    }
    Ok(())
}

/// Whether a message belongs to a call in which somebody was transferred.
pub fn is_transferred(e: &Evidence, text: &Text) -> bool {
    let of_call = |call: &CallSid| super::sessions::ids_of(e, *call).contains(text.call_id());
    let transferred = legs(e).into_iter().filter(|(_, legs)| !legs.is_empty()).map(|(call, _)| call);
    transferred.into_iter().any(|call| of_call(&call))
}

/// To each side its peer is one, whoever that is: descriptions in a dialog have one origin.
pub fn an_origin_goes_on(e: &Evidence) -> Result<(), String> {
    let mut first: BTreeMap<(&str, &str, &str), String> = BTreeMap::new();
    for (_, text) in e.out().filter(|(wire, _)| wire.to != crate::world::ROUTER) {
        // What is offered early may come from many ends (RFC 3261 13.2.1).
        let (near, peer) = match text.is_request() {
            true => (text.tag_of_from(), text.to_tag()),
            false => (text.to_tag(), text.tag_of_from()),
        };
        let early = text.cseq().1 == "INVITE" && text.code().is_some_and(|code| code < 200);
        if peer.is_empty() || early || !is_transferred(e, text) {
            continue;
        }
        let body = String::from_utf8_lossy(&text.body).into_owned();
        let Some(origin) = body.lines().find_map(|line| line.strip_prefix("o=")) else { continue };
        let words: Vec<&str> = origin.split(' ').collect();
        let who = format!("{} {} {}", words[0], words[1], words[5]);
        let known = first.entry((text.call_id(), near, peer)).or_insert_with(|| who.clone());
        if *known != who {
            return Err(format!("{known} became {who} in {} of {}", text.start, text.call_id()));
        }
    }
    Ok(())
}
