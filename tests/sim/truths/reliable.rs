//! The truths about reliable provisional responses (RFC 3262).

use std::collections::{BTreeMap, BTreeSet};

use super::{Served, served};
use crate::evidence::{Evidence, Wire};
use crate::text::Text;
use crate::world::ROUTER;

/// What a PRACK says of a response: its RSeq and CSeq.
fn rack(response: &Text) -> String {
    format!("{} {}", response.get("rseq"), response.get("cseq"))
}

/// The reliable responses among these, with their wires.
fn reliable<'e>(served: &'e Served<'e>) -> impl Iterator<Item = (&'e Wire, &'e Text)> {
    let of = served.responses.iter().filter(|(_, text, code)| *code < 200 && !text.get("rseq").is_empty());
    of.map(|(wire, text, _)| (*wire, *text))
}

/// When a PRACK for this response first reached the router.
fn pracked(e: &Evidence, response: &Text) -> Option<usize> {
    e.toward_router()
        .filter(|(_, text)| text.method() == "PRACK" && text.get("rack") == rack(response))
        .filter(|(_, t)| t.call_id() == response.call_id() && t.to_tag() == response.to_tag())
        .filter_map(|(wire, _)| wire.first_delivery())
        .min()
}

/// A PRACK to a target names a response of that target, by its own numbers, and leaves once.
pub fn a_prack_names_what_was_sent(e: &Evidence) -> Result<(), String> {
    let mut once: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    let out = e.out().filter(|(wire, text)| text.method() == "PRACK" && wire.to != ROUTER);
    for (wire, prack) in out {
        let said = |(heard, text): (&Wire, &Text)| {
            let same = text.call_id() == prack.call_id() && text.to_tag() == prack.to_tag();
            same && rack(text) == prack.get("rack") && heard.first_delivery() < Some(wire.sent)
        };
        if !e.toward_router().any(said) {
            return Err(format!("{} of {} was never sent", prack.get("rack"), prack.call_id()));
        }
        let branches = once.entry((prack.call_id(), prack.to_tag(), prack.get("rack"))).or_default();
        branches.insert(prack.branch());
        if branches.len() > 1 {
            return Err(format!("{} of {} was acknowledged twice", prack.get("rack"), prack.call_id()));
        }
    }
    Ok(())
}

/// A PRACK for what the router never said matches nothing.
pub fn a_wrong_prack_is_refused(e: &Evidence) -> Result<(), String> {
    for served in served(e, "PRACK") {
        let prack = served.request;
        let said = e.out().any(|(_, text)| {
            text.call_id() == prack.call_id()
                && !text.get("rseq").is_empty()
                && rack(text) == prack.get("rack")
        });
        // 500: a number below the last (12.2.2).
        let right = |code: &u16| [481, 500].contains(code);
        if !said && !served.finals().all(|(_, _, code)| right(code)) {
            return Err(format!("{} of {} was taken", prack.get("rack"), prack.call_id()));
        }
    }
    Ok(())
}

/// RSeq rises by one within an early dialog, behind the PRACK of the one before; a repetition is equal.
pub fn rseq_counts_on(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE").iter().filter(|served| served.opens()) {
        let mut last: BTreeMap<&str, (u32, &Wire, &Text)> = BTreeMap::new();
        for (wire, text) in reliable(served) {
            let rseq: u32 = text.get("rseq").parse().unwrap_or(0);
            let what = || format!("RSeq {rseq} under {} of {}", text.to_tag(), text.call_id());
            match last.get(text.to_tag()) {
                Some((known, first, _)) if *known == rseq && first.bytes != wire.bytes => {
                    return Err(format!("{} changed when repeated", what()));
                }
                Some((known, ..)) if *known == rseq => continue,
                Some((known, ..)) if *known + 1 != rseq => {
                    return Err(format!("{} came after {known}", what()));
                }
                Some((_, _, before)) if pracked(e, before).is_none_or(|at| at > wire.sent) => {
                    return Err(format!("{} did not wait for the PRACK before it", what()));
                }
                _ => last.insert(text.to_tag(), (rseq, wire, text)),
            };
        }
    }
    Ok(())
}

/// No 2xx leaves while a description sent reliably under its tag has no PRACK.
pub fn an_answer_waits_for_its_prack(e: &Evidence) -> Result<(), String> {
    for served in served(e, "INVITE").iter().filter(|served| served.opens()) {
        let Some((answer, text, _)) = served.finals().find(|(_, _, code)| (200..300).contains(code)) else {
            continue;
        };
        let of_tag = |(wire, early): &(&Wire, &Text)| {
            early.to_tag() == text.to_tag() && !early.body.is_empty() && wire.sent < answer.sent
        };
        let open = reliable(served)
            .filter(of_tag)
            .find(|(_, early)| pracked(e, early).is_none_or(|at| at > answer.sent));
        if let Some((_, early)) = open {
            return Err(format!("{} was answered before PRACK of {}", text.call_id(), rack(early)));
        }
    }
    Ok(())
}

/// Who requires 100rel hears nothing provisional but what is reliable.
pub fn what_is_required_is_reliable(e: &Evidence) -> Result<(), String> {
    let requires = |served: &&Served<'_>| served.opens() && served.request.get("require").contains("100rel");
    for served in served(e, "INVITE").iter().filter(requires) {
        let lax = |(_, text, code): &&(&Wire, &Text, u16)| {
            let so = text.all("require").any(|tags| tags.contains("100rel")) && !text.get("rseq").is_empty();
            (101..200).contains(code) && !so
        };
        if let Some((_, text, code)) = served.responses.iter().find(lax) {
            return Err(format!("{code} to {} is not reliable", text.call_id()));
        }
    }
    Ok(())
}

/// Whether the caller of this Call-ID had not acknowledged a description at this place in the log.
pub fn owes_prack(e: &Evidence, caller: &str, place: usize) -> bool {
    served(e, "INVITE").iter().filter(|served| served.opens() && served.request.call_id() == caller).any(
        |of| {
            let mut early = reliable(of).filter(|(wire, text)| !text.body.is_empty() && wire.sent < place);
            early.any(|(_, text)| pracked(e, text).is_none_or(|at| at > place))
        },
    )
}
