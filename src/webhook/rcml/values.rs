//! Attributes and texts to what they mean. Whatever leaves here holds no control character, so that
//! nothing an application writes becomes a line of a SIP message.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::tree::Element;
use crate::outbound::Target;
use crate::routing::model::{Hook, Method};

/// Name and value.
type Header = (Arc<str>, Arc<str>);

/// Headers one noun may add.
const HEADERS: usize = 32;

pub(super) fn wrong(why: impl Into<String>) -> Error {
    Error::NotRcml(why.into())
}

impl Element {
    /// An attribute's value, trimmed; `None` when it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        let Some((_, value)) = found else { return Ok(None) };
        let value = clean(value).ok_or_else(|| self.bad(name))?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// The element's text, trimmed.
    pub(super) fn trimmed(&self) -> Result<&str, Error> {
        clean(&self.text).ok_or_else(|| wrong(format!("the text of {} holds a control character", self.name)))
    }

    /// Refuses attributes that are not in the list.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.attributes.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(wrong(format!("{} has no attribute {name}", self.name))),
            None => Ok(()),
        }
    }

    /// Refuses children and text.
    pub(super) fn hollow(&self) -> Result<(), Error> {
        if self.children.is_empty() && self.text.trim().is_empty() {
            return Ok(());
        }
        Err(wrong(format!("{} has no content", self.name)))
    }

    /// Refuses children.
    pub(super) fn childless(&self) -> Result<(), Error> {
        match self.children.first() {
            Some(child) => Err(wrong(format!("{} may not stand inside {}", child.name, self.name))),
            None => Ok(()),
        }
    }

    /// Whole seconds within a range.
    pub(super) fn seconds(&self, name: &str, range: (u64, u64)) -> Result<Option<Duration>, Error> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        let value = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        let value = value.filter(|value| (range.0..=range.1).contains(value));
        let value = value.ok_or_else(|| {
            wrong(format!("{} {name}=\"{text}\": expected {} to {} seconds", self.name, range.0, range.1))
        })?;
        Ok(Some(Duration::from_secs(value)))
    }

    /// GET or POST, in either case; POST when it is not said.
    pub(super) fn method(&self, name: &str) -> Result<Method, Error> {
        match self.get(name)? {
            None => Ok(Method::Post),
            Some(word) if word.eq_ignore_ascii_case("post") => Ok(Method::Post),
            Some(word) if word.eq_ignore_ascii_case("get") => Ok(Method::Get),
            Some(_) => Err(self.bad(name)),
        }
    }

    /// A URL with its method, resolved.
    pub(super) fn hook(&self, url: &str, method: &str, base: &Target) -> Result<Option<Hook>, Error> {
        let method = self.method(method)?;
        let Some(reference) = self.get(url)? else { return Ok(None) };
        let url = resolve(reference, base).map_err(|_| self.bad(url))?;
        Ok(Some(Hook { url, method }))
    }

    fn bad(&self, name: &str) -> Error {
        wrong(format!("the value of {} {name} cannot be used", self.name))
    }
}

/// A URL of the document as an absolute one.
pub(super) fn resolve(reference: &str, base: &Target) -> Result<Arc<str>, Error> {
    base.join(reference).map(Arc::from).map_err(|error| wrong(format!("a URL in it: {error}")))
}

/// Trimmed; `None` when a control character is left.
fn clean(value: &str) -> Option<&str> {
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    (!value.chars().any(char::is_control)).then_some(value)
}

/// A SIP URI without its headers; `sip:` is added where no scheme is written.
pub(super) fn sip_uri(text: &str) -> Result<Arc<str>, Error> {
    let bad = || wrong(format!("`{text}` is no SIP URI"));
    let usable = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    if text.len() > 1_024 || !text.chars().all(usable) {
        return Err(bad());
    }
    let lower = text.get(..5).unwrap_or(text).to_ascii_lowercase();
    let schemed = lower.starts_with("sip:") || lower.starts_with("sips:");
    let uri = if schemed { text.to_owned() } else { format!("sip:{text}") };
    let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let starts = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    // Any other scheme would now read as a user or host with a port that is no number.
    let foreign = !schemed && text.split_once(':').is_some_and(|(word, _)| !word.contains(['@', '.', '[']));
    if !starts || foreign {
        return Err(bad());
    }
    Ok(uri.into())
}

/// A telephone number without its visual separators.
pub(super) fn number(text: &str) -> Result<Arc<str>, Error> {
    let digits: String = text.chars().filter(|c| !" -.()/".contains(*c)).collect();
    let rest = digits.strip_prefix('+').unwrap_or(&digits);
    let dialable = rest.bytes().all(|b| b.is_ascii_digit() || b"*#".contains(&b));
    if rest.is_empty() || digits.len() > 32 || !dialable {
        return Err(wrong("a Number holds something that cannot be dialled"));
    }
    Ok(digits.into())
}

/// The login of a client.
pub(super) fn client(text: &str) -> Result<Arc<str>, Error> {
    // The user part of a URI (RFC 3261 25.1), so that it needs no escaping of ours.
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;/%".contains(c);
    if text.is_empty() || text.len() > 128 || !text.chars().all(usable) {
        return Err(wrong("a Client's name may hold letters, digits and -_.!~*'()&=+$,;/%"));
    }
    Ok(text.into())
}

/// What stands before the `?`, and the headers after it: `X-` ones only.
pub(super) fn with_headers(text: &str) -> Result<(&str, Vec<Header>), Error> {
    let user = text.find('@').unwrap_or(0);
    let Some(mark) = text[user..].find('?') else { return Ok((text, Vec::new())) };
    let (target, query) = (&text[..user + mark], &text[user + mark + 1..]);
    let mut headers = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        headers.push(header(name, value)?);
    }
    if headers.len() > HEADERS {
        return Err(wrong("more than 32 headers on one noun"));
    }
    Ok((target, headers))
}

fn header(name: &str, value: &str) -> Result<Header, Error> {
    let decode = |text: &str| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
        (!text.chars().any(char::is_control)).then(|| text.into_owned())
    };
    let bad = || wrong(format!("the header `{name}` on a noun cannot be used"));
    // A space beside the name is a slip of the pen, an escaped one is none.
    let (name, value) = decode(name.trim()).zip(decode(value)).ok_or_else(bad)?;
    let value = value.trim();
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if !name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-")) {
        return Err(wrong(format!("the header `{name}` on a noun: only X- headers may be added")));
    }
    if name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("X-Callgate-")) {
        return Err(wrong(format!(
            "the header `{name}` on a noun: only callgate writes X-Callgate- headers"
        )));
    }
    if !name.chars().all(token) || name.len() < 3 || name.len() + value.len() > 1_024 {
        return Err(bad());
    }
    Ok((name.into(), value.into()))
}
