//! The header table: what of one side's message is written on the other. Everything in one place,
//! so that each header's fate is a line to read.

use crate::sip::Name;

/// What becomes of a header on its way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Belongs to the hop or the dialog it came in: ends here.
    EndHere,
    /// Written anew by the code that knows how.
    Translate,
    /// Identity: passes between sides that trust each other (RFC 3325).
    ByTrust,
    /// Passes as bytes and in order.
    Pass,
}

/// The fate of a request's header. `text` is the name as written, for names without a variant.
#[must_use]
pub fn request(name: Name, text: &[u8]) -> Fate {
    match name {
        Name::Via | Name::Route | Name::RecordRoute | Name::Contact | Name::CallId | Name::CSeq => {
            Fate::EndHere
        }
        Name::From | Name::To | Name::ContentLength | Name::Path | Name::ServiceRoute => Fate::EndHere,
        // Credentials are for our own realm here; a target that wants some gets the noun's.
        Name::Authorization | Name::ProxyAuthorization | Name::RAck => Fate::EndHere,
        // Replaces is taken out until it is translated.
        Name::Replaces | Name::Join | Name::TargetDialog => Fate::EndHere,
        Name::SessionExpires | Name::MinSe => Fate::Translate,
        Name::MaxForwards | Name::MaxBreadth | Name::Reason => Fate::Translate,
        Name::Supported | Name::Require | Name::ProxyRequire | Name::Allow => Fate::Translate,
        // How long the way of this hop was (8.2.6.1).
        Name::Timestamp => Fate::EndHere,
        Name::Other if is_own(text) || is_agreement(text) => Fate::EndHere,
        _ => identity(name, text),
    }
}

/// The fate of a response's header.
#[must_use]
pub fn response(name: Name, text: &[u8]) -> Fate {
    match name {
        Name::Via | Name::Route | Name::RecordRoute | Name::Contact | Name::CallId | Name::CSeq => {
            Fate::EndHere
        }
        Name::From | Name::To | Name::ContentLength | Name::Path | Name::ServiceRoute | Name::RSeq => {
            Fate::EndHere
        }
        // Never a target's challenge, nor its word on when to come back.
        Name::WwwAuthenticate | Name::ProxyAuthenticate | Name::AuthenticationInfo => Fate::EndHere,
        Name::RetryAfter | Name::Timestamp => Fate::EndHere,
        Name::SessionExpires | Name::MinSe => Fate::Translate,
        Name::Supported | Name::Require | Name::Unsupported | Name::Reason => Fate::Translate,
        Name::Allow => Fate::Translate,
        Name::Other if is_own(text) || is_agreement(text) => Fate::EndHere,
        _ => identity(name, text),
    }
}

/// Whether we are transparent to an option tag: it asks nothing of whoever stands between, or
/// is translated, as 100rel and timer are. Replaces is not yet, nor are those that rest on what ends here:
/// tdialog, from-change, norefersub.
#[must_use]
pub fn transparent_option(tag: &[u8]) -> bool {
    const TAGS: [&[u8]; 15] = [
        b"100rel",
        b"199",
        b"timer",
        b"precondition",
        b"early-session",
        b"histinfo",
        b"privacy",
        b"answermode",
        b"geolocation-sip",
        b"geolocation-http",
        b"sdp-anat",
        b"ice",
        b"resource-priority",
        b"uui",
        b"trickle-ice",
    ];
    TAGS.iter().any(|known| known.eq_ignore_ascii_case(tag))
}

/// Whether a Reason value is one that passes: `SIP` or `Q.850` with a cause (RFC 3326).
#[must_use]
pub fn reason_passes(value: &[u8]) -> bool {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let protocol = crate::sip::trim(&value[..end]);
    let known = protocol.eq_ignore_ascii_case(b"SIP") || protocol.eq_ignore_ascii_case(b"Q.850");
    known && crate::sip::Params::new(&value[end..]).has("cause")
}

fn identity(name: Name, text: &[u8]) -> Fate {
    match name {
        // Meant for the first trusted hop, which is here (RFC 3325 9.2).
        Name::PPreferredIdentity => Fate::EndHere,
        // Written by what of it was done here.
        Name::Privacy => Fate::Translate,
        Name::PAssertedIdentity | Name::RemotePartyId | Name::PChargingVector => Fate::ByTrust,
        Name::PAccessNetworkInfo | Name::PEarlyMedia | Name::Identity | Name::IdentityInfo => Fate::ByTrust,
        Name::Other if text.eq_ignore_ascii_case(b"P-Charging-Function-Addresses") => Fate::ByTrust,
        _ => Fate::Pass,
    }
}

/// What two neighbours agreed on between themselves (RFC 3329).
fn is_agreement(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"Security-Client", b"Security-Server", b"Security-Verify"];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

/// Headers that only callgate itself writes.
fn is_own(text: &[u8]) -> bool {
    text.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"X-Callgate-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_headers_end_and_strangers_pass() {
        assert_eq!(request(Name::Via, b"Via"), Fate::EndHere);
        assert_eq!(request(Name::Other, b"X-Anything"), Fate::Pass);
        assert_eq!(request(Name::Other, b"x-callgate-reason"), Fate::EndHere);
        assert_eq!(request(Name::ContentType, b"Content-Type"), Fate::Pass);
        assert_eq!(request(Name::PAssertedIdentity, b"P-Asserted-Identity"), Fate::ByTrust);
        assert_eq!(request(Name::PPreferredIdentity, b"P-Preferred-Identity"), Fate::EndHere);
        assert_eq!(response(Name::PEarlyMedia, b"P-Early-Media"), Fate::ByTrust);
        assert_eq!(response(Name::RetryAfter, b"Retry-After"), Fate::EndHere);
        assert_eq!(response(Name::Server, b"Server"), Fate::Pass);
    }

    #[test]
    fn options_that_need_us_are_not_transparent() {
        assert!(transparent_option(b"100rel"));
        assert!(transparent_option(b"timer"));
        assert!(!transparent_option(b"replaces"));
        assert!(transparent_option(b"Precondition"));
        assert!(transparent_option(b"Early-Session"));
    }

    #[test]
    fn only_sip_and_q850_reasons_with_a_cause_pass() {
        assert!(reason_passes(b"Q.850 ;cause=16;text=\"Terminated\""));
        assert!(reason_passes(b"SIP;cause=200;text=\"Call completed elsewhere\""));
        assert!(!reason_passes(b"preemption;cause=1"));
        assert!(!reason_passes(b"SIP;text=\"x\""));
    }
}
