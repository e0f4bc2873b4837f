//! What a stored URL may be, and what is worth a warning.

use std::net::Ipv4Addr;

use url::{Host, Url};

use super::error::ServiceError;
use crate::outbound::Guard;

/// The longest URL that is stored.
const LONGEST: usize = 2_000;

/// Checks one URL of an application: http or https, or relative to the organization's base. Pushes a
/// warning for a literal private address: the write stands, the connection will be refused.
pub(super) fn check(
    field: &'static str,
    value: Option<&str>,
    guard: &Guard,
    warnings: &mut Vec<String>,
) -> Result<(), ServiceError> {
    let Some(text) = value else { return Ok(()) };
    if text.len() > LONGEST {
        return Err(ServiceError::field(field, format!("is longer than {LONGEST} characters")));
    }
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(ServiceError::field(field, "holds spaces or control characters: escape them with %"));
    }
    let base = Url::parse("https://relative.invalid").expect("a constant URL");
    let url = Url::options().base_url(Some(&base)).parse(text).map_err(|error| {
        ServiceError::field(field, format!("is no URL ({error}): use https://host/path or /path"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ServiceError::field(
            field,
            format!("has the scheme {}: use http or https", url.scheme()),
        ));
    }
    if let Some(budget) = url.fragment().and_then(|fragment| fragment.strip_prefix("tt="))
        && !budget.parse::<u32>().is_ok_and(|ms| (1..=15_000).contains(&ms))
    {
        return Err(ServiceError::field(field, format!("ends in #tt={budget}: use 1 to 15000 milliseconds")));
    }
    if is_refused(url.host(), guard) {
        warnings.push(format!(
            "{field} leads to the private address {}, which is refused at call time unless webhook.allow-private-addresses allows it",
            url.host_str().unwrap_or_default()
        ));
    }
    Ok(())
}

/// Whether a host is a literal address that the guard refuses, in any notation (`url` has read
/// `0x7f.1` and `[::ffff:10.0.0.1]` already), or is `localhost`.
fn is_refused(host: Option<Host<&str>>, guard: &Guard) -> bool {
    match host {
        Some(Host::Ipv4(address)) => !guard.allows(address.into()),
        Some(Host::Ipv6(address)) => !guard.allows(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            (name == "localhost" || name.ends_with(".localhost")) && !guard.allows(Ipv4Addr::LOCALHOST.into())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::AllowPrivate;

    fn warnings(url: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        check("voice_url", Some(url), &Guard::default(), &mut warnings).unwrap();
        warnings
    }

    #[test]
    fn absolute_and_relative_urls_pass() {
        for url in
            ["https://example.org/voice?x=1#tt=8000", "http://user:pw@example.org:8080/", "/demos/hello.xml"]
        {
            assert_eq!(warnings(url), Vec::<String>::new(), "{url}");
        }
    }

    #[test]
    fn private_addresses_in_every_notation_are_warned_of() {
        for url in [
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://10.1.2.3/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest",
            "http://localhost:3000/",
            "http://100.64.0.1/",
            "http://[fd00::1]/",
        ] {
            assert_eq!(warnings(url).len(), 1, "{url}");
        }
        let mut none = Vec::new();
        check("voice_url", Some("http://127.0.0.1/"), &Guard::new(AllowPrivate::All), &mut none).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_refusal_names_the_field_and_the_fix() {
        for (url, expected) in [
            ("ftp://example.org/", "voice_url has the scheme ftp: use http or https"),
            ("https://example.org/#tt=99999", "voice_url ends in #tt=99999: use 1 to 15000 milliseconds"),
            ("https://exa mple.org/", "voice_url holds spaces or control characters: escape them with %"),
        ] {
            let error = check("voice_url", Some(url), &Guard::default(), &mut Vec::new()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert!(check("voice_url", Some("https://[::1/"), &Guard::default(), &mut Vec::new()).is_err());
    }
}
