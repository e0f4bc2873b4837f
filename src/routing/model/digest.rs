//! The hashes of digest (RFC 8760), and what a trunk proves itself by where its address is not enough.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// How a digest is made; the better one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    /// `MD5`: what every telephone knows.
    Md5,
    /// `SHA-256`: offered first (RFC 8760 2.4).
    Sha256,
}

impl DigestAlgorithm {
    /// The one of this name, in any case; `None`: one that is not served.
    #[must_use]
    pub const fn called(name: &[u8]) -> Option<Self> {
        match name {
            name if name.eq_ignore_ascii_case(b"MD5") => Some(Self::Md5),
            name if name.eq_ignore_ascii_case(b"SHA-256") => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The hash of the parts with colons between them, in hex.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Self::Md5 => hex(&Md5::digest(&text)),
            Self::Sha256 => hex(&Sha256::digest(&text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Whom a trunk is challenged to be. The password itself is kept nowhere. `Debug` shows no hash.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkDigest {
    /// The user name; no two trunks that could be mistaken for one another have the same.
    pub username: Arc<str>,
    /// The realm of the challenge.
    pub realm: Arc<str>,
    /// `username:realm:password` hashed, in hex, by MD5 and SHA-256; empty: nothing proves it.
    hashes: [Box<str>; 2],
}

impl std::fmt::Debug for TrunkDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrunkDigest")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl TrunkDigest {
    /// One that nothing proves.
    #[must_use]
    pub fn named(username: &str, realm: &str) -> Self {
        Self { username: username.into(), realm: realm.into(), hashes: Default::default() }
    }

    /// One that this password proves.
    #[must_use]
    pub fn new(username: &str, realm: &str, password: &str) -> Self {
        let parts = [username.as_bytes(), realm.as_bytes(), password.as_bytes()];
        let hashes = [DigestAlgorithm::Md5, DigestAlgorithm::Sha256].map(|by| by.hash(&parts).into());
        Self { hashes, ..Self::named(username, realm) }
    }

    /// The hashes as a row keeps them, sealed.
    #[must_use]
    pub fn hashes(&self) -> String {
        self.hashes.join(" ")
    }

    /// One whose row keeps these.
    #[must_use]
    pub fn kept(username: &str, realm: &str, hashes: &str) -> Option<Self> {
        let (md5, sha256) = hashes.split_once(' ')?;
        Some(Self { hashes: [md5.into(), sha256.into()], ..Self::named(username, realm) })
    }

    /// The hash by this algorithm; `None`: nothing proves it.
    #[must_use]
    pub fn hash(&self, by: DigestAlgorithm) -> Option<&str> {
        let hash = &self.hashes[usize::from(by == DigestAlgorithm::Sha256)];
        (!hash.is_empty()).then_some(hash)
    }
}
