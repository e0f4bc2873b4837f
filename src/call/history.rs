//! Whom a call was for before: History-Info (RFC 7044) and Diversion (RFC 5806), read for the
//! application and written for targets.

use crate::call::privacy;
use crate::sip::{Elements, Header, Message, Name, NameAddr, Params, Scheme, Uri, Writer};

/// What a hidden entry says instead (RFC 7044 10.1.2).
const HIDDEN: &[u8] = b"sip:anonymous@anonymous.invalid";
/// Legs that an entry tells of at most, the latest: a request has to fit into a datagram.
const MOST: usize = 8;

/// Who diverted the call last, where somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diverted<'m> {
    /// By this address.
    By(Uri<'m>),
    /// By somebody who keeps the number private.
    Withheld,
}

/// Who diverted a call last: the topmost Diversion, else what History-Info says of its last entry that
/// was mapped to another, else the first of several entries.
#[must_use]
pub fn diverted<'m>(message: &Message<'m>) -> Option<Diverted<'m>> {
    if let Some(entry) = message.addresses(Name::Diversion).next() {
        if privacy::is_private_diversion(&entry) {
            return Some(Diverted::Withheld);
        }
        return entry.parsed_uri().map(Diverted::By);
    }
    let entries: Vec<NameAddr<'m>> = message.addresses(Name::HistoryInfo).take(64).collect();
    let index_of = |index: &[u8]| entries.iter().find(|entry| entry.params.get("index") == Some(index));
    let mapped = entries.iter().rev().find_map(|entry| index_of(entry.params.get("mp")?));
    let found = mapped.or_else(|| entries.first().filter(|_| entries.len() > 1))?;
    let uri = found.parsed_uri()?;
    let is_hidden = is_private(&uri) || uri.host.eq_ignore_ascii_case(b"anonymous.invalid");
    Some(if is_hidden { Diverted::Withheld } else { Diverted::By(uri) })
}

/// How a leg came to its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The document names it.
    #[default]
    Document,
    /// A Contact of the 3xx that this leg got, with what the redirecting server says of it.
    Contact(usize, Option<&'static str>),
}

/// A leg as its entry shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'l> {
    pub uri: &'l [u8],
    pub origin: Origin,
    /// Its final response, where one came or stood for it; 0: none yet.
    pub code: u16,
}

