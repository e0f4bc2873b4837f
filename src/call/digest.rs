//! Digest, the client's side (RFC 3261 22, RFC 7616, RFC 8760): a challenge read, and its answer.

use crate::call::instructions::Credentials;
use crate::routing::model::DigestAlgorithm as Algorithm;
use crate::sip::{Writer, trim};

/// One challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub realm: Box<[u8]>,
    pub nonce: Box<[u8]>,
    pub opaque: Option<Box<[u8]>>,
    pub algorithm: Algorithm,
    /// `qop="auth"` is offered; without it the answer is RFC 2069's.
    pub qop: bool,
    /// The last answer was right but for its nonce.
    pub stale: bool,
    /// Whether the algorithm was named: it is named back then.
    named: bool,
}

impl Challenge {
    /// Reads the value of a WWW-Authenticate or Proxy-Authenticate. `None`: another scheme, an
    /// algorithm or quality of protection that is not served, or no nonce.
    pub fn read(value: &[u8]) -> Option<Self> {
        let value = trim(value);
        let scheme = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case(b"Digest"))?;
        let mut rest = value[scheme.len()..].strip_prefix(b" ")?;
        let (mut realm, mut nonce, mut opaque, mut qop, mut stale) = (None, None, None, None, false);
        let (mut algorithm, mut named) = (Algorithm::Md5, false);
        while let Some((name, value, left)) = parameter(rest) {
            rest = left;
            match name.to_ascii_lowercase().as_slice() {
                b"realm" => realm = Some(value),
                b"nonce" => nonce = Some(value),
                b"opaque" => opaque = Some(value),
                b"qop" => qop = Some(value),
                b"stale" => stale = value.eq_ignore_ascii_case(b"true"),
                b"algorithm" => {
                    named = true;
                    algorithm = Algorithm::called(value)?;
                }
                _ => {}
            }
        }
        let is_auth = |qop: &[u8]| trim(qop).eq_ignore_ascii_case(b"auth");
        let qop = match qop {
            None => false,
            Some(offered) => offered.split(|byte| *byte == b',').any(is_auth).then_some(true)?,
        };
        let (realm, nonce) = (realm?.into(), nonce?.into());
        Some(Self { realm, nonce, opaque: opaque.map(Into::into), algorithm, qop, stale, named })
    }

    /// Writes the value that answers it: `Digest username=…`. `count`: how often this nonce has been
    /// used, this time included.
    pub fn answer(
        &self,
        writer: &mut Writer<'_>,
        credentials: &Credentials,
        (method, uri): (&[u8], &[u8]),
        count: u32,
        cnonce: u64,
    ) {
        let (count, cnonce) = (format!("{count:08x}"), format!("{cnonce:016x}"));
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let ha1 = hash(&[credentials.username.as_bytes(), &self.realm, credentials.password.as_bytes()]);
        let ha2 = hash(&[method, uri]);
        let response = match self.qop {
            true => {
                let (count, cnonce) = (count.as_bytes(), cnonce.as_bytes());
                hash(&[ha1.as_bytes(), &self.nonce, count, cnonce, b"auth", ha2.as_bytes()])
            }
            false => hash(&[ha1.as_bytes(), &self.nonce, ha2.as_bytes()]),
        };
        writer.bytes(b"Digest username=\"").text(&escaped(&credentials.username)).bytes(b"\", realm=\"");
        writer.bytes(&self.realm).bytes(b"\", nonce=\"").bytes(&self.nonce);
        writer
            .bytes(b"\", uri=\"")
            .bytes(uri)
            .bytes(b"\", response=\"")
            .bytes(response.as_bytes())
            .bytes(b"\"");
        if self.named {
            let name: &[u8] = match self.algorithm {
                Algorithm::Md5 => b", algorithm=MD5",
                Algorithm::Sha256 => b", algorithm=SHA-256",
            };
            writer.bytes(name);
        }
        if let Some(opaque) = &self.opaque {
            writer.bytes(b", opaque=\"").bytes(opaque).bytes(b"\"");
        }
        if self.qop {
            writer.bytes(b", qop=auth, nc=").bytes(count.as_bytes());
            writer.bytes(b", cnonce=\"").bytes(cnonce.as_bytes()).bytes(b"\"");
        }
    }
}

