//! A stored URL, read into what is dialled, what is sent and what is signed.
//!
//! The text stays as it was stored wherever it is legal, since applications compare and sign it;
//! only octets that no request line may hold are escaped. The host alone is normalised, by the WHATWG
//! rules, so that every notation of an address comes out as that address before the guard sees it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::{Host, Url};

/// A text that cannot be requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Neither `http://` nor `https://`.
    #[error("only http and https URLs with a host can be requested")]
    Scheme,
    /// A control character, space, quote or backslash where none may be.
    #[error("the URL holds a character that is not allowed there")]
    Character,
    /// The host or the port.
    #[error("the URL's host is missing or malformed")]
    Host,
    /// Zero, out of range or reserved for a protocol that HTTP must not be sent to.
    #[error("the URL's port cannot be used for HTTP")]
    Port,
    /// A relative URL and nothing to resolve it against.
    #[error("the relative URL cannot be resolved")]
    Relative,
}

/// A URL ready to be requested. `Debug` and `Display` hide the userinfo.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub(super) tls: bool,
    /// The host as names and certificates know it: no brackets, normalised.
    pub(super) host: Arc<str>,
    /// The port that is dialled.
    pub(super) port: u16,
    /// Scheme, host and port as written, without userinfo: `https://example.com:8443`.
    base: String,
    /// Path and query as sent; begins with `/`.
    path: String,
    /// `Basic …`, from the userinfo.
    pub(super) authorization: Option<String>,
    /// The fragment, never sent.
    fragment: Option<String>,
    userinfo: Option<String>,
    /// What the breaker and the limit in flight count by.
    key: Arc<str>,
}

impl Target {
    /// Reads a URL as stored; a relative one is resolved against `base`.
    ///
    /// # Errors
    /// [`BadUrl`], which says what is wrong with it.
    pub fn parse(stored: &str, base: Option<&str>) -> Result<Self, BadUrl> {
        let stored = stored.trim_matches([' ', '\t', '\r', '\n']);
        if stored.chars().any(char::is_control) {
            return Err(BadUrl::Character);
        }
        match scheme(stored) {
            Some("http" | "https") => Self::absolute(stored),
            Some(_) => Err(BadUrl::Scheme),
            None => Self::absolute(&resolve(stored, base)?),
        }
    }

    /// Resolves a URL found in an answer of this target: an absolute text, the fragment kept.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn join(&self, reference: &str) -> Result<String, BadUrl> {
        match scheme(reference) {
            Some("http" | "https") => Self::parse(reference, None).map(|_| reference.trim().to_owned()),
            Some(_) => Err(BadUrl::Scheme),
            None => resolve(reference, Some(&self.whole())),
        }
    }

    /// The URL that is requested and signed: without userinfo and fragment, no default port added.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    /// The URL without its query.
    pub(super) fn without_query(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(path, _)| path)
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Host and port as written, for the Host header.
    pub(super) fn authority(&self) -> &str {
        self.base.split_once("://").map_or(&self.base, |(_, authority)| authority)
    }

    pub(super) fn path_and_query(&self) -> &str {
        &self.path
    }

    /// The query without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }

    /// What the breaker and the limit in flight count by: the URL without its query.
    #[must_use]
    pub fn key(&self) -> Arc<str> {
        self.key.clone()
    }

    /// `#tt=8000`: this URL's share of the budget, 100 ms to 15 s.
    #[must_use]
    pub fn share(&self) -> Option<Duration> {
        let fragment = self.fragment.as_deref()?;
        let millis = fragment.split('&').find_map(|item| item.strip_prefix("tt="))?;
        millis.parse::<u64>().ok().map(|millis| Duration::from_millis(millis.clamp(100, 15_000)))
    }

    /// Whether two targets share scheme, host and port, and so may share credentials.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    fn whole(&self) -> String {
        let Some(userinfo) = &self.userinfo else { return self.url() };
        let (scheme, rest) = self.base.split_once("://").expect("a base holds a scheme");
        format!("{scheme}://{userinfo}@{rest}{}", self.path)
    }

    fn absolute(text: &str) -> Result<Self, BadUrl> {
        let (text, fragment) = match text.split_once('#') {
            Some((text, fragment)) => (text, Some(fragment.to_owned())),
            None => (text, None),
        };
        let (scheme, rest) = text.split_once(':').ok_or(BadUrl::Scheme)?;
        let rest = rest.strip_prefix("//").ok_or(BadUrl::Scheme)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains(['\\', ' ']) {
            return Err(BadUrl::Character);
        }
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        let tls = scheme.eq_ignore_ascii_case("https");
        let (host, port) = host_and_port(host_port, tls)?;
        // An empty query says nothing, and those who check signatures do not see it.
        let empty_query = path.find('?') == path.len().checked_sub(1);
        let path = escape(if empty_query { path.trim_end_matches('?') } else { path })?;
        let base = format!("{}://{}", scheme.to_ascii_lowercase(), written(host_port, &host));
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        let key = format!("{base}{}", path.split_once('?').map_or(&*path, |(path, _)| path)).into();
        Ok(Self {
            tls,
            base,
            host: host.into(),
            port,
            path,
            key,
            authorization: userinfo.map(basic).transpose()?,
            fragment,
            userinfo: userinfo.map(str::to_owned),
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.base, self.without_query())
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({self})")
    }
}

