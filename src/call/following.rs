//! A target's 3xx: its Contacts are tried in the place of the noun, best first, where that is allowed
//! (RFC 3261 8.1.3.4). What is not followed is a refusal like any other.

use std::sync::Arc;

use crate::call::desk::Desk;
use crate::call::history::{self, Origin};
use crate::call::planning::{Host, hop_of};
use crate::call::state::{Call, Fork, Plan};
use crate::call::trace::TraceItem;
use crate::routing::model::{Follow, Gateway};
use crate::sip::{Message, NameAddr, Scheme, Uri, Writer};

/// Redirections behind one another.
const DEEPEST: u8 = 5;
/// Addresses of one noun altogether.
const MOST: usize = 10;
/// The longest address that is followed.
const LONGEST: usize = 1_024;

impl Call {
    /// Puts the Contacts of a leg's 3xx before whatever its noun would have tried next. False: none of
    /// them may be followed, or the answer is none that says where to go.
    pub(super) fn follow(&mut self, desk: &mut Desk, leg: usize, code: u16, response: &Message<'_>) -> bool {
        let Some(fork) = self.fork_that(|fork| fork.leg == Some(leg)) else { return false };
        let known = desk.provision.as_ref().map(|now| now.gateways(&self.facts, None));
        let policy = desk.provision.as_ref().and_then(|now| now.dial_policy(self.facts.account));
        let allows = |host: &[u8]| policy.is_none_or(|policy| policy.allows_host(host));
        let Some(run) = self.run_mut() else { return false };
        let of = &mut run.forks[fork];
        let refused = match (code, of.plan.follow) {
            (300..=302, Follow::No) => Some("redirections of this target are not followed"),
            (300..=302, _) if of.plan.depth >= DEEPEST => Some("too many redirections behind one another"),
            (300..=302, _) => None,
            _ => return false,
        };
        if of.tried.is_empty() {
            of.tried.extend(Uri::parse(&of.plan.request_uri).map(|uri| party(&uri)));
        }
        let found = match refused {
            Some(_) => Vec::new(),
            None => contacts(of, leg, response, &known.unwrap_or_default(), allows),
        };
        let note = match (refused, found.len()) {
            (Some(why), _) => format!("{code} not followed: {why}"),
            (None, 0) => format!("{code} not followed: no Contact that may be, or that was not tried"),
            (None, many) => format!("{code} followed: {many} Contacts"),
        };
        // Where it was reached no more: it has said where to go.
        if !found.is_empty() {
            of.hops.clear();
        }
        let follows = !found.is_empty();
        for next in found.into_iter().rev() {
            of.more.push_front(next);
        }
        desk.trace(self.facts.call, TraceItem::Note(note.into()));
        follows
    }
}

/// The Contacts that may be followed, by falling q, each once.
fn contacts(
    of: &mut Fork,
    leg: usize,
    response: &Message<'_>,
    gateways: &[Arc<Gateway>],
    allows: impl Fn(&[u8]) -> bool,
) -> Vec<(Plan, Host)> {
    let mut offered: Vec<NameAddr<'_>> = response.contacts().take(64).collect();
    offered.sort_by_key(|contact| std::cmp::Reverse(preference(contact)));
    let mut found = Vec::new();
    for contact in offered {
        if of.tried.len() >= MOST {
            break;
        }
        let Some(uri) = Uri::parse(contact.uri).filter(|uri| is_sound(&of.plan, uri)) else { continue };
        let Some((plan, host)) = planned(&of.plan, &uri, gateways) else { continue };
        // Where its account may not call itself no redirection leads; gateways are the operator's.
        if plan.gateway.is_none() && !allows(uri.host) {
            continue;
        }
        let key = party(&uri);
        // RFC 3261 8.1.3.4: no address a second time.
        if of.tried.contains(&key) {
            continue;
        }
        of.tried.push(key);
        let origin = Origin::Contact(leg, history::contact_param(contact.params));
        found.push((Plan { origin, ..plan }, host));
    }
    found
}

/// The plan of a Contact, where the target may send us there. Who is not the same host is told and
/// given no more than anybody: no credentials, and identity only where a gateway of that host is trusted.
fn planned(of: &Plan, uri: &Uri<'_>, gateways: &[Arc<Gateway>]) -> Option<(Plan, Host)> {
    let named = |gateway: &&Arc<Gateway>| {
        let host = gateway.host.as_bytes();
        let bare = uri.host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(uri.host);
        host.eq_ignore_ascii_case(uri.host) || host.eq_ignore_ascii_case(bare)
    };
    let same = of.host().is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(uri.host));
    let gateway = gateways.iter().find(named).filter(|_| !same);
    if of.follow == Follow::Known && !same && gateway.is_none() {
        return None;
    }
    let request_uri: Arc<[u8]> = written(uri).into();
    let (host, transport) = hop_of(&Uri::parse(&request_uri)?)?;
    let (trusted, rules, told) = match gateway {
        Some(gateway) => (gateway.trusted, gateway.header_rules.clone(), gateway.forwarded_as),
        None if same => (of.trusted, of.rules.clone(), of.told),
        None => Default::default(),
    };
    let plan = Plan {
        request_uri,
        transport,
        caller_id: of.caller_id.clone(),
        headers: of.headers.clone(),
        trusted,
        rules,
        told,
        follow: of.follow,
        depth: of.depth + 1,
        origin: Origin::Document,
        credentials: of.credentials.clone().filter(|_| same),
        gateway: gateway.map(|gateway| gateway.sid).or(of.gateway.filter(|_| same)),
        to: of.to.clone(),
        callback: of.callback.clone(),
    };
    Some((plan, host))
}

