//! Digest, the server's side (RFC 3261 22, RFC 7616, RFC 8760): credentials read, and held against what a
//! trunk is to prove.

use crate::call::digest::parameter;
use crate::routing::model::{DigestAlgorithm, TrunkDigest};
use crate::sip::trim;

/// The credentials of one Authorization header.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Who it says it is.
    pub username: &'a [u8],
    /// The realm they are for.
    pub realm: &'a [u8],
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The Request-URI as its sender wrote it.
    pub uri: &'a [u8],
    response: &'a [u8],
    algorithm: DigestAlgorithm,
    count: &'a [u8],
    cnonce: &'a [u8],
}

impl<'a> Proof<'a> {
    /// Reads the value of an Authorization, unfolded. `None`: another scheme or algorithm, no `qop=auth`, or
    /// a parameter is missing.
    #[must_use]
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let scheme = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case(b"Digest"))?;
        let mut rest = value[scheme.len()..].strip_prefix(b" ")?;
        let mut given: [Option<&[u8]>; 8] = [None; 8];
        let names: [&[u8]; 8] =
            [b"username", b"realm", b"nonce", b"uri", b"response", b"nc", b"cnonce", b"qop"];
        let mut algorithm = DigestAlgorithm::Md5;
        while let Some((name, value, left)) = parameter(rest) {
            rest = left;
            if name.eq_ignore_ascii_case(b"algorithm") {
                algorithm = DigestAlgorithm::called(value)?;
            }
            if let Some(at) = names.iter().position(|known| name.eq_ignore_ascii_case(known)) {
                // A second one could say something else to another reader.
                if given[at].replace(value).is_some() {
                    return None;
                }
            }
        }
        let [username, realm, nonce, uri, response, count, cnonce, qop] = given;
        let is_count = |count: &&[u8]| count.len() == 8 && count.iter().all(u8::is_ascii_hexdigit);
        qop.filter(|qop| qop.eq_ignore_ascii_case(b"auth"))?;
        Some(Self {
            username: username?,
            realm: realm?,
            nonce: nonce?,
            uri: uri?,
            response: response?,
            algorithm,
            count: count.filter(is_count)?,
            cnonce: cnonce?,
        })
    }

    /// Whether they prove `digest` for a request of this method. Takes as long wherever they differ.
    #[must_use]
    pub fn holds(&self, digest: &TrunkDigest, method: &[u8]) -> bool {
        let Some(ha1) = digest.hash(self.algorithm) else { return false };
        let ha2 = self.algorithm.hash(&[method, self.uri]);
        let parts = [ha1.as_bytes(), self.nonce, self.count, self.cnonce, b"auth", ha2.as_bytes()];
        let named = self.username == digest.username.as_bytes() && self.realm == digest.realm.as_bytes();
        same(self.algorithm.hash(&parts).as_bytes(), &self.response.to_ascii_lowercase()) && named
    }
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 3.9.1, its own numbers.
    const SHARED: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth";

    fn text(algorithm: &str, response: &str) -> String {
        format!("{SHARED}, algorithm={algorithm}, response=\"{response}\"")
    }

    fn holds(text: &str, password: &str) -> bool {
        let digest = TrunkDigest::new("Mufasa", "http-auth@example.org", password);
        Proof::read(text.as_bytes()).is_some_and(|proof| proof.holds(&digest, b"GET"))
    }

    const BY_MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
    const BY_SHA: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

    #[test]
    fn rfc_7616_3_9_1_holds_by_both_algorithms_and_for_its_password_alone() {
        for text in [text("MD5", BY_MD5), text("SHA-256", BY_SHA), text("sha-256", &BY_SHA.to_uppercase())] {
            assert!(holds(&text, "Circle of Life"), "{text}");
            assert!(!holds(&text, "Circle of life"), "{text}");
        }
        assert!(!holds(&text("SHA-256", BY_MD5), "Circle of Life"));
        assert!(!holds(&text("MD5", &BY_MD5[..31]), "Circle of Life"));
        assert!(!holds(&text("MD5", ""), "Circle of Life"));
    }

    #[test]
    fn another_name_or_a_row_without_password_is_never_proved() {
        let text = text("MD5", BY_MD5);
        let proof = Proof::read(text.as_bytes()).unwrap();
        assert!(!proof.holds(&TrunkDigest::new("Scar", "http-auth@example.org", "Circle of Life"), b"GET"));
        assert!(!proof.holds(&TrunkDigest::named("Mufasa", "http-auth@example.org"), b"GET"));
        let kept = TrunkDigest::new("Mufasa", "http-auth@example.org", "Circle of Life");
        let again = TrunkDigest::kept("Mufasa", "http-auth@example.org", &kept.hashes()).unwrap();
        assert!(proof.holds(&again, b"GET") && !proof.holds(&again, b"INVITE"));
        assert!(!format!("{kept:?}").contains(kept.hash(DigestAlgorithm::Md5).unwrap()));
    }

    #[test]
    fn what_is_doubtful_is_no_proof() {
        for text in [
            text("SHA-512", BY_SHA),
            text("MD5", BY_MD5).replace("qop=auth", "qop=auth-int"),
            text("MD5", BY_MD5).replace(", qop=auth", ""),
            text("MD5", BY_MD5).replace("00000001", "1"),
            text("MD5", BY_MD5).replace("cnonce", "x"),
            format!("{}, username=\"other\"", text("MD5", BY_MD5)),
            text("MD5", BY_MD5).replace("Digest", "Basic"),
        ] {
            assert!(Proof::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
