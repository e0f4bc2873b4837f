//! The truths about what the journal keeps and what applications are asked.

use std::collections::{BTreeMap, BTreeSet};

use callgate::call::outcome::CallStatus;
use callgate::call::record::{Change, Record};
use callgate::engine::Footprint;
use callgate::engine::door::{Ask, Counter, Purpose, Question};
use callgate::ids::CallSid;

use super::served;
use crate::evidence::{Evidence, What};
use crate::operator::Act;
use crate::text::Text;

/// The Call-ID of the caller whose call invited this Request-URI.
pub fn caller_of<'e>(e: &'e Evidence, uri: &str) -> Option<&'e str> {
    let invited = e.records().find(
        |record| matches!(&record.change, Change::Invited(leg) if &*leg.request_uri == uri.as_bytes()),
    )?;
    call_id(e, invited.call)
}

fn call_id(e: &Evidence, call: CallSid) -> Option<&str> {
    e.records().find_map(|record| match &record.change {
        Change::Admitted { facts, .. } if record.call == call => Some(&*facts.sip_call_id),
        _ => None,
    })
}

fn by_call(e: &Evidence) -> BTreeMap<CallSid, Vec<&Record>> {
    let mut calls: BTreeMap<CallSid, Vec<&Record>> = BTreeMap::new();
    for record in e.records() {
        calls.entry(record.call).or_default().push(record);
    }
    calls
}

/// What the caller sends reaches the target, and the target's answer the caller, octet for octet.
pub fn bodies_and_headers_pass(e: &Evidence) -> Result<(), String> {
    let callers = served(e, "INVITE");
    let legs = || {
        e.out().filter(|(_, text)| {
            let opens = text.method() == "INVITE" && text.to_tag().is_empty();
            opens && text.uri().starts_with("sip:d") && !e.transfers(text.uri())
        })
    };
    for (_, leg) in legs() {
        let Some(caller) = caller_of(e, leg.uri())
            .and_then(|id| callers.iter().find(|c| c.opens() && c.request.call_id() == id))
        else {
            return Err(format!("no record says whose {} is", leg.uri()));
        };
        let request = caller.request;
        // A spiral's caller is the router itself, and is not here.
        // What was written on the way may be hidden on request.
        let hidden = ["header", "history"].iter().any(|kept| request.get("privacy").contains(kept));
        let names: &[&str] =
            if hidden { &["x-thing", "content-type"] } else { &["x-thing", "diversion", "content-type"] };
        let pass = names.iter().all(|name| leg.all(name).eq(request.all(name)));
        if leg.body != request.body || !pass {
            return Err(format!("the INVITE of {} changed on its way", request.call_id()));
        }
        let hops = |text: &Text| text.get("max-forwards").parse().unwrap_or(0_u32);
        if hops(leg) + 1 != hops(request)
            || leg.call_id() == request.call_id()
            || leg.tag_of_from() == request.tag_of_from()
        {
            return Err(format!("the INVITE to {} is not one of the router's own", leg.uri()));
        }
    }
    let said: BTreeSet<&[u8]> = e.toward_router().map(|(_, text)| &text.body[..]).collect();
    let without_origin: BTreeSet<String> = said.iter().map(|body| originless(body)).collect();
    for (wire, text) in e.out() {
        let spiral = wire.to == crate::world::ROUTER;
        // How a transfer goes is the router's own word.
        let kind = text.get("content-type");
        let own = kind.starts_with("message/sipfrag") || kind.starts_with("text/plain");
        if spiral || own || text.body.is_empty() || said.contains(&text.body[..]) {
            continue;
        }
        if !without_origin.contains(&originless(&text.body)) || !super::transfers::is_transferred(e, text) {
            return Err(format!("a body nobody sent left in {}", text.start));
        }
    }
    Ok(())
}

/// A description without its `o=` line.
pub fn originless(body: &[u8]) -> String {
    String::from_utf8_lossy(body).lines().filter(|line| !line.starts_with("o=")).collect()
}

/// One question, and one call, per INVITE that is no copy. Of a call that has ended a dead node keeps
/// nothing that a repeated INVITE could meet: it is a new call, as a carrier's retry is.
pub fn one_question_per_invite(e: &Evidence) -> Result<(), String> {
    let mut asked: BTreeMap<CallSid, u32> = BTreeMap::new();
    let mut of_invite: BTreeMap<&str, BTreeSet<CallSid>> = BTreeMap::new();
    for ask in e.asks() {
        if let Question::Webhook(question) = &ask.question
            && question.purpose == Purpose::Voice
        {
            *asked.entry(ask.call).or_default() += 1;
            of_invite.entry(&question.facts.sip_call_id).or_default().insert(ask.call);
        }
    }
    if let Some((call, count)) = asked.iter().find(|(_, count)| **count > 1) {
        return Err(format!("{count} questions for {call}"));
    }
    let invites = served(e, "INVITE");
    for (id, calls) in of_invite {
        let copies =
            invites.iter().filter(|i| i.request.call_id() == id && i.request.to_tag().is_empty()).count();
        let forgotten = calls.iter().filter(|call| ended_before_a_kill(e, **call)).count();
        if copies > 0 && calls.len() > copies + forgotten {
            return Err(format!("{} calls from {copies} INVITEs of {id}", calls.len()));
        }
    }
    Ok(())
}