/// The next `name=value` of a comma-separated list, the quotes taken off and what they escape kept.
pub(super) fn parameter(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
    let bytes = &bytes[start..];
    let equals = memchr::memchr(b'=', bytes)?;
    let (name, value) = (trim(&bytes[..equals]), &bytes[equals + 1..]);
    let skip = value.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
    let value = &value[skip..];
    if value.first() != Some(&b'"') {
        let end = memchr::memchr(b',', value).unwrap_or(value.len());
        return Some((name, trim(&value[..end]), &value[end..]));
    }
    let mut at = 1;
    while *value.get(at)? != b'"' {
        at += 1 + usize::from(value[at] == b'\\');
    }
    Some((name, &value[1..at], &value[at + 1..]))
}

fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mufasa() -> Credentials {
        Credentials { username: "Mufasa".into(), password: "Circle of Life".into(), realm: None }
    }

    fn answer(challenge: &str, credentials: &Credentials) -> String {
        let challenge = Challenge::read(challenge.as_bytes()).expect("a challenge");
        let mut out = Vec::new();
        let request = (b"GET".as_slice(), b"/dir/index.html".as_slice());
        challenge.answer(&mut Writer::append(&mut out), credentials, request, 1, 0x0a4f_113b);
        String::from_utf8(out).expect("text")
    }

    /// What OpenSSL makes of the same text: `printf %s "$1" | openssl dgst -md5`.
    fn md5(text: &str) -> String {
        Algorithm::Md5.hash(&[text.as_bytes()])
    }

    #[test]
    fn rfc_7616_3_9_1_by_both_algorithms() {
        let shared = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                      nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        // The RFC's own vectors, their cnonce in place of ours.
        let response = |algorithm: &str| {
            let text = format!("{shared}, algorithm={algorithm}");
            let challenge = Challenge::read(text.as_bytes()).expect("a challenge");
            let ha1 = challenge.algorithm.hash(&[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
            let ha2 = challenge.algorithm.hash(&[b"GET", b"/dir/index.html"]);
            let cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            challenge.algorithm.hash(&[
                ha1.as_bytes(),
                &challenge.nonce,
                b"00000001",
                cnonce,
                b"auth",
                ha2.as_bytes(),
            ])
        };
        assert_eq!(response("MD5"), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(response("SHA-256"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn an_answer_names_what_the_challenge_named_and_no_password() {
        let text = answer(
            "Digest realm=\"pbx\",nonce=\"n\", algorithm=SHA-256 , qop=\"auth\",opaque=\"o\"",
            &mufasa(),
        );
        for part in ["algorithm=SHA-256", "qop=auth, nc=00000001", "opaque=\"o\"", "uri=\"/dir/index.html\""]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("Circle"), "{text}");
        let old = answer("Digest realm=\"pbx\", nonce=\"n\"", &mufasa());
        let (ha1, ha2) = (md5("Mufasa:pbx:Circle of Life"), md5("GET:/dir/index.html"));
        assert!(old.ends_with(&format!("response=\"{}\"", md5(&format!("{ha1}:n:{ha2}")))), "{old}");
    }

    #[test]
    fn quotes_in_names_stay_inside_theirs() {
        let credentials = Credentials { username: "a\", realm=\"x".into(), ..mufasa() };
        let text = answer("Digest realm=\"p\\\"b\", nonce=\"n, realm=\\\"y\"", &credentials);
        assert!(
            text.starts_with(r#"Digest username="a\", realm=\"x", realm="p\"b", nonce="n, realm=\"y""#),
            "{text}"
        );
    }

    #[test]
    fn what_cannot_be_answered_is_none() {
        for text in [
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
            "Digest realm=\"x\", nonce=\"y",
            "Digest",
            "",
        ] {
            assert_eq!(Challenge::read(text.as_bytes()), None, "{text}");
        }
    }
}