/// A stored URL without userinfo, query and fragment: fit for a log.
#[must_use]
pub fn without_secrets(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let authority = url.find("://").map_or(0, |at| at + 3);
    let slash = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    match url[authority..slash].rfind('@') {
        Some(_) => "(a URL with credentials)",
        None => url,
    }
}

/// The scheme in lower case, where there is one before any `/`, `?` or `#`.
fn scheme(text: &str) -> Option<&'static str> {
    let end = text.find([':', '/', '?', '#'])?;
    let name = &text[..end];
    let named = text[end..].starts_with(':')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    named.then(|| match () {
        () if name.eq_ignore_ascii_case("http") => "http",
        () if name.eq_ignore_ascii_case("https") => "https",
        () => "other",
    })
}

fn resolve(reference: &str, base: Option<&str>) -> Result<String, BadUrl> {
    if reference.contains('\\') || reference.chars().any(char::is_control) {
        return Err(BadUrl::Character);
    }
    let base = base.and_then(|base| Url::parse(base).ok()).ok_or(BadUrl::Relative)?;
    base.join(reference).map(String::from).map_err(|_| BadUrl::Relative)
}

/// Ports of protocols that can be talked into acting on an HTTP request (the Fetch standard's list,
/// as far as it is about services, and 0).
const REFUSED_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
];

fn host_and_port(text: &str, tls: bool) -> Result<(String, u16), BadUrl> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']').ok_or(BadUrl::Host)?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or(BadUrl::Host)?),
            };
            (&text[..inner.len() + 2], port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    // Percent-escapes in a host have no use but to hide it; a zone names one of our own interfaces.
    if host.is_empty() || host.contains(['%', '\\', ' ']) {
        return Err(BadUrl::Host);
    }
    let host = match Host::parse(host).map_err(|_| BadUrl::Host)? {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            // A name with an empty label is nobody's.
            if name.split('.').any(str::is_empty) {
                return Err(BadUrl::Host);
            }
            name.to_owned()
        }
        Host::Ipv4(v4) => v4.to_string(),
        Host::Ipv6(v6) => v6.to_string(),
    };
    let port = match port {
        None | Some("") => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map_err(|_| BadUrl::Port)?
        }
        Some(_) => return Err(BadUrl::Port),
    };
    if host.is_empty() {
        return Err(BadUrl::Host);
    }
    if REFUSED_PORTS.binary_search(&port).is_ok() {
        return Err(BadUrl::Port);
    }
    Ok((host, port))
}