fn ended_before_a_kill(e: &Evidence, call: CallSid) -> bool {
    let ended = e.log.iter().position(|(_, what)| {
        matches!(what, What::Record(_, record) if record.call == call && matches!(record.change, Change::Ended(_)))
    });
    let mut since = e.log[ended.unwrap_or(e.log.len())..].iter();
    since.any(|(_, what)| matches!(what, What::Act(Act::Kill)))
}

/// Records count from 0, events count from 0.
pub fn no_gaps(e: &Evidence) -> Result<(), String> {
    for (call, records) in by_call(e) {
        for (wanted, record) in (0..).zip(&records) {
            if record.seq != wanted {
                return Err(format!("{call}: record {} where {wanted} is due", record.seq));
            }
        }
        for (wanted, event) in (0..).zip(records.iter().filter_map(|record| record.event)) {
            if event.sequence != wanted {
                return Err(format!("{call}: event {} where {wanted} is due", event.sequence));
            }
        }
    }
    Ok(())
}

/// A call begins admitted, ends once, tells its end once and last, and says nothing afterwards.
pub fn each_call_ends_once(e: &Evidence) -> Result<(), String> {
    for (call, records) in by_call(e) {
        let ends = records.iter().filter(|record| matches!(record.change, Change::Ended(_))).count();
        let last = matches!(records.last().map(|record| &record.change), Some(Change::Ended(_)));
        if ends != 1 || !last {
            return Err(format!("{call}: {ends} ends, the last record is an end: {last}"));
        }
        let events: Vec<CallStatus> =
            records.iter().filter_map(|record| record.event).map(|event| event.status).collect();
        let terminal = events.iter().filter(|status| status.is_terminal()).count();
        if terminal != 1 || !events.last().is_some_and(|status| status.is_terminal()) {
            return Err(format!("{call}: events {events:?}"));
        }
    }
    Ok(())
}

/// What a noun hears of each of its legs begins with `initiated`, rises, and ends with one `completed`
/// before the call's own end; and every leg that was invited is told of.
pub fn each_leg_ends_once(e: &Evidence) -> Result<(), String> {
    for (call, records) in by_call(e) {
        let mut legs: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        let mut invited = BTreeSet::new();
        for record in &records {
            match &record.change {
                Change::Leg(event) => legs.entry(event.leg.leg).or_default().push(event.sequence()),
                Change::Invited(leg) => drop(invited.insert(leg.leg)),
                _ => {}
            }
        }
        for (leg, steps) in &legs {
            let rises = steps.windows(2).all(|two| two[0] < two[1]);
            if !rises || steps.first() != Some(&0) || steps.last() != Some(&3) {
                return Err(format!("{call}: leg {leg} was told of in steps {steps:?}"));
            }
        }
        if let Some(leg) = invited.iter().find(|leg| !legs.contains_key(leg)) {
            return Err(format!("{call}: nobody was told of leg {leg}"));
        }
    }
    Ok(())
}

/// A call is in the journal before anyone is asked about it.
pub fn questions_follow_the_record(e: &Evidence) -> Result<(), String> {
    let mut admitted = BTreeSet::new();
    for (_, what) in &e.log {
        match what {
            What::Record(_, record) if matches!(record.change, Change::Admitted { .. }) => {
                admitted.insert(record.call);
            }
            // A MESSAGE is no call.
            What::Asked(_, ask) if !admitted.contains(&ask.call) && !is_message(ask) => {
                return Err(format!("{} was asked about before its record", ask.call));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_message(ask: &Ask) -> bool {
    let Question::Webhook(question) = &ask.question else { return false };
    matches!(question.purpose, Purpose::Message(..))
}

/// The terminal record's code is the one that left; completed means answered or sent elsewhere.
pub fn the_journal_says_what_the_caller_got(e: &Evidence) -> Result<(), String> {
    let invites = served(e, "INVITE");
    for record in e.records() {
        let Change::Ended(terminal) = &record.change else { continue };
        let Some(id) = call_id(e, record.call) else { continue };
        let same = || {
            invites
                .iter()
                .filter(|invite| invite.request.call_id() == id && invite.request.to_tag().is_empty())
        };
        let left = same().any(|invite| invite.finals().any(|(_, _, code)| *code == terminal.sip_code));
        if same().count() > 0 && !left {
            return Err(format!("{}: the journal says {}, which never left", record.call, terminal.sip_code));
        }
        let completed = terminal.status == CallStatus::Completed;
        let good = (200..400).contains(&terminal.sip_code);
        if completed && !good || (terminal.status == CallStatus::Canceled) != (terminal.sip_code == 487) {
            return Err(format!("{}: {:?} with {}", record.call, terminal.status, terminal.sip_code));
        }
        if terminal.duration.as_secs() > 0 && !(200..300).contains(&terminal.sip_code) {
            return Err(format!("{}: an unanswered call lasted {:?}", record.call, terminal.duration));
        }
    }
    Ok(())
}

/// When nothing is left to happen, nothing is remembered.
pub fn quiet_means_empty(e: &Evidence) -> Result<(), String> {
    if let Some(why) = &e.restless {
        return Err(format!("the world never became quiet: {why}"));
    }
    match e.footprints.iter().find(|footprint| **footprint != Footprint::default()) {
        Some(footprint) => Err(format!("left behind: {footprint:?}")),
        None => Ok(()),
    }
}

/// No panic was caught, in a call or outside.
pub fn nothing_panics(e: &Evidence) -> Result<(), String> {
    let panics = e.log.iter().filter(|(_, what)| matches!(what, What::Counted(_, Counter::Panic))).count();
    if panics > 0 { Err(format!("{panics} panics")) } else { Ok(()) }
}
