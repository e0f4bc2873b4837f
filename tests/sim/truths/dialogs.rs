//! The truths about what happens inside a call.

use std::collections::BTreeSet;

use super::{heard, invite_of, served};
use crate::evidence::{Evidence, Wire};
use crate::phone::{TIMEOUT, bare, hop_of, list};
use crate::text::Text;
use crate::world::ROUTER;

/// Whoever answered is hung up on, or hangs up, or is known to be gone.
pub fn every_answered_dialog_ends(e: &Evidence) -> Result<(), String> {
    let ended = |call: &str, peer: &str| is_over(e, call, peer);
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

/// Whether somebody said BYE in the dialog of this Call-ID and peer's tag, or the peer has lost it.
pub fn is_over(e: &Evidence, call: &str, peer: &str) -> bool {
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
}

/// The way of a dialog by what its peer said: its Contact, its routes, and where its message came from.
struct Way<'e> {
    contact: &'e str,
    routes: Vec<String>,
    source: &'e Wire,
}

/// The ways that a request of the router may take: those of the INVITE or of the responses that opened
/// the dialog.
fn ways<'e>(e: &'e Evidence, request: &Text) -> Vec<Way<'e>> {
    let (call_id, tag) = (request.call_id(), request.to_tag());
    let way = |wire, text: &'e Text, routes| Way { contact: text.contact(), routes, source: wire };
    let invites = e
        .toward_router()
        .filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty())
        .filter(|(_, text)| text.call_id() == call_id && text.tag_of_from() == tag)
        .map(|(wire, text)| way(wire, text, list(text, "record-route")));
    let answers = e
        .toward_router()
        .filter(|(_, text)| text.code().is_some_and(|code| (101..300).contains(&code)))
        .filter(|(_, text)| text.cseq().1 == "INVITE" && !text.contact().is_empty())
        .filter(|(_, text)| text.call_id() == call_id && text.to_tag() == tag)
        .filter(|(_, text)| invite_of(e, text.branch()).is_some_and(|(_, i)| i.to_tag().is_empty()))
        .map(|(wire, text)| {
            let mut routes = list(text, "record-route");
            routes.reverse();
            way(wire, text, routes)
        });
    invites.chain(answers).collect()
}

impl Way<'_> {
    /// Whether this request goes it: 12.2.1.1, and behind NAT to where the peer's request came from.
    fn is_taken(&self, wire: &Wire, text: &Text) -> bool {
        let (mut uri, mut routes) = (self.contact.to_owned(), self.routes.clone());
        let first = hop_of(routes.first().unwrap_or(&uri)).addr;
        if routes.first().is_some_and(|first| !first.contains(";lr")) {
            routes.push(format!("<{uri}>"));
            uri = bare(&routes.remove(0)).to_owned();
        }
        let behind = first.ip() != self.source.from.ip() && self.routes.is_empty();
        let to = if behind { self.source.from } else { first };
        // A stream may be used from the port it was opened at.
        let there = if wire.tcp { wire.to.ip() == to.ip() } else { wire.to == to };
        text.uri() == uri && list(text, "route") == routes && there
    }
}

/// Request-URI, Route and address follow the peer's Contact and Record-Route, loose or strict.
pub fn requests_go_the_recorded_way(e: &Evidence) -> Result<(), String> {
    let inside = e.out().filter(|(wire, text)| {
        text.is_request() && !text.to_tag().is_empty() && text.method() != "CANCEL" && wire.to != ROUTER
    });
    for (wire, text) in inside {
        let refusal = text.method() == "ACK" && invite_of(e, text.branch()).is_some();
        let ways = ways(e, text);
        if refusal || ways.is_empty() || ways.iter().any(|way| way.is_taken(wire, text)) {
            continue;
        }
        let (way, routes) = (&ways[0], list(text, "route"));
        return Err(format!(
            "{} to {} by {routes:?}, where {} and {:?} were named",
            text.start, wire.to, way.contact, way.routes
        ));
    }
    Ok(())
}

/// The relays of a request that was marked inside a call.
fn relays<'e>(e: &'e Evidence, mark: &'e str) -> impl Iterator<Item = &'e Text> {
    e.out().map(|(_, text)| text).filter(move |text| text.is_request() && text.get("x-mark") == mark)
}

/// All that is marked: the request, and what was answered.
fn marked(e: &Evidence) -> Vec<super::Served<'_>> {
    super::messages::METHODS
        .iter()
        .flat_map(|method| served(e, method))
        .filter(|served| !served.request.get("x-mark").is_empty())
        .collect()
}

/// A request inside a call leaves on the other side as what it was, once. REFER is for the router.
pub fn a_request_is_relayed_once(e: &Evidence) -> Result<(), String> {
    for served in marked(e).iter().filter(|served| !["BYE", "REFER"].contains(&served.request.method())) {
        let request = served.request;
        let what = || format!("{} of {}", request.method(), request.call_id());
        let branches: BTreeSet<&str> = relays(e, request.get("x-mark")).map(Text::branch).collect();
        if branches.len() > 1 {
            return Err(format!("{} left {} times", what(), branches.len()));
        }
        let same = |out: &Text| {
            let origin_apart = || {
                let apart =
                    super::journal::originless(&out.body) == super::journal::originless(&request.body);
                apart && super::transfers::is_transferred(e, out)
            };
            out.body == request.body || origin_apart()
        };
        if relays(e, request.get("x-mark"))
            .any(|out| out.method() != request.method() || !same(out) || out.call_id() == request.call_id())
        {
            return Err(format!("{} changed on its way", what()));
        }
        if branches.is_empty() && served.finals().any(|(_, _, code)| *code < 300) {
            return Err(format!("{} was accepted without the far side", what()));
        }
    }
    Ok(())
}

/// A request inside a call gets one final, unless nobody answered its relay, where silence is right for
/// all but INVITE (RFC 4320 4.2).
pub fn a_request_is_answered(e: &Evidence) -> Result<(), String> {
    for served in marked(e) {
        let request = served.request;
        let codes: BTreeSet<u16> = served.finals().map(|(_, _, code)| *code).collect();
        // What comes behind Timer F comes to nobody.
        let silent = relays(e, request.get("x-mark")).any(|out| {
            let first =
                e.out().find(|(_, text)| text.branch() == out.branch()).map_or(0, |(wire, _)| wire.at);
            let in_time =
                |wire: &Wire| wire.first_delivery().is_some_and(|place| e.log[place].0 < first + TIMEOUT);
            let answers = |text: &Text| {
                let same = text.branch() == out.branch() && text.cseq().1 == out.method();
                same && text.code().is_some_and(|code| code >= 200)
            };
            !e.toward_router().any(|(wire, text)| answers(text) && in_time(wire))
        });
        if codes.is_empty() && (!silent || request.method() == "INVITE") {
            return Err(format!("{} of {} was never answered", request.method(), request.call_id()));
        }
        // What is refused without state may be taken when it is repeated.
        if codes.iter().filter(|code| **code != 481).count() > 1 {
            return Err(format!("{} of {} was answered {codes:?}", request.method(), request.call_id()));
        }
    }
    Ok(())
}
