//! The truths about MESSAGEs outside calls (RFC 3428).

use std::collections::BTreeSet;

use callgate::engine::door::{Purpose, Question};

use super::served;
use crate::evidence::{Evidence, What};
use crate::phone::TIMEOUT;

/// A MESSAGE is asked about once however often it is repeated, answered once, and accepted only when its
/// application has said something. What comes after Timer J is a new request (RFC 3261 17.2.2).
pub fn a_message_is_taken_once(e: &Evidence) -> Result<(), String> {
    for served in served(e, "MESSAGE").iter().filter(|served| served.opens()) {
        let id = served.request.call_id();
        let first = served.finals().map(|(wire, ..)| wire.at).min();
        let in_time = |at: u64| first.is_none_or(|first| at < first + TIMEOUT);
        let mut asks = BTreeSet::new();
        let mut count = 0;
        for (_, what) in e.log.iter().filter(|(at, _)| in_time(*at)) {
            if let What::Asked(shard, ask) = what
                && let Question::Webhook(question) = &ask.question
                && let Purpose::Message(_, hook) = &question.purpose
                && &*question.facts.sip_call_id == id
            {
                asks.insert((*shard, ask.id.0));
                count += usize::from(hook.is_none());
            }
        }
        let finals: BTreeSet<&[u8]> =
            served.finals().filter(|(wire, ..)| in_time(wire.at)).map(|(wire, ..)| &*wire.bytes).collect();
        if finals.len() != 1 || count > 1 {
            return Err(format!("{id} got {} finals and {count} questions", finals.len()));
        }
        let Some((wire, _, code)) = served.finals().next() else { continue };
        let answered = e.log[..wire.sent].iter().any(|(at, what)| {
            *at == wire.at && matches!(what, What::Answered(shard, ask) if asks.contains(&(*shard, *ask)))
        });
        if *code < 300 && !answered {
            return Err(format!("{id} was accepted with {code} before its application had it"));
        }
    }
    Ok(())
}