/// Writes the entries that callgate adds to the caller's (RFC 7044 9.1, 9.2, 10.3): the address that
/// was called where the caller's last entry is not that one, the legs that failed before, and the last
/// of `steps`, which is invited now. `host`: ours, for a number without one.
pub(super) fn added(
    writer: &mut Writer<'_>,
    caller: &Message<'_>,
    host: &[u8],
    steps: &[Step<'_>],
    hides: bool,
) {
    let Some(called) = called(caller, host) else { return };
    let last = caller.addresses(Name::HistoryInfo).last();
    let index = last.as_ref().and_then(|last| last.params.get("index")).filter(|index| is_index(index));
    let is_there = last.as_ref().is_some_and(|last| same_party(last.uri, &called));
    let parent = match index {
        Some(index) if is_there => index.to_vec(),
        Some(index) => [index, b".0"].concat(),
        None => b"1".to_vec(),
    };
    if index.is_none() || !is_there {
        entry(writer, &called, None, hides, &[b";index=", &parent]);
    }
    let now = steps.len().saturating_sub(1);
    for (at, step) in steps.iter().enumerate().skip(steps.len().saturating_sub(MOST)) {
        if at != now && step.code < 300 {
            continue;
        }
        let code = (at != now).then_some(step.code);
        let number = (at + 1).to_string();
        let of = match step.origin {
            Origin::Document if same_user(step.uri, &called) => Some(("rc", parent.clone())),
            Origin::Document => Some(("mp", parent.clone())),
            Origin::Contact(leg, param) => param
                .map(|param| (param, [&parent, ".".as_bytes(), (leg + 1).to_string().as_bytes()].concat())),
        };
        let (param, of) = of.map_or(("", Vec::new()), |(param, of)| (param, of));
        let tail: [&[u8]; 8] = if param.is_empty() {
            [b";index=", &parent, b".", number.as_bytes(), b"", b"", b"", b""]
        } else {
            [b";index=", &parent, b".", number.as_bytes(), b";", param.as_bytes(), b"=", &of]
        };
        entry(writer, step.uri, code, hides, &tail);
    }
}

/// Writes a Diversion for the number that was dialled, by how the leg before ended (RFC 5806 4.1).
pub(super) fn diversion(writer: &mut Writer<'_>, dialled: &[u8], host: &[u8], before: u16) {
    let reason: &[u8] = match before {
        486 | 600 => b"user-busy",
        408 | 480 => b"no-answer",
        0..=299 => b"unconditional",
        _ => b"unavailable",
    };
    writer.begin(Name::Diversion).bytes(b"<sip:").user(dialled).bytes(b"@").bytes(host);
    writer.bytes(b">;reason=").bytes(reason).bytes(b";counter=1").end();
}

/// Writes a History-Info header for a peer that is not trusted: private entries without their URIs,
/// and none with a Privacy of its own (RFC 7044 10.1.2).
pub(super) fn guarded(writer: &mut Writer<'_>, header: &Header<'_>, hides_all: bool) {
    let value = header.unfolded();
    for element in Elements::new(&value) {
        let Some(entry) = NameAddr::parse(element) else { continue };
        let Some(uri) = entry.parsed_uri() else { continue };
        let is_private = is_private(&uri);
        if !hides_all && !is_private {
            writer.header(Name::HistoryInfo, &[element]);
            continue;
        }
        let shown = if uri.host.eq_ignore_ascii_case(b"anonymous.invalid") { entry.uri } else { HIDDEN };
        let shown = &shown[..memchr::memchr(b'?', shown).unwrap_or(shown.len())];
        writer.header(Name::HistoryInfo, &[b"<", shown, b">", entry.params.as_bytes()]);
    }
}

fn entry(writer: &mut Writer<'_>, uri: &[u8], code: Option<u16>, hides: bool, tail: &[&[u8]]) {
    writer.begin(Name::HistoryInfo).bytes(b"<").bytes(if hides { HIDDEN } else { uri });
    if let Some(code) = code {
        // RFC 7044 10.2: why it was not the last, as a header of the URI.
        writer.bytes(b"?Reason=SIP%3Bcause%3D").number(code.into());
    }
    writer.bytes(b">");
    for piece in tail {
        writer.bytes(piece);
    }
    writer.end();
}

/// The Request-URI as an entry shows it: a SIP URI without headers.
fn called(caller: &Message<'_>, host: &[u8]) -> Option<Vec<u8>> {
    let uri = caller.uri()?;
    match uri.scheme {
        Scheme::Sip | Scheme::Sips => {
            let raw = uri.raw;
            Some(raw[..memchr::memchr(b'?', raw).unwrap_or(raw.len())].to_vec())
        }
        Scheme::Tel => {
            let number = uri.user.unwrap_or_default();
            Some([b"sip:", number, b"@", host, b";user=phone"].concat())
        }
        Scheme::Other(_) => None,
    }
}

fn same_party(one: &[u8], other: &[u8]) -> bool {
    let (Some(one), Some(other)) = (Uri::parse(one), Uri::parse(other)) else { return false };
    one.decoded_user() == other.decoded_user() && one.host.eq_ignore_ascii_case(other.host)
}

fn same_user(one: &[u8], other: &[u8]) -> bool {
    let (Some(one), Some(other)) = (Uri::parse(one), Uri::parse(other)) else { return false };
    one.decoded_user() == other.decoded_user()
}

fn is_index(index: &[u8]) -> bool {
    index.len() <= 64 && index.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether an entry has a Privacy of its own among its URI's headers.
fn is_private(uri: &Uri<'_>) -> bool {
    let headers = uri.headers.split(|&byte| byte == b'&');
    let mut pairs =
        headers.map(|pair| (pair.get(..8).unwrap_or_default(), pair.get(8..).unwrap_or_default()));
    pairs.any(|(name, value)| {
        name.eq_ignore_ascii_case(b"privacy=") && value.to_ascii_lowercase().starts_with(b"history")
    })
}

/// The `rc` or `mp` that a redirecting server gave a Contact.
pub(super) fn contact_param(params: Params<'_>) -> Option<&'static str> {
    ["rc", "mp"].into_iter().find(|name| params.has(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(headers: &str) -> String {
        format!(
            "INVITE sip:100@gate.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:b@h>;tag=1\r\nTo: <sip:100@gate.example>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        )
    }

    fn who(headers: &str) -> Option<String> {
        let text = invite(headers);
        diverted(&Message::scan(text.as_bytes()).unwrap()).map(|who| match who {
            Diverted::By(uri) => String::from_utf8_lossy(&uri.decoded_user()).into_owned(),
            Diverted::Withheld => "(withheld)".to_owned(),
        })
    }

    fn lines(headers: &str, steps: &[Step<'_>], hides: bool) -> String {
        let text = invite(headers);
        let mut out = Vec::new();
        let message = Message::scan(text.as_bytes()).unwrap();
        added(&mut Writer::append(&mut out), &message, b"us.example", steps, hides);
        String::from_utf8(out)
            .unwrap()
            .replace("History-Info: ", "")
            .replace("\r\n", " ")
            .trim_end()
            .to_owned()
    }

    fn step(uri: &str, code: u16) -> Step<'_> {
        Step { uri: uri.as_bytes(), origin: Origin::Document, code }
    }

    #[test]
    fn who_diverted_last_is_the_topmost_diversion_or_whom_the_last_mapping_left() {
        assert_eq!(who(""), None);
        let two = "Diversion: <sip:300@h>;reason=no-answer\r\nDiversion: <sip:200@h>\r\n";
        assert_eq!(who(two).as_deref(), Some("300"));
        assert_eq!(who("Diversion: <sip:300@h>;privacy=full\r\n").as_deref(), Some("(withheld)"));
        assert_eq!(who("History-Info: <sip:100@h>;index=1\r\n"), None);
        let plain = "History-Info: <sip:200@h>;index=1,<sip:100@h>;index=1.1\r\n";
        assert_eq!(who(plain).as_deref(), Some("200"));
        let mapped = "History-Info: <sip:200@h>;index=1,<sip:300@h>;index=1.1;mp=1\r\n\
                      History-Info: <sip:300@in.h>;index=1.1.1;rc=1.1,<sip:100@h>;index=1.1.2;mp=1.1\r\n";
        assert_eq!(who(mapped).as_deref(), Some("300"));
        let private = "History-Info: <sip:200@h?Privacy=history>;index=1,<sip:100@h>;index=1.1;mp=1\r\n";
        assert_eq!(who(private).as_deref(), Some("(withheld)"));
    }

    #[test]
    fn indexes_follow_the_callers_or_begin_at_1() {
        let bob = [step("sip:bob@b", 0)];
        assert_eq!(lines("", &bob, false), "<sip:100@gate.example>;index=1 <sip:bob@b>;index=1.1;mp=1");
        let known = "History-Info: <sip:200@h>;index=1, <sip:100@gate.example>;index=1.1;mp=1\r\n";
        assert_eq!(lines(known, &bob, false), "<sip:bob@b>;index=1.1.1;mp=1.1");
        // 10.3 rule 6: whoever sent it here wrote no entry.
        let gap = "History-Info: <sip:200@h>;index=1.2\r\n";
        assert_eq!(
            lines(gap, &bob, false),
            "<sip:100@gate.example>;index=1.2.0 <sip:bob@b>;index=1.2.0.1;mp=1.2.0"
        );
        assert_eq!(lines(known, &[step("sip:100@b", 0)], false), "<sip:100@b>;index=1.1.1;rc=1.1");
    }

    #[test]
    fn legs_that_failed_stand_before_with_their_reason() {
        let contact = Step { origin: Origin::Contact(1, Some("mp")), ..step("sip:dan@d", 0) };
        let steps = [step("sip:bob@b", 486), step("sip:carol@c", 302), contact];
        assert_eq!(
            lines("", &steps, false),
            "<sip:100@gate.example>;index=1 <sip:bob@b?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1 \
             <sip:carol@c?Reason=SIP%3Bcause%3D302>;index=1.2;mp=1 <sip:dan@d>;index=1.3;mp=1.2"
        );
        // A leg that still rings is none of a parallel one's business.
        let forked = [step("sip:bob@b", 0), step("sip:carol@c", 0)];
        assert_eq!(
            lines("", &forked, true),
            format!("<{0}>;index=1 <{0}>;index=1.2;mp=1", "sip:anonymous@anonymous.invalid")
        );
    }

    #[test]
    fn private_entries_lose_their_addresses_where_nobody_is_trusted() {
        let guard = |all| {
            let text = invite(
                "History-Info: <sip:200@h?Privacy=history&Reason=SIP%3Bcause%3D302>;index=1,<sip:100@h>;index=1.1\r\n",
            );
            let message = Message::scan(text.as_bytes()).unwrap();
            let mut out = Vec::new();
            for header in message.all(Name::HistoryInfo) {
                guarded(&mut Writer::append(&mut out), &header, all);
            }
            String::from_utf8(out).unwrap()
        };
        let hidden = "History-Info: <sip:anonymous@anonymous.invalid>;index=1\r\n";
        assert_eq!(guard(false), format!("{hidden}History-Info: <sip:100@h>;index=1.1\r\n"));
        assert_eq!(guard(true), format!("{hidden}{}", hidden.replace("index=1", "index=1.1")));
    }
}
