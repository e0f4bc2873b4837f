//! The truths about what each kind of trunk is told: who calls, how many dialogs there are, where to go.

use std::collections::{BTreeMap, BTreeSet};

use callgate::call::record::Change;

use super::served;
use crate::evidence::{Evidence, Wire};
use crate::phone::bare;
use crate::provision::{CLOSE, IN_CONFIDENCE, REDIRECT, SINGLE, TRUSTED};
use crate::text::Text;
use crate::world::ROUTER;

const IDENTITY: [&str; 2] = ["p-asserted-identity", "remote-party-id"];

fn last_octet(host: &str) -> u8 {
    host.rsplit('.').next().and_then(|last| last.parse().ok()).unwrap_or(0)
}

/// The trunk that a message came by.
fn trunk_of(wire: &Wire) -> u8 {
    last_octet(&wire.from.ip().to_string())
}

/// The callers' INVITEs by Call-ID, each with its trunk.
fn callers(e: &Evidence) -> BTreeMap<&str, (u8, &Text)> {
    let opening = e.toward_router().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty());
    opening.map(|(wire, text)| (text.call_id(), (trunk_of(wire), text))).collect()
}

fn host_of(uri: &str) -> &str {
    uri.split('@').nth(1).unwrap_or_default().split([':', ';']).next().unwrap_or_default()
}

/// Whether whoever shares the dialog of a Call-ID may know who others are.
fn trust(e: &Evidence) -> BTreeMap<&str, bool> {
    let callers = callers(e);
    let mut all: BTreeMap<&str, bool> =
        callers.iter().map(|(id, (trunk, _))| (*id, [TRUSTED, CLOSE].contains(trunk))).collect();
    for (_, text) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty()) {
        let trusted = IN_CONFIDENCE.contains(&last_octet(host_of(text.uri())));
        all.entry(text.call_id()).or_insert(trusted);
    }
    all
}

/// Identities are told to trusted peers only, and only those that a trusted peer asserted.
pub fn identity_stays_within_trust(e: &Evidence) -> Result<(), String> {
    let trust = trust(e);
    for (wire, text) in e.out().filter(|(wire, _)| wire.to != ROUTER) {
        for value in IDENTITY.iter().flat_map(|name| text.all(name)) {
            let told = trust.get(text.call_id()).copied().unwrap_or(false);
            let target = value.split("sip:t").nth(1).and_then(|rest| rest.split('@').next());
            let asserted = match target.and_then(|number| number.parse::<u8>().ok()) {
                Some(number) => IN_CONFIDENCE.contains(&number),
                None => value.split("+1201555").nth(1).is_some_and(|rest| {
                    let own = format!("call-{}@", rest.get(..4).unwrap_or_default());
                    trust.iter().any(|(id, trusted)| id.starts_with(&own) && *trusted)
                }),
            };
            if !(told && asserted) {
                return Err(format!(
                    "{} to {} says {value}: told {told}, asserted {asserted}",
                    text.start, wire.to
                ));
            }
        }
    }
    Ok(())
}

/// Whether a caller wants its name and number kept.
fn hides(invite: &Text) -> bool {
    let words: Vec<&str> = invite.all("privacy").flat_map(|line| line.split(';')).map(str::trim).collect();
    !words.contains(&"none") && (words.contains(&"id") || words.contains(&"user"))
}

/// Nobody who is not trusted reads the number or the name of a caller who hides them, in anything.
pub fn a_hidden_caller_stays_hidden(e: &Evidence) -> Result<(), String> {
    let (callers, trust) = (callers(e), trust(e));
    let hidden: Vec<String> = callers
        .values()
        .filter(|(_, invite)| hides(invite))
        .filter_map(|(_, invite)| Some(invite.call_id().strip_prefix("call-")?.get(..4)?.to_owned()))
        .collect();
    if hidden.is_empty() {
        return Ok(());
    }
    // Who calls knows who that is.
    let is_caller = |wire: &Wire| wire.to.ip().to_string().starts_with("198.51.100.");
    for (wire, text) in e.out().filter(|(wire, _)| wire.to != ROUTER && !is_caller(wire)) {
        if trust.get(text.call_id()).copied().unwrap_or(false) {
            continue;
        }
        for port in &hidden {
            let said = |(_, value): &(String, String)| {
                value.contains(&format!("1201555{port}")) || value.contains(&format!("Caller, {port}"))
            };
            if text.start.contains(&format!("1201555{port}")) || text.headers.iter().any(said) {
                return Err(format!("{} to {} tells who {port} is", text.start, wire.to));
            }
        }
    }
    Ok(())
}