/// The authority as sent: as written where it is ASCII, else the normalised host.
fn written(host_port: &str, host: &str) -> String {
    if host_port.is_ascii() {
        return host_port.to_owned();
    }
    match host_port.rsplit_once(':') {
        Some((_, port)) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Escapes what no request line may hold; refuses what nobody means.
fn escape(path: &str) -> Result<String, BadUrl> {
    if path.contains('\\') {
        return Err(BadUrl::Character);
    }
    let illegal =
        |b: u8| !b.is_ascii_graphic() || matches!(b, b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'^');
    if !path.bytes().any(illegal) {
        return Ok(path.to_owned());
    }
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if illegal(byte) {
            out.push_str(percent_encoding::percent_encode_byte(byte));
        } else {
            out.push(byte.into());
        }
    }
    Ok(out)
}

fn basic(userinfo: &str) -> Result<String, BadUrl> {
    let plain: Vec<u8> = percent_encoding::percent_decode_str(userinfo).collect();
    if plain.iter().any(u8::is_ascii_control) {
        return Err(BadUrl::Character);
    }
    let whole = if userinfo.contains(':') { plain } else { [plain.as_slice(), b":"].concat() };
    Ok(format!("Basic {}", BASE64_STANDARD.encode(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Target {
        Target::parse(text, None).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_is_sent_as_it_was_stored() {
        for (stored, sent) in [
            ("https://Example.com/a?x=1&y=%20b", "https://Example.com/a?x=1&y=%20b"),
            ("https://example.com", "https://example.com/"),
            ("https://example.com/?", "https://example.com/"),
            ("https://example.com/?a=b?", "https://example.com/?a=b?"),
            ("https://example.com/??", "https://example.com/??"),
            ("https://example.com:443/v", "https://example.com:443/v"),
            ("http://example.com:8080?x=1#frag", "http://example.com:8080/?x=1"),
            ("HTTP://user:secret@example.com/v#tt=8000", "http://example.com/v"),
            ("http://example.com/a/../b;c", "http://example.com/a/../b;c"),
            ("http://example.com/naïve way", "http://example.com/na%C3%AFve%20way"),
            ("http://bücher.example:81/x", "http://xn--bcher-kva.example:81/x"),
        ] {
            assert_eq!(read(stored).url(), sent);
        }
    }

    #[test]
    fn userinfo_becomes_basic_and_shows_nowhere() {
        let target = read("https://user:p%40ss@example.com/v?token=t");
        assert_eq!(target.authorization.as_deref(), Some("Basic dXNlcjpwQHNz"));
        let shown = format!("{target} {target:?}");
        assert!(!shown.contains("p%40ss") && !shown.contains("token"), "{shown}");
    }

    #[test]
    fn the_fragment_gives_this_url_a_share_of_the_budget() {
        let share = |text: &str| read(text).share();
        assert_eq!(share("http://e.com/#tt=8000"), Some(Duration::from_secs(8)));
        assert_eq!(share("http://e.com/#rc=2&tt=99999"), Some(Duration::from_secs(15)));
        assert_eq!(share("http://e.com/#tt=soon"), None);
        assert_eq!(share("http://e.com/"), None);
    }

    #[test]
    fn every_notation_of_an_address_comes_out_as_that_address() {
        for (text, host) in [
            ("127.1", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("①②⑦.⓪.⓪.①", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("LOCALHOST", "localhost"),
            ("localhost.", "localhost"),
            ("good.example@127.0.0.1", "127.0.0.1"),
            ("127.0.0.1#@good.example", "127.0.0.1"),
        ] {
            assert_eq!(&*read(&format!("http://{text}/")).host, host, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_requested_is_refused() {
        for text in [
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_x",
            "ftp://x/",
            "mailto:x@y",
            "javascript:alert(1)",
            "http://good.example\\@127.0.0.1/",
            "http://good.example:80:80/",
            "http:///x",
            "http://",
            "http:/x",
            "https:/x/://good.example/",
            "/x",
            "//127.0.0.1/",
            "http://good.example:22/",
            "http://good.example:5060/",
            "http://%31%32%37.0.0.1/",
            "http://good.example/\r\nX-Evil: 1",
            "HTTP://GOOD.EXAMPLE:0/",
            "http://good.example:65536/",
            "http://[fe80::1%25lo]/",
            "http://[::1",
            "http://a b/",
            "http://good.example../",
            "http://good..example/",
            "http://x\\y/",
            "http://u\u{7f}@x/",
            "",
        ] {
            assert!(Target::parse(text, None).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_list_of_refused_ports_is_sorted() {
        assert!(REFUSED_PORTS.is_sorted());
    }

    #[test]
    fn relative_urls_resolve_against_the_organization_and_the_document() {
        let target = Target::parse("/voice.xml?a=1", Some("https://acme.example")).unwrap();
        assert_eq!(target.url(), "https://acme.example/voice.xml?a=1");
        let document = read("http://user:pw@app.example:8080/calls/in?x=1");
        assert_eq!(
            document.join("next#tt=900").unwrap(),
            "http://user:pw@app.example:8080/calls/next#tt=900"
        );
        assert_eq!(document.join("https://b.example/x?y#z").unwrap(), "https://b.example/x?y#z");
        assert!(document.join("sip:alice@example.com").is_err());
    }

    #[test]
    fn a_logged_url_holds_no_secret() {
        for (url, logged) in [
            ("https://a.example/voice?token=s3cret#tt=9", "https://a.example/voice"),
            ("https://user:s3cret@a.example/voice", "(a URL with credentials)"),
            ("/voice?x=user@b", "/voice"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(without_secrets(url), logged);
        }
    }
}
