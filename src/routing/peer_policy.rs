//! What a trunk or gateway is told, and may make us do: its header rules, whether its redirections
//! are followed, and how it hears of a diversion.

use std::sync::Arc;

use crate::sip::Name;

/// Rules of one peer at most.
pub const MOST_RULES: usize = 32;
/// The longest value that a rule sets, in octets.
pub const LONGEST_VALUE: usize = 512;

/// Which way a header goes, seen from the peer that has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// In what the peer sends, before it reaches the other side.
    In,
    /// In what the peer is sent.
    Out,
}

/// What becomes of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderAction {
    /// It passes, also where only trusted peers would be told.
    Pass,
    /// It ends here.
    Drop,
    /// It is written with this value, in place of whatever came.
    Set(Arc<str>),
}

/// One rule of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// The header's name as written.
    header: Arc<str>,
    name: Name,
    /// Which way.
    pub way: Way,
    /// What becomes of it.
    pub action: HeaderAction,
}

impl HeaderRule {
    /// A rule for the header of this name, in any case, long or compact.
    #[must_use]
    pub fn new(header: &str, way: Way, action: HeaderAction) -> Self {
        Self { header: header.into(), name: Name::of(header.as_bytes()), way, action }
    }

    /// The header's name as the rule has it.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    fn names(&self, name: Name, text: &[u8]) -> bool {
        match self.name {
            Name::Other => name == Name::Other && self.header.as_bytes().eq_ignore_ascii_case(text),
            known => known == name,
        }
    }

    fn check(&self) -> Result<(), BadRule> {
        let header = || self.header.to_string();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
        if self.header.is_empty() || self.header.len() > 64 || !self.header.bytes().all(token) {
            return Err(BadRule::Name(header()));
        }
        if is_ours(self.name, self.header.as_bytes()) {
            return Err(BadRule::Ours(header()));
        }
        let HeaderAction::Set(value) = &self.action else { return Ok(()) };
        let sound = !value.trim().is_empty() && value.len() <= LONGEST_VALUE;
        if !sound || value.chars().any(char::is_control) {
            return Err(BadRule::Value(header()));
        }
        Ok(())
    }
}

/// The rules of one peer. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules(Option<Arc<[HeaderRule]>>);

impl HeaderRules {
    /// These rules, as they are: [`Self::check`] says whether they may be used.
    #[must_use]
    pub fn new(rules: Vec<HeaderRule>) -> Self {
        Self(if rules.is_empty() { None } else { Some(rules.into()) })
    }

    /// All of them, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[HeaderRule] {
        self.0.as_deref().unwrap_or_default()
    }

    /// What they say of a header that goes this way. `text`: its name as written.
    #[must_use]
    pub fn of(&self, way: Way, name: Name, text: &[u8]) -> Option<&HeaderAction> {
        let rules = self.0.as_deref()?;
        rules.iter().find(|rule| rule.way == way && rule.names(name, text)).map(|rule| &rule.action)
    }

    /// The headers they write this way: name and value.
    pub fn written(&self, way: Way) -> impl Iterator<Item = (&str, &str)> {
        self.as_slice().iter().filter(move |rule| rule.way == way).filter_map(|rule| match &rule.action {
            HeaderAction::Set(value) => Some((&*rule.header, &**value)),
            HeaderAction::Pass | HeaderAction::Drop => None,
        })
    }

    /// Whether they may be used.
    ///
    /// # Errors
    /// [`BadRule`]: the first that may not, by its header.
    pub fn check(&self) -> Result<(), BadRule> {
        let rules = self.as_slice();
        if rules.len() > MOST_RULES {
            return Err(BadRule::TooMany);
        }
        for (at, rule) in rules.iter().enumerate() {
            rule.check()?;
            let is_same =
                |other: &HeaderRule| other.way == rule.way && rule.names(other.name, other.header.as_bytes());
            if rules[..at].iter().any(is_same) {
                return Err(BadRule::Twice(rule.header.to_string()));
            }
        }
        Ok(())
    }
}

/// A rule that may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// No header's name.
    #[error("`{0}` is no header name: use letters, digits and `-`, at most 64")]
    Name(String),
    /// One that callgate writes itself.
    #[error("{0} belongs to the dialog, the hop or the body, and callgate writes it itself: leave it out")]
    Ours(String),
    /// A value that cannot be written.
    #[error("the value of {0} is empty, longer than 512 octets or holds a control character")]
    Value(String),
    /// Two rules for one header one way.
    #[error("{0} has two rules in one direction: leave one")]
    Twice(String),
    /// Too many.
    #[error("there are more than 32 rules")]
    TooMany,
}

