//! The truths about what is done from outside.

use std::collections::BTreeSet;

use callgate::call::outcome::HangupSource;
use callgate::call::record::Change;
use callgate::engine::door::{Purpose, Question};
use callgate::reason::Reason;

use super::{Served, heard, served};
use crate::evidence::{Evidence, What};
use crate::operator::Act;

/// From one place in the log to before another.
type Span = (usize, usize);

/// The places between an act and the one that takes it back.
fn spans(e: &Evidence, state: impl Fn(&Act) -> Option<bool>) -> Vec<Span> {
    let (mut spans, mut since) = (Vec::new(), None);
    for (place, (_, what)) in e.log.iter().enumerate() {
        let What::Act(act) = what else { continue };
        match state(act) {
            Some(true) => since = since.or(Some(place)),
            Some(false) => spans.extend(since.take().map(|since| (since, place))),
            None => {}
        }
    }
    spans.extend(since.map(|since| (since, e.log.len())));
    spans
}

fn drains(e: &Evidence) -> Vec<Span> {
    spans(e, |act| if let Act::Drain(on) = act { Some(*on) } else { None })
}

fn fulls(e: &Evidence) -> Vec<Span> {
    spans(e, |act| if let Act::JournalFull(on) = act { Some(*on) } else { None })
}

fn numberless(e: &Evidence) -> Vec<Span> {
    spans(e, |act| if let Act::Directory { number, .. } = act { Some(!*number) } else { None })
}

/// Those of `spans` that no span of `others` touches.
fn apart(spans: Vec<Span>, others: &[Span]) -> Vec<Span> {
    spans.into_iter().filter(|(from, to)| others.iter().all(|(a, b)| b < from || to < a)).collect()
}

/// No call begins within these spans, and what comes first within them is answered with `code`.
fn nothing_begins(e: &Evidence, spans: &[Span], code: u16) -> Result<(), String> {
    let within = |place: usize| spans.iter().any(|(from, to)| (*from..*to).contains(&place));
    for (place, (_, what)) in e.log.iter().enumerate().filter(|(place, _)| within(*place)) {
        if let What::Record(_, record) = what
            && matches!(record.change, Change::Admitted { .. })
        {
            return Err(format!("{} began at {place}", record.call));
        }
    }
    let invites = served(e, "INVITE");
    let plain = |served: &&Served<'_>| {
        let request = served.request;
        served.opens() && !request.get("require").contains("replaces") && request.uri().contains(":1000@")
    };
    for served in invites.iter().filter(plain).filter(|served| within(served.arrived)) {
        let copies = invites.iter().filter(|other| other.request.call_id() == served.request.call_id());
        let codes: Vec<u16> = served.finals().map(|(_, _, code)| *code).collect();
        if copies.count() == 1 && !codes.iter().all(|own| *own == code) {
            return Err(format!("{} got {codes:?} where {code} was due", served.request.call_id()));
        }
    }
    Ok(())
}

pub fn draining_takes_nothing_new(e: &Evidence) -> Result<(), String> {
    nothing_begins(e, &apart(drains(e), &numberless(e)), 503)
}

pub fn a_full_journal_takes_nothing_new(e: &Evidence) -> Result<(), String> {
    nothing_begins(e, &apart(fulls(e), &numberless(e)), 503)
}

/// A number that is gone is not found, and a call keeps the generation that was live when it began.
pub fn the_directory_of_the_moment_decides(e: &Evidence) -> Result<(), String> {
    let mut live = 0;
    for (_, what) in &e.log {
        match what {
            What::Act(Act::Directory { generation, .. }) => live = *generation,
            What::Record(_, record) => {
                if let Change::Admitted { facts, .. } = &record.change
                    && facts.generation != live
                {
                    return Err(format!("{} was routed by {} under {live}", record.call, facts.generation));
                }
            }
            _ => {}
        }
    }
    nothing_begins(e, &apart(apart(numberless(e), &drains(e)), &fulls(e)), 404)
}

/// Who is hung up on from outside ends at once, and says so.
pub fn a_hangup_ends_the_call(e: &Evidence) -> Result<(), String> {
    for (place, (at, what)) in e.log.iter().enumerate() {
        let What::Act(Act::Hangup(call)) = what else { continue };
        let end = e.log.iter().enumerate().find_map(|(place, (at, what))| match what {
            What::Record(_, record) if record.call == *call => match &record.change {
                Change::Ended(terminal) => Some((place, at, terminal)),
                _ => None,
            },
            _ => None,
        });
        let Some((ended, when, terminal)) = end else { return Err(format!("{call} never ended")) };
        let told = terminal.source == HangupSource::Application && terminal.reason == Reason::HungUp;
        if ended > place && (when != at || !told) {
            return Err(format!("{call} was hung up on at {at} and ended at {when}: {terminal:?}"));
        }
    }
    Ok(())
}

/// Who gets another document before any target answered is asked about it at once, and what rang rings no
/// more.
pub fn another_document_takes_over(e: &Evidence) -> Result<(), String> {
    for (place, (at, what)) in e.log.iter().enumerate() {
        let What::Act(Act::GoOn(call)) = what else { continue };
        let records = || {
            e.log.iter().enumerate().filter_map(|(place, (at, what))| match what {
                What::Record(_, record) if record.call == *call => Some((place, at, &record.change)),
                _ => None,
            })
        };
        let settled = |change: &Change| matches!(change, Change::Answered { .. } | Change::Ended(_));
        let (mut rings, mut branches) = (BTreeSet::new(), BTreeSet::new());
        for (_, _, change) in records().filter(|(own, ..)| *own < place) {
            match change {
                Change::Invited(leg) => {
                    rings.insert(leg.leg);
                    branches.insert(super::branch_of(&leg.headers));
                }
                Change::LegEnded { leg, .. } => drop(rings.remove(leg)),
                _ => {}
            }
        }
        // A 2xx that waits for its PRACK has won.
        let won = heard(e).any(|(wire, text, code)| {
            let before = wire.first_delivery().is_some_and(|own| own < place);
            (200..300).contains(&code) && before && branches.contains(text.branch())
        });
        if won || records().any(|(own, _, change)| own < place && settled(change)) {
            continue;
        }
        let asked = e.log[place..].iter().take_while(|(now, _)| now == at).any(|(_, what)| match what {
            What::Asked(_, ask) => ask.call == *call && is_other(&ask.question),
            _ => false,
        });
        let end = |leg: &_| {
            records().any(|(_, when, change)| {
                matches!(change, Change::LegEnded { leg: own, .. } if own == leg) && when == at
            })
        };
        if !asked || !rings.iter().all(end) {
            return Err(format!("{call} was to go on at {at}, and was asked: {asked}"));
        }
    }
    Ok(())
}

fn is_other(question: &Question) -> bool {
    let Question::Webhook(question) = question else { return false };
    matches!(&question.purpose, Purpose::Redirect(hook) if hook.url.ends_with("/other"))
}
