//! What applications are told of a call, read out of its INVITE.

use std::net::IpAddr;
use std::sync::Arc;

use crate::call::facts::CallFacts;
use crate::call::history::{self, Diverted};
use crate::call::privacy::Privacy;
use crate::ids::{AccountSid, CallSid, NumberSid, OrganizationSid, TrunkSid};
use crate::routing::model::{CallerFrom, Trunk, VoiceProfile};
use crate::sip::{Message, Name, NameAddr, Uri};
use crate::time::Instant;

/// What routing found, beside the message. A MESSAGE has the same facts as a call.
pub(super) struct Found {
    pub call: CallSid,
    pub account: AccountSid,
    pub organization: OrganizationSid,
    pub number: Option<NumberSid>,
    pub number_text: Arc<str>,
    pub trunk: Option<TrunkSid>,
    pub profile: Arc<VoiceProfile>,
    pub base_url: Arc<str>,
    pub post_query_in_body: bool,
    pub dialled: Arc<str>,
    pub source: IpAddr,
    pub started: Instant,
    pub generation: u64,
}

/// Both together.
pub(super) fn of(found: Found, message: &Message<'_>, trunk: Option<&Trunk>) -> CallFacts {
    let (from, name) = caller(message, trunk);
    let sip_to = message.to().parsed_uri().map(|uri| user(&uri)).filter(|to| **to != *found.dialled);
    CallFacts {
        call: found.call,
        account: found.account,
        organization: found.organization,
        number: found.number,
        number_text: found.number_text,
        trunk: found.trunk,
        profile: found.profile,
        base_url: found.base_url,
        post_query_in_body: found.post_query_in_body,
        from,
        to: found.dialled,
        sip_to,
        caller_name: name,
        forwarded_from: forwarded_from(message),
        sip_call_id: text(message.call_id()),
        sip_source: found.source,
        sip_headers: sip_headers(message),
        started: found.started,
        generation: found.generation,
    }
}

/// The caller's number and display name, from where the trunk keeps them; `anonymous` when withheld.
fn caller(message: &Message<'_>, trunk: Option<&Trunk>) -> (Arc<str>, Arc<str>) {
    let from = message.from();
    let asserted = match trunk.map_or(CallerFrom::From, |trunk| trunk.caller_from) {
        CallerFrom::From => None,
        CallerFrom::PAssertedIdentity => message.addresses(Name::PAssertedIdentity).next(),
        CallerFrom::RemotePartyId => message.addresses(Name::RemotePartyId).next(),
    };
    let shown = asserted.unwrap_or(from);
    let withheld = Privacy::of(message).withholds_caller() || is_anonymous(&shown);
    if withheld {
        return ("anonymous".into(), Arc::default());
    }
    let number = shown.parsed_uri().map_or_else(Arc::default, |uri| user(&uri));
    (number, text(&shown.display_text()))
}

fn is_anonymous(address: &NameAddr<'_>) -> bool {
    let Some(uri) = address.parsed_uri() else { return false };
    let user = uri.user.unwrap_or_default();
    uri.host.eq_ignore_ascii_case(b"anonymous.invalid") || user.eq_ignore_ascii_case(b"anonymous")
}

/// Who diverted the call last; `anonymous` where that one keeps it private.
fn forwarded_from(message: &Message<'_>) -> Arc<str> {
    match history::diverted(message) {
        Some(Diverted::By(uri)) => user(&uri),
        Some(Diverted::Withheld) => "anonymous".into(),
        None => Arc::default(),
    }
}

/// `X-` headers and Diversion.
fn sip_headers(message: &Message<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    let extension = |name: &[u8]| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"X-"));
    let mut told: Vec<_> = message
        .headers()
        .filter(|header| {
            header.name == Name::Diversion || (header.name == Name::Other && extension(header.text))
        })
        .map(|header| (text(header.text), text(&header.unfolded())))
        .collect();
    // They stay as long as the call.
    told.shrink_to_fit();
    told
}

/// A user part without its parameters, percent-escapes decoded once; they stay where they hide
/// control characters, so that what an application is told can be written to a line.
fn user(uri: &Uri<'_>) -> Arc<str> {
    let decoded = uri.decoded_user();
    let hides = String::from_utf8_lossy(&decoded).chars().any(char::is_control);
    let told = if hides { uri.user.unwrap_or_default() } else { &decoded };
    let end = memchr::memchr(b';', told).unwrap_or(told.len());
    text(&told[..end])
}

fn text(bytes: &[u8]) -> Arc<str> {
    if bytes.is_empty() {
        // Shared by all.
        return Arc::default();
    }
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_that_hides_a_line_end_stays_an_escape() {
        let told = |uri: &[u8]| user(&Uri::parse(uri).unwrap()).to_string();
        assert_eq!(told(b"sip:%2B1555%23;npdi@a.example"), "+1555#");
        assert_eq!(told(b"sip:+1555%0d%0aX-Evil;a=b@a.example"), "+1555%0d%0aX-Evil");
        assert_eq!(told(b"sip:%00@a.example"), "%00");
    }
}
