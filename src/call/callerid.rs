//! Whose number a target is shown, and the URIs of `<Number>` and `<Client>`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::call::desk::Provision;
use crate::call::facts::CallFacts;
use crate::routing::model::{CallerIdFormat, Gateway, Trunk};
use crate::sip::{NameAddr, Uri, Writer};

/// Whether `callerId` may be shown: it is the caller's From, or a number of the account.
pub(super) fn may_show(now: &dyn Provision, facts: &CallFacts, id: &str) -> bool {
    let plain = |text: &str| text.strip_prefix('+').unwrap_or(text).to_owned();
    let own = plain(&facts.from) == plain(id) && &*facts.from != "anonymous";
    let spellings = [id.to_owned(), format!("+{}", plain(id)), plain(id)];
    own || spellings.iter().any(|number| now.owns(facts.account, number))
}

/// The caller id of a `<Number>`: what the Dial says, else the caller's own, else the account's main
/// number, else the one that was dialled, which is the account's; in the gateway's spelling.
pub(super) fn toward(
    now: &dyn Provision,
    facts: &CallFacts,
    trunk: &Trunk,
    gateway: &Gateway,
    wanted: Option<Arc<str>>,
) -> Arc<str> {
    let dialled = || Some(facts.number_text.clone()).filter(|number| is_number(number));
    let main = || now.main_number(facts.account).filter(|number| is_number(number)).or_else(dialled);
    let shown = match wanted {
        Some(wanted) => wanted,
        None if gateway.own_caller_id => main().unwrap_or_else(|| "anonymous".into()),
        None if is_number(&facts.from) => facts.from.clone(),
        None => main().unwrap_or_else(|| "anonymous".into()),
    };
    spell(&shown, gateway.caller_id_format, &trunk.numbers.country_code, &trunk.numbers.national_prefix)
}

/// The caller id toward an emergency gateway: always the caller's own, in the gateway's spelling.
/// `None`: its From as it came.
pub(super) fn for_help(facts: &CallFacts, trunk: &Trunk, gateway: &Gateway) -> Option<Arc<str>> {
    let numbers = &trunk.numbers;
    let own = Some(&*facts.from).filter(|from| is_number(from))?;
    Some(spell(own, gateway.caller_id_format, &numbers.country_code, &numbers.national_prefix))
}

/// `sip:<name>@<registrar>`, the registrar's port and parameters kept.
pub(super) fn client_uri(registrar: &str, name: &str) -> Option<Arc<[u8]>> {
    let text = registrar.as_bytes();
    // Without <> a `;` would end the URI in a header (20.10); a stored URI keeps its parameters.
    let bracketed = NameAddr::parse(text).filter(|_| text.contains(&b'<'));
    let uri = Uri::parse(bracketed.map_or(text, |address| address.uri))?;
    if !uri.is_sip() {
        return None;
    }
    let mut out = Vec::with_capacity(64);
    let mut writer = Writer::append(&mut out);
    writer.bytes(if uri.raw[3] == b':' { b"sip:".as_slice() } else { b"sips:" });
    writer.user(name.as_bytes()).bytes(b"@").bytes(uri.host);
    if let Some(port) = uri.port {
        writer.bytes(b":").number(port.into());
    }
    writer.bytes(uri.params.as_bytes());
    Some(out.into())
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn spell(number: &str, format: CallerIdFormat, country: &str, national: &str) -> Arc<str> {
    let full = match number.strip_prefix('+') {
        Some(digits) => Some(Cow::Borrowed(digits)),
        None => full_length(number, country, national),
    };
    let Some(digits) = full else { return number.into() };
    match format {
        CallerIdFormat::PlusE164 => format!("+{digits}").into(),
        CallerIdFormat::E164 => (*digits).into(),
        CallerIdFormat::National => match digits.strip_prefix(country) {
            // The North American plan dials ten digits with or without its prefix; others need theirs.
            Some(rest) if country == "1" => rest.into(),
            Some(rest) => format!("{national}{rest}").into(),
            None => (*digits).into(),
        },
    }
}

/// A number without `+` in E.164, as far as that can be told: it is already, or it is as the country's
/// people dial it. What is shorter is somebody's extension.
fn full_length<'n>(number: &'n str, country: &str, national: &str) -> Option<Cow<'n, str>> {
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if country == "1" && number.len() == 10 {
        // Neither an area nor an exchange of the North American plan begins with 0 or 1.
        return (number.as_bytes()[0] > b'1').then(|| format!("1{number}").into());
    }
    if number.starts_with(country) && number.len() > 10 {
        return Some(number.into());
    }
    let significant = number.strip_prefix(national).filter(|_| country != "1" && !national.is_empty())?;
    (significant.len() >= 7 && !significant.starts_with('0'))
        .then(|| format!("{country}{significant}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_ids_are_spelled_as_the_gateway_wants() {
        let spell = |number, format| spell(number, format, "1", "1").to_string();
        assert_eq!(spell("+16508251255", CallerIdFormat::E164), "16508251255");
        assert_eq!(spell("+16508251255", CallerIdFormat::PlusE164), "+16508251255");
        assert_eq!(spell("16508251255", CallerIdFormat::PlusE164), "+16508251255");
        assert_eq!(spell("+16508251255", CallerIdFormat::National), "6508251255");
        assert_eq!(spell("1234", CallerIdFormat::PlusE164), "1234");
        assert_eq!(spell("5551234567", CallerIdFormat::PlusE164), "+15551234567");
        assert_eq!(spell("0551234567", CallerIdFormat::PlusE164), "0551234567");
        let german = |number, format| super::spell(number, format, "49", "0").to_string();
        assert_eq!(german("0301234567", CallerIdFormat::PlusE164), "+49301234567");
        assert_eq!(german("0301234567", CallerIdFormat::National), "0301234567");
        assert_eq!(german("00441234567", CallerIdFormat::PlusE164), "00441234567");
        assert_eq!(german("030123", CallerIdFormat::PlusE164), "030123");
        assert_eq!(super::spell("+4930123456", CallerIdFormat::National, "49", "0").to_string(), "030123456");
    }

    #[test]
    fn a_client_takes_the_registrars_place() {
        let uri = client_uri("sip:reg.example.com:5070;transport=tcp", "alice smith").expect("a URI");
        assert_eq!(&*uri, b"sip:alice%20smith@reg.example.com:5070;transport=tcp");
        assert!(client_uri("tel:+1", "alice").is_none());
    }
}
