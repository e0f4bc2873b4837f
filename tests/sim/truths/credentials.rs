//! The truths about digest toward targets (RFC 3261 22, RFC 7616).

use std::collections::BTreeMap;

use super::heard;
use crate::evidence::{Evidence, Wire};
use crate::phone::parameter;
use crate::text::Text;

const ANSWERS: [&str; 2] = ["authorization", "proxy-authorization"];
const CHALLENGES: [&str; 2] = ["www-authenticate", "proxy-authenticate"];
/// An INVITE leaves so often for challenges.
const MOST_TRIES: usize = 3;

/// The INVITEs of the router that open something, by Call-ID, each branch once.
fn invites(e: &Evidence) -> BTreeMap<&str, Vec<(&Wire, &Text)>> {
    let mut all: BTreeMap<&str, Vec<(&Wire, &Text)>> = BTreeMap::new();
    for (wire, text) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty()) {
        let of = all.entry(text.call_id()).or_default();
        if !of.iter().any(|(_, known)| known.branch() == text.branch()) {
            of.push((wire, text));
        }
    }
    all
}

fn realm(value: &str) -> String {
    parameter(value, "realm").unwrap_or_default()
}

/// The realm that credentials may be said in: theirs, or the first that the target named.
fn may_be_said<'e>(e: &'e Evidence, call_id: &str, own: Option<&str>) -> Option<String> {
    if let Some(own) = own {
        return Some(own.to_owned());
    }
    let challenges =
        heard(e).filter(|(_, text, code)| [401, 407].contains(code) && text.call_id() == call_id);
    let first: Option<(&'e Wire, &'e Text, u16)> = challenges.min_by_key(|(wire, ..)| wire.first_delivery());
    let (_, text, _) = first?;
    CHALLENGES.iter().find_map(|name| text.all(name).next()).map(realm)
}

/// Credentials are said to the target they are for, in its realm, and nowhere else.
pub fn credentials_stay_in_their_realm(e: &Evidence) -> Result<(), String> {
    let invites = invites(e);
    for (wire, text) in e.out().filter(|(_, text)| text.is_request()) {
        for answer in ANSWERS.iter().flat_map(|name| text.all(name)) {
            let what = || format!("{} to {} says {}", text.method(), wire.to, realm(answer));
            let first = invites.get(text.call_id()).map(|all| all[0].1.uri());
            let Some(dialled) = first.and_then(|uri| e.dialled(uri)) else {
                return Err(format!("{}: nobody dialled it", what()));
            };
            let host = first.and_then(|uri| uri.split('@').nth(1)).unwrap_or_default();
            let host = host.split([':', ';']).next().unwrap_or_default();
            let Some(own) = dialled.credentials else {
                return Err(format!("{}: {} has no credentials", what(), dialled.user));
            };
            let may = may_be_said(e, text.call_id(), own);
            if host != dialled.host || may.as_ref() != Some(&realm(answer)) {
                return Err(format!("{}: {} is at {} in {may:?}", what(), dialled.user, dialled.host));
            }
        }
    }
    Ok(())
}

/// A challenge that may be answered is, at once, as long as somebody waits; what cannot be is not tried.
pub fn a_challenge_is_answered(e: &Evidence) -> Result<(), String> {
    let mut first: BTreeMap<&str, (&Wire, &Text)> = BTreeMap::new();
    for (wire, text, _) in heard(e).filter(|(_, _, code)| [401, 407].contains(code)) {
        let known = first.entry(text.branch()).or_insert((wire, text));
        if wire.first_delivery() < known.0.first_delivery() {
            *known = (wire, text);
        }
    }
    for (call_id, tries) in invites(e) {
        let Some(dialled) = e.dialled(tries[0].1.uri()).filter(|dialled| !dialled.transfer) else { continue };
        let mut nonces: Vec<String> = Vec::new();
        for (count, (_, invite)) in tries.iter().enumerate() {
            let Some((wire, challenge)) = first.get(invite.branch()) else { continue };
            let Some(place) = wire.first_delivery() else { continue };
            let values = || CHALLENGES.iter().flat_map(|name| challenge.all(name));
            let Some(value) = values().next() else { continue };
            let own = dialled.credentials.filter(|_| tries[0].1.uri().contains(&*dialled.host));
            let may = own.is_some_and(|own| may_be_said(e, call_id, own) == Some(realm(value)));
            let nonce = parameter(value, "nonce").unwrap_or_default();
            let stale = values().any(|value| parameter(value, "stale").is_some());
            let new = nonces.is_empty() || (stale && !nonces.contains(&nonce));
            let again = tries.get(count + 1).is_some_and(|(next, _)| next.at == e.log[place].0);
            let waits = !super::fork::ended_before(e, invite.branch(), place);
            let due = may && new && count < MOST_TRIES && waits;
            if again != due && waits {
                return Err(format!(
                    "{count}: {} to {call_id} came, answered: {again}, to be: {due}",
                    challenge.start
                ));
            }
            nonces.push(nonce);
        }
    }
    Ok(())
}

/// No target that was told the right name finds the digest wrong.
pub fn a_right_password_opens(e: &Evidence) -> Result<(), String> {
    match e.toward_router().find(|(_, text)| !text.get("x-refused").is_empty()) {
        Some((wire, text)) => Err(format!("{} refused the digest in {}", wire.from, text.call_id())),
        None => Ok(()),
    }
}