/// From a trusted trunk to a trusted gateway, and back, identity passes as it is, with what is wanted kept.
pub fn nothing_is_lost_among_the_trusted(e: &Evidence) -> Result<(), String> {
    let callers = callers(e);
    let trusted = |id: &str| {
        callers.get(id).filter(|(trunk, _)| [TRUSTED, CLOSE].contains(trunk)).map(|(_, invite)| *invite)
    };
    let confides = |uri: &str| {
        let dialled = e.dialled(uri).filter(|dialled| !dialled.transfer && dialled.trusted);
        dialled.is_some_and(|dialled| dialled.host == host_of(uri))
    };
    let mut confided = BTreeSet::new();
    for (_, leg) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty()) {
        if !confides(leg.uri()) {
            continue;
        }
        confided.insert(leg.call_id().as_bytes());
        let caller = super::journal::caller_of(e, leg.uri()).and_then(trusted);
        let Some(caller) = caller else { continue };
        for name in ["p-asserted-identity", "remote-party-id", "privacy"] {
            if !leg.all(name).eq(caller.all(name)) {
                return Err(format!("{name} of {} was lost on its way to {}", caller.call_id(), leg.uri()));
            }
        }
    }
    for record in e.records() {
        let Change::Answered { caller, target, .. } = &record.change else { continue };
        let id = String::from_utf8_lossy(&caller.call_id).into_owned();
        if !confided.contains(&*target.call_id) || trusted(&id).is_none() {
            continue;
        }
        let mut answers = e.out().filter(|(_, text)| {
            let code = text.code().is_some_and(|code| (200..300).contains(&code));
            let own = text.call_id() == id && text.to_tag().as_bytes() == &*caller.local_tag;
            code && own && text.cseq() == (1, "INVITE".to_owned())
        });
        if answers.any(|(_, text)| text.get("p-asserted-identity").is_empty()) {
            return Err(format!("{id} was not told who answered"));
        }
    }
    Ok(())
}

/// A trunk that takes one early dialog hears 180 without a body and then the answer, all under one To
/// tag; no target is offered 100rel for it.
pub fn one_early_dialog(e: &Evidence) -> Result<(), String> {
    let callers = callers(e);
    let single = |id: &str| callers.get(id).is_some_and(|(trunk, _)| [SINGLE, CLOSE].contains(trunk));
    for served in served(e, "INVITE").iter().filter(|of| of.opens() && single(of.request.call_id())) {
        let mut tags = BTreeSet::new();
        for (_, text, code) in served.responses.iter().filter(|(_, _, code)| (101..300).contains(code)) {
            tags.insert(text.to_tag());
            let more = *code < 200 && (*code != 180 || !text.body.is_empty());
            if more || tags.len() > 1 {
                return Err(format!("{code} to {} under {tags:?}", served.request.call_id()));
            }
        }
    }
    for (_, leg) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.uri().starts_with("sip:d")) {
        let opens = leg.to_tag().is_empty() && !e.transfers(leg.uri());
        let tags = || ["supported", "require"].into_iter().flat_map(|name| leg.all(name));
        let caller = super::journal::caller_of(e, leg.uri()).filter(|_| opens);
        if caller.is_some_and(single) && tags().any(|tags| tags.contains("100rel")) {
            return Err(format!("{} was offered 100rel for one early dialog", leg.uri()));
        }
    }
    Ok(())
}

/// A redirecting trunk is told where its calls may go, what rings together as equals and what comes later
/// as less, and nobody is invited for it.
pub fn a_redirecting_trunk_is_told_where(e: &Evidence) -> Result<(), String> {
    let callers = callers(e);
    let redirects = |id: &str| callers.get(id).is_some_and(|(trunk, _)| *trunk == REDIRECT);
    let mut calls = BTreeSet::new();
    for record in e.records() {
        match &record.change {
            Change::Admitted { facts, .. } if redirects(&facts.sip_call_id) => {
                calls.insert(record.call);
            }
            Change::Invited(leg) if calls.contains(&record.call) => {
                let uri = String::from_utf8_lossy(&leg.request_uri).into_owned();
                return Err(format!("{uri} was invited for a trunk that redirects"));
            }
            _ => {}
        }
    }
    for served in served(e, "INVITE").iter().filter(|of| of.opens() && redirects(of.request.call_id())) {
        let id = served.request.call_id();
        if let Some((_, text, _)) = served.responses.iter().find(|(_, _, code)| (101..200).contains(code)) {
            return Err(format!("{} to {id}, which is to be redirected", text.start));
        }
        for (_, text, _) in served.finals().filter(|(_, _, code)| *code == 302) {
            told_in_order(e, text).map_err(|why| format!("302 to {id}: {why}"))?;
        }
    }
    Ok(())
}

fn told_in_order(e: &Evidence, answer: &Text) -> Result<(), String> {
    let mut last = (u32::MAX, None);
    let mut told = BTreeSet::new();
    for contact in answer.all("contact") {
        let q: f64 = contact.split(";q=").nth(1).and_then(|q| q.parse().ok()).unwrap_or(0.0);
        let q = (q * 10.0).round() as u32;
        let dialled = e.dialled(bare(contact));
        let dial = Some(dialled.map(|dialled| dialled.dial));
        let right = if dial == last.1 { q == last.0 } else { q < last.0 };
        if !(1..=10).contains(&q) || !right {
            return Err(format!("{contact} stands behind {last:?}"));
        }
        last = (q, dial);
        told.extend(dialled.map(|dialled| &*dialled.user));
    }
    // A gateway may want to be left alone.
    let mut sure = e.dials.iter().filter(|dialled| !dialled.number);
    match sure.find(|dialled| {
        let of_it =
            |other: &crate::evidence::Dialled| other.dial == dialled.dial && told.contains(&*other.user);
        e.dials.iter().any(of_it) && !told.contains(&*dialled.user)
    }) {
        Some(left_out) => Err(format!("{} is not told", left_out.user)),
        None if answer.all("contact").next().is_none() => Err("nothing is told".into()),
        None => Ok(()),
    }
}