/// Headers that no rule may touch: those of the dialog, the transaction and the hop, those that say
/// what the body is or what both sides can do, and those callgate acts on.
fn is_ours(name: Name, text: &[u8]) -> bool {
    match name {
        Name::Via | Name::Route | Name::RecordRoute | Name::Contact | Name::CallId | Name::CSeq => true,
        Name::From | Name::To | Name::MaxForwards | Name::MaxBreadth | Name::Path | Name::ServiceRoute => {
            true
        }
        Name::ContentLength | Name::ContentType | Name::ContentEncoding | Name::ContentDisposition => true,
        Name::ContentLanguage | Name::MimeVersion | Name::Timestamp | Name::Expires => true,
        Name::Require | Name::Supported | Name::ProxyRequire | Name::Unsupported | Name::Allow => true,
        Name::AllowEvents | Name::Event | Name::SubscriptionState | Name::RSeq | Name::RAck => true,
        Name::SessionExpires | Name::MinSe | Name::MinExpires | Name::RetryAfter | Name::Reason => true,
        Name::Authorization | Name::ProxyAuthorization | Name::AuthenticationInfo => true,
        Name::WwwAuthenticate | Name::ProxyAuthenticate | Name::Privacy => true,
        Name::Replaces | Name::Join | Name::TargetDialog | Name::ReferTo | Name::ReferSub => true,
        Name::Other => text.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"X-Callgate-")),
        _ => false,
    }
}

/// Whose Contacts of a 3xx are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Nobody's: a 3xx is a refusal.
    #[default]
    No,
    /// Those at the host that answered, and at the organization's gateways.
    Known,
    /// All.
    Any,
}

/// How a gateway hears that a call was for another number first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedAs {
    /// By what the caller's side sent, nothing is added.
    #[default]
    None,
    /// A Diversion with the number that was dialled (RFC 5806).
    Diversion,
    /// History-Info entries for that number and the target (RFC 7044).
    HistoryInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> HeaderAction {
        HeaderAction::Set(value.into())
    }

    #[test]
    fn the_dialogs_own_headers_are_refused_by_name_long_and_compact() {
        for header in [
            "Via",
            "v",
            "ROUTE",
            "Record-Route",
            "Contact",
            "m",
            "Call-ID",
            "i",
            "CSeq",
            "From",
            "f",
            "To",
            "Max-Forwards",
            "Content-Length",
            "l",
            "Content-Type",
            "Require",
            "Supported",
            "k",
            "RSeq",
            "Session-Expires",
            "Authorization",
            "Proxy-Authenticate",
            "Privacy",
            "Refer-To",
            "X-Callgate-Reason",
        ] {
            for action in [HeaderAction::Pass, HeaderAction::Drop, set("1")] {
                let rules = HeaderRules::new(vec![HeaderRule::new(header, Way::Out, action)]);
                assert_eq!(rules.check(), Err(BadRule::Ours(header.into())));
            }
        }
    }

    #[test]
    fn names_and_values_that_cannot_be_written_are_refused() {
        let check =
            |header: &str, action| HeaderRules::new(vec![HeaderRule::new(header, Way::In, action)]).check();
        assert!(check("X-A: b\r\nVia", HeaderAction::Drop).is_err());
        assert!(check("", HeaderAction::Drop).is_err());
        assert!(check("X-A", set("a\r\nVia: x")).is_err());
        assert!(check("X-A", set(" ")).is_err());
        assert!(check("X-A", set(&"a".repeat(513))).is_err());
        assert_eq!(check("User-Agent", set("carrier")), Ok(()));
    }

    #[test]
    fn a_header_has_one_rule_each_way() {
        let rule = |header: &str, way| HeaderRule::new(header, way, HeaderAction::Drop);
        let twice = vec![rule("Subject", Way::In), rule("s", Way::In)];
        assert_eq!(HeaderRules::new(twice).check(), Err(BadRule::Twice("s".into())));
        let both_ways = vec![rule("Subject", Way::In), rule("Subject", Way::Out)];
        assert_eq!(HeaderRules::new(both_ways).check(), Ok(()));
        let many = (0..33).map(|n| rule(&format!("X-{n}"), Way::In)).collect();
        assert_eq!(HeaderRules::new(many).check(), Err(BadRule::TooMany));
    }

    #[test]
    fn a_rule_is_found_by_the_headers_other_name() {
        let rules = HeaderRules::new(vec![HeaderRule::new("subject", Way::Out, HeaderAction::Drop)]);
        assert_eq!(rules.of(Way::Out, Name::Subject, b"s"), Some(&HeaderAction::Drop));
        assert_eq!(rules.of(Way::In, Name::Subject, b"s"), None);
        assert_eq!(rules.of(Way::Out, Name::Other, b"X-Subject"), None);
    }
}
