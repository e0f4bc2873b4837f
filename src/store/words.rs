//! The words that stand in the columns: enums, identifiers, moments, lists.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::call::outcome::CallStatus;
use crate::flow::Transport;
use crate::ids::{
    AccountSid, ApplicationSid, CallSid, GatewaySid, InstanceSid, NotificationSid, NumberSid,
    OrganizationSid, TrunkSid,
};
use crate::moment::iso8601;
use crate::reason::Reason;
use crate::routing::model::{
    CallerFrom, CallerIdFormat, DialledFrom, Follow, ForwardedAs, MatchMode, Method, Nat, NumberRule, Prefix,
    Status, TrunkMode,
};
use crate::store::column::Word;
use crate::store::inventory::NumberKind;
use crate::store::rows::{Fields, NumberState, Role};
use crate::store::secrets::Sealed;

macro_rules! words {
    ($($type:ident, $expected:literal: $($variant:ident = $word:literal),+;)*) => {$(
        impl Word for $type {
            const EXPECTED: &'static str = $expected;
            const WORDS: &'static [&'static str] = &[$($word),+];

            fn word(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.to_owned()
            }

            fn of_word(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    )*};
}

words! {
    Status, "active, suspended or closed": Active = "active", Suspended = "suspended", Closed = "closed";
    Method, "GET or POST": Get = "GET", Post = "POST";
    MatchMode, "full or search": Full = "full", Search = "search";
    CallerFrom, "from, p-asserted-identity or remote-party-id":
        From = "from", PAssertedIdentity = "p-asserted-identity", RemotePartyId = "remote-party-id";
    Nat, "auto, on or off": Auto = "auto", On = "on", Off = "off";
    TrunkMode, "call or redirect": Call = "call", Redirect = "redirect";
    Follow, "no, known or any": No = "no", Known = "known", Any = "any";
    ForwardedAs, "none, diversion or history-info":
        None = "none", Diversion = "diversion", HistoryInfo = "history-info";
    Transport, "udp, tcp or tls": Udp = "udp", Tcp = "tcp", Tls = "tls";
    CallerIdFormat, "+e164, e164 or national": PlusE164 = "+e164", E164 = "e164", National = "national";
    Role, "super-admin, admin or developer":
        SuperAdmin = "super-admin", Admin = "admin", Developer = "developer";
    NumberState, "a state of a number, as in_service": Discovery = "discovery", Available = "available",
        Reserved = "reserved", InService = "in_service", PortIn = "port_in", PortOut = "port_out",
        Released = "released", Aging = "aging", Disconnected = "disconnected", Deleted = "deleted";
    NumberKind, "local, toll_free, mobile, either or none": Local = "local", TollFree = "toll_free",
        Mobile = "mobile", Either = "either", None = "none";
    CallStatus, "a call's status": Ringing = "ringing", InProgress = "in-progress", Completed = "completed",
        Busy = "busy", NoAnswer = "no-answer", Canceled = "canceled", Failed = "failed",
        Initiated = "initiated", Answered = "answered";
}

macro_rules! sids {
    ($($type:ident),*) => {$(
        impl Word for $type {
            const EXPECTED: &'static str = "32 hexadecimal digits";

            fn word(&self) -> String {
                format!("{:032x}", self.0)
            }

            fn of_word(text: &str) -> Option<Self> {
                let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                if plain { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
            }
        }
    )*};
}

sids!(
    AccountSid,
    ApplicationSid,
    CallSid,
    GatewaySid,
    InstanceSid,
    NotificationSid,
    NumberSid,
    OrganizationSid,
    TrunkSid
);

impl Word for Reason {
    const EXPECTED: &'static str = "a reason code of the catalogue";

    fn word(&self) -> String {
        self.code().to_owned()
    }

    fn of_word(text: &str) -> Option<Self> {
        Self::from_code(text)
    }
}

impl Word for Sealed {
    const EXPECTED: &'static str = "a sealed secret: set it through the API or the command line";

    fn word(&self) -> String {
        self.0.clone()
    }

    fn of_word(text: &str) -> Option<Self> {
        text.starts_with("v1.").then(|| Self(text.to_owned()))
    }
}

impl Word for Vec<AccountSid> {
    const EXPECTED: &'static str = "ids of accounts, 32 hexadecimal digits each, parted by spaces";

    fn word(&self) -> String {
        self.iter().map(Word::word).collect::<Vec<_>>().join(" ")
    }

    fn of_word(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().map(AccountSid::of_word).collect()
    }
}

impl Word for Fields {
    const EXPECTED: &'static str = "a JSON object";

    fn word(&self) -> String {
        serde_json::to_string(self).expect("a JSON object has a JSON form")
    }

    fn of_word(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Word for Timestamp {
    const EXPECTED: &'static str = "a moment as 2026-01-31T12:00:00.000Z";

    fn word(&self) -> String {
        iso8601(*self)
    }

    fn of_word(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Word for IpAddr {
    const EXPECTED: &'static str = "an IP address";

    fn word(&self) -> String {
        self.to_string()
    }

    fn of_word(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Word for DialledFrom {
    const EXPECTED: &'static str = "request-uri, to or header:NAME";

    fn word(&self) -> String {
        match self {
            Self::RequestUri => "request-uri".to_owned(),
            Self::To => "to".to_owned(),
            Self::Header(name) => format!("header:{name}"),
        }
    }

    fn of_word(text: &str) -> Option<Self> {
        match text {
            "request-uri" => Some(Self::RequestUri),
            "to" => Some(Self::To),
            _ => {
                let name = text.strip_prefix("header:")?.trim();
                (!name.is_empty()).then(|| Self::Header(name.into()))
            }
        }
    }
}

/// The items of a list, which people part by commas, spaces or line ends.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t', '\n', '\r']).filter(|item| !item.is_empty())
}

impl Word for Vec<Prefix> {
    const EXPECTED: &'static str = "a list of addresses and prefixes, as 192.0.2.0/24, 2001:db8::1";

    fn word(&self) -> String {
        let texts: Vec<String> = self.iter().map(|p| format!("{}/{}", p.address, p.length)).collect();
        texts.join(", ")
    }

    fn of_word(text: &str) -> Option<Self> {
        items(text).map(prefix).collect()
    }
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(longest), |length| length.parse().ok())?;
    (length <= longest).then_some(Prefix { address, length })
}

impl Word for Vec<Arc<str>> {
    const EXPECTED: &'static str = "a list";

    fn word(&self) -> String {
        self.join(", ")
    }

    fn of_word(text: &str) -> Option<Self> {
        Some(items(text).map(Arc::from).collect())
    }
}

impl Word for Vec<String> {
    const EXPECTED: &'static str = "a list";

    fn word(&self) -> String {
        self.join(", ")
    }

    fn of_word(text: &str) -> Option<Self> {
        Some(items(text).map(str::to_owned).collect())
    }
}

/// One rule as it stands in the JSON of `trunks.number_rules`.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RuleForm {
    prefix: String,
    min_length: u8,
    max_length: u8,
    strip: u8,
    prepend: String,
}

impl Word for Vec<NumberRule> {
    const EXPECTED: &'static str =
        r#"a JSON list of rules, as [{"prefix": "00", "strip": 2, "prepend": "+"}]"#;

    fn word(&self) -> String {
        let forms: Vec<RuleForm> = self
            .iter()
            .map(|rule| RuleForm {
                prefix: rule.prefix.clone(),
                min_length: rule.min_length,
                max_length: rule.max_length,
                strip: rule.strip,
                prepend: rule.prepend.clone(),
            })
            .collect();
        serde_json::to_string(&forms).expect("texts and small numbers have a JSON form")
    }

    fn of_word(text: &str) -> Option<Self> {
        let forms: Vec<RuleForm> = serde_json::from_str(text).ok()?;
        let rules = forms.into_iter().map(|form| NumberRule {
            prefix: form.prefix,
            min_length: form.min_length,
            max_length: form.max_length,
            strip: form.strip,
            prepend: form.prepend,
        });
        Some(rules.collect())
    }
}

#[cfg(test)]
mod tests {
    use jiff::fmt::strtime;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::moment::ISO8601;

    #[test]
    fn a_moment_keeps_its_milliseconds_and_sorts_as_text() {
        let moment = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        assert_eq!(moment.word(), "2023-11-14T22:13:20.001Z");
        for at in ["-009999-01-02T01:59:59Z", "0000-12-31T23:59:59.999999Z", "0987-01-02T03:04:05.06Z"] {
            let moment: Timestamp = at.parse().unwrap();
            let general = strtime::format(ISO8601, &moment.to_zoned(TimeZone::UTC)).unwrap();
            assert_eq!(moment.word(), general);
        }
        for step in 0..20_000 {
            let moment = Timestamp::from_microsecond(step * 1_234_567_891_011).unwrap();
            let general = strtime::format(ISO8601, &moment.to_zoned(TimeZone::UTC)).unwrap();
            assert_eq!(moment.word(), general);
        }
        assert_eq!(Timestamp::of_word(&moment.word()), Some(moment));
    }

    #[test]
    fn a_list_of_sources_is_read_as_people_write_it() {
        let list = Vec::<Prefix>::of_word("10.0.0.0/8,192.0.2.1\n2001:db8::/32").unwrap();
        assert_eq!(list.word(), "10.0.0.0/8, 192.0.2.1/32, 2001:db8::/32");
        assert_eq!(Vec::<Prefix>::of_word("10.0.0.0/33"), None);
        assert_eq!(Vec::<Prefix>::of_word("ten"), None);
    }

    #[test]
    fn rules_refuse_words_they_do_not_know() {
        assert!(Vec::<NumberRule>::of_word(r#"[{"prefix":"00","strip":2,"prepend":"+"}]"#).is_some());
        assert!(Vec::<NumberRule>::of_word(r#"[{"prefx":"00"}]"#).is_none());
    }
}
