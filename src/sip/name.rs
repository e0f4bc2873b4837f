//! Header names: the ones that mean something to us or to our users, long and compact.

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)?;)*) => {
        /// A header's name. Names are case-insensitive and have compact forms (RFC 3261 7.3.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = $text] $variant,)*
            /// None of these; [`super::Header::text`] has it as written.
            Other,
        }

        const NAMES: &[(Name, &str)] = &[$((Name::$variant, $text),)*];

        const COMPACT: [Name; 26] = {
            let mut table = [Name::Other; 26];
            $($(table[($compact - b'a') as usize] = Name::$variant;)?)*
            table
        };

        impl Name {
            /// The long form as we write it; empty for `Other`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other => "",
                }
            }
        }
    };
}

names! {
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID" b'i';
    CallInfo "Call-Info";
    Contact "Contact" b'm';
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLanguage "Content-Language";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" b'o';
    Expires "Expires";
    From "From" b'f';
    Geolocation "Geolocation";
    HistoryInfo "History-Info";
    Identity "Identity" b'y';
    IdentityInfo "Identity-Info" b'n';
    InReplyTo "In-Reply-To";
    Join "Join";
    MaxBreadth "Max-Breadth";
    MaxForwards "Max-Forwards";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info";
    PAssertedIdentity "P-Asserted-Identity";
    PChargingVector "P-Charging-Vector";
    PEarlyMedia "P-Early-Media";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecordRoute "Record-Route";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    RejectContact "Reject-Contact" b'j';
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" b'd';
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" b'x';
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    To "To" b't';
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Via "Via" b'v';
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

/// A perfect hash over the long names; that it has no collision is checked when this compiles.
const SLOTS: [Name; 256] = {
    let mut slots = [Name::Other; 256];
    let mut at = 0;
    while at < NAMES.len() {
        let (name, text) = NAMES[at];
        let slot = slot(text.as_bytes());
        assert!(matches!(slots[slot], Name::Other), "two header names share a slot: choose another factor");
        slots[slot] = name;
        at += 1;
    }
    slots
};

const _: () = assert!(Name::COUNT <= 128, "a set of names is one u128");

const fn slot(text: &[u8]) -> usize {
    let len = text.len();
    let letters = pick_at(text, 0)
        | pick_at(text, len / 2) << 8
        | pick_at(text, len - 1) << 16
        | pick_at(text, len / 4) << 24;
    let mixed = letters.wrapping_add((len as u32).wrapping_mul(0x9e37_79b1));
    (mixed.wrapping_mul(0xafff_3065) >> 24) as usize
}

const fn pick_at(text: &[u8], at: usize) -> u32 {
    (text[at] | 0x20) as u32
}

impl Name {
    /// How many names there are, `Other` included.
    pub const COUNT: usize = NAMES.len() + 1;

    /// The name that `text` is, in any case, long or compact.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        match text {
            [] => Self::Other,
            [letter] if letter.is_ascii_alphabetic() => COMPACT[usize::from((letter | 0x20) - b'a')],
            _ => {
                let name = SLOTS[slot(text)];
                if name.as_str().as_bytes().eq_ignore_ascii_case(text) { name } else { Self::Other }
            }
        }
    }

    /// This name's bit in a set of names.
    pub(super) const fn bit(self) -> u128 {
        1 << (self as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (name, text) in NAMES {
            assert_eq!(Name::of(text.as_bytes()), *name);
            assert_eq!(Name::of(text.to_ascii_uppercase().as_bytes()), *name);
            assert_eq!(Name::of(text.to_ascii_lowercase().as_bytes()), *name);
        }
    }

    #[test]
    fn compact_forms_and_strangers() {
        assert_eq!(Name::of(b"v"), Name::Via);
        assert_eq!(Name::of(b"M"), Name::Contact);
        assert_eq!(Name::of(b"z"), Name::Other);
        assert_eq!(Name::of(b"!"), Name::Other);
        assert_eq!(Name::of(b"X-Callgate-Reason"), Name::Other);
        assert_eq!(Name::of(b"Vib"), Name::Other);
    }
}