/// A SIP address of an INVITE, secure where the one it stands for was (26.2.2).
fn is_sound(of: &Plan, uri: &Uri<'_>) -> bool {
    let secure = Uri::parse(&of.request_uri).is_some_and(|uri| uri.scheme == Scheme::Sips);
    let for_invite = uri.params.get("method").is_none_or(|method| method.eq_ignore_ascii_case(b"INVITE"));
    let plain = uri.raw.len() <= LONGEST && uri.raw.iter().all(u8::is_ascii_graphic);
    uri.is_sip() && plain && for_invite && (uri.scheme == Scheme::Sips || !secure)
}

/// A Contact as a Request-URI (19.1.1): without `method`, without the headers it would have us write,
/// and without `maddr` and `ttl`, which would lead elsewhere than its host says.
fn written(uri: &Uri<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(uri.raw.len());
    let mut writer = Writer::append(&mut out);
    writer.bytes(if uri.scheme == Scheme::Sips { b"sips:".as_slice() } else { b"sip:" });
    if let Some(user) = uri.user {
        writer.bytes(user).bytes(b"@");
    }
    writer.bytes(uri.host);
    if let Some(port) = uri.port {
        writer.bytes(b":").number(port.into());
    }
    let left_out = |name: &[u8]| {
        [b"method".as_slice(), b"maddr", b"ttl"].iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    for param in uri.params.into_iter().filter(|param| !left_out(param.name)) {
        writer.bytes(b";").bytes(param.name);
        if let Some(value) = param.value {
            writer.bytes(b"=").bytes(value);
        }
    }
    out
}

/// What makes two addresses one: user, host, port and transport (19.1.4, as far as it leads elsewhere).
fn party(uri: &Uri<'_>) -> Box<[u8]> {
    let port = uri.port.unwrap_or(0).to_string();
    let transport = uri.transport().unwrap_or_default().to_ascii_lowercase();
    let host = uri.host.to_ascii_lowercase();
    [&*uri.decoded_user(), b"@", &host, b":", port.as_bytes(), b";", &transport].concat().into()
}

/// The q of a Contact in thousandths; 1,000 where there is none or it is no number.
fn preference(contact: &NameAddr<'_>) -> u32 {
    let q = contact.params.get("q").and_then(|q| std::str::from_utf8(q).ok());
    let Some((whole, part)) = q.map(|q| q.split_once('.').unwrap_or((q, ""))) else { return 1_000 };
    let digits = part.bytes().take(3).filter(u8::is_ascii_digit);
    let part = digits
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    match whole {
        "0" | "" => part,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_in_thousandths() {
        let of = |text: &str| preference(&NameAddr::parse(text.as_bytes()).unwrap());
        assert_eq!(of("<sip:a@h>;q=0.5"), 500);
        assert_eq!(of("<sip:a@h>;q=0.05"), 50);
        assert_eq!(of("<sip:a@h>;q=0"), 0);
        assert_eq!(of("<sip:a@h>;q=1.0"), 1000);
        assert_eq!(of("<sip:a@h>"), 1000);
        assert_eq!(of("<sip:a@h>;q=high"), 1000);
    }

    #[test]
    fn what_a_contact_would_smuggle_stays_behind() {
        let of = |text: &str| String::from_utf8(written(&Uri::parse(text.as_bytes()).unwrap())).unwrap();
        assert_eq!(
            of("SIP:bob:secret@h.example:5070;maddr=10.0.0.1;user=phone;ttl=1;lr?Route=%3Csip:evil%3E&X-A=1"),
            "sip:bob@h.example:5070;user=phone;lr"
        );
        assert_eq!(of("sips:h?body=x"), "sips:h");
    }

    #[test]
    fn an_address_is_the_same_however_it_is_spelled() {
        let of = |text: &str| party(&Uri::parse(text.as_bytes()).unwrap());
        assert_eq!(of("sip:%62ob@H.example"), of("sip:bob@h.EXAMPLE;user=phone"));
        assert_ne!(of("sip:bob@h.example"), of("sip:bob@h.example:5070"));
        assert_ne!(of("sip:bob@h.example"), of("sip:Bob@h.example"));
    }
}
