//! Secrets at rest: sealed with ChaCha20-Poly1305 under a key file that only its owner may read.
//!
//! The file has one key a line, `ID BASE64`; the first line seals, the others still open, so that a
//! key is rotated by writing a new first line. A sealed secret reads `v1.ID.BASE64(nonce, box)` and
//! is bound to the row and column it belongs to: moved elsewhere it does not open.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

/// A secret as it stands in a column. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub String);

/// What stands before a secret that is still to be sealed; no column takes it.
const CLEAR: &str = "clear:";

impl Sealed {
    /// A secret that is still to be sealed.
    #[must_use]
    pub fn clear(secret: &str) -> Self {
        Self(format!("{CLEAR}{secret}"))
    }

    /// The secret, where it is still to be sealed.
    #[must_use]
    pub fn as_clear(&self) -> Option<&str> {
        self.0.strip_prefix(CLEAR)
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Why a secret could not be sealed or opened, or the key file not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file cannot be read or made.
    #[error("the key file {path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("the key file {path} may be read by others: chmod 600 it")]
    Open {
        /// Which.
        path: PathBuf,
    },
    /// A line is none.
    #[error("the key file {path}, line {line}: expected an id and 32 bytes in base64")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// No key of the file sealed it.
    #[error("the secret was sealed with key `{0}`, which the key file does not have")]
    UnknownKey(String),
    /// It was changed, or belongs to another row.
    #[error("a sealed secret does not open: it was changed, or belongs to another row")]
    Forged,
    /// A webhook secret has another form.
    #[error("the webhook secret is none: use whsec_ and 24 to 64 bytes in base64, or have one made")]
    NoWebhookSecret,
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
}

/// The keys of the key file.
pub struct Vault {
    keys: Vec<Key>,
    random: SystemRandom,
}

struct Key {
    id: String,
    aead: LessSafeKey,
    lookup: hmac::Key,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Vault {
    /// Reads the key file; makes it, 0600, where it is not there.
    ///
    /// # Errors
    /// It cannot be read or made, others may read it, or a line is no key.
    pub fn open(path: &Path) -> Result<Self, SecretError> {
        let file_error = |source| SecretError::File { path: path.to_owned(), source };
        if !path.try_exists().map_err(file_error)? {
            let text = new_key()?;
            write_private(path, &text).map_err(file_error)?;
        }
        let mode = std::fs::metadata(path).map_err(file_error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(SecretError::Open { path: path.to_owned() });
        }
        Self::of_text(&std::fs::read_to_string(path).map_err(file_error)?, path)
    }

    fn of_text(text: &str, path: &Path) -> Result<Self, SecretError> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let keys: Result<Vec<Key>, SecretError> = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| read_key(line).ok_or(SecretError::Line { path: path.to_owned(), line: at }))
            .collect();
        let keys = keys?;
        if keys.is_empty() {
            return Err(SecretError::Line { path: path.to_owned(), line: 1 });
        }
        Ok(Self { keys, random: SystemRandom::new() })
    }

    /// Seals `secret` for `place`, as `accounts.auth_token:` and the row's id.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<Sealed, SecretError> {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SecretError::Random)?;
        let mut sealed = secret.to_vec();
        key.aead
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| SecretError::Random)?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut sealed);
        Ok(Sealed(format!("v1.{}.{}", key.id, BASE64.encode(bytes))))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// The key is not there any more, or it was changed or moved.
    pub fn open_sealed(&self, place: &str, sealed: &Sealed) -> Result<Vec<u8>, SecretError> {
        let mut parts = sealed.0.splitn(3, '.');
        let (Some("v1"), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SecretError::Forged);
        };
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| SecretError::UnknownKey(id.to_owned()))?;
        let mut bytes = BASE64.decode(text).map_err(|_| SecretError::Forged)?;
        let (nonce, boxed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(SecretError::Forged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretError::Forged)?;
        let opened = key.aead.open_in_place(nonce, Aad::from(place.as_bytes()), boxed);
        opened.map(|secret| secret.to_vec()).map_err(|_| SecretError::Forged)
    }

    /// What a token is looked up by: a keyed hash, so that the table alone does not let anybody
    /// try guesses. The first is by the sealing key, the others by the keys being rotated out.
    #[must_use]
    pub fn lookups(&self, token: &str) -> Vec<String> {
        self.keys.iter().map(|key| hex(hmac::sign(&key.lookup, token.as_bytes()).as_ref())).collect()
    }

    /// Whether `sealed` was sealed with the first key; when not, it is due to be sealed again.
    #[must_use]
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed
            .0
            .strip_prefix("v1.")
            .and_then(|rest| rest.split_once('.'))
            .is_some_and(|(id, _)| id == self.keys[0].id)
    }
}

/// 128 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn random_id() -> Result<u128, SecretError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SecretError::Random)?;
    Ok(u128::from_be_bytes(bytes))
}

/// Makes a file that only its owner may read; fails when it is there already.
///
/// # Errors
/// It exists, or the disk refuses.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn new_key() -> Result<String, SecretError> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| SecretError::Random)?;
    let id = hex(&digest::digest(&digest::SHA256, &key).as_ref()[..4]);
    Ok(format!(
        "# The key of callgate's secrets. The first key seals, all of them open. Keep a copy.\n{id} {}\n",
        BASE64.encode(key)
    ))
}

fn read_key(line: &str) -> Option<Key> {
    let (id, text) = line.split_once(char::is_whitespace)?;
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let bytes = BASE64.decode(text.trim().trim_end_matches('=')).ok()?;
    if !plain || bytes.len() != 32 {
        return None;
    }
    let aead = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok()?);
    // A key of its own for the lookups, so that one key never serves two algorithms.
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), b"callgate token lookup");
    Some(Key { id: id.to_owned(), aead, lookup: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(lines: &[&str]) -> Vault {
        Vault::of_text(&lines.join("\n"), Path::new("keys")).unwrap()
    }

    const OLD: &str = "old AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const NEW: &str = "new AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    #[test]
    fn a_secret_opens_where_it_belongs_and_nowhere_else() {
        let vault = vault(&[OLD]);
        let sealed = vault.seal("accounts.auth_token:1", b"secret").unwrap();
        assert_eq!(vault.open_sealed("accounts.auth_token:1", &sealed).unwrap(), b"secret");
        assert!(matches!(vault.open_sealed("accounts.auth_token:2", &sealed), Err(SecretError::Forged)));
        let mut changed = sealed.0.clone();
        let last = changed.pop().unwrap();
        changed.insert(changed.len() - 3, last);
        assert!(vault.open_sealed("accounts.auth_token:1", &Sealed(changed)).is_err());
    }

    #[test]
    fn a_new_first_key_seals_and_the_old_one_still_opens() {
        let before = vault(&[OLD]);
        let sealed = before.seal("x", b"secret").unwrap();
        let after = vault(&[NEW, OLD]);
        assert_eq!(after.open_sealed("x", &sealed).unwrap(), b"secret");
        assert!(!after.is_current(&sealed));
        assert!(after.is_current(&after.seal("x", b"secret").unwrap()));
        assert!(after.lookups("t").contains(&before.lookups("t")[0]));
        let gone = vault(&[NEW]);
        assert!(matches!(gone.open_sealed("x", &sealed), Err(SecretError::UnknownKey(id)) if id == "old"));
    }

    #[test]
    fn a_file_that_is_no_key_file_says_which_line() {
        let error = Vault::of_text("old short", Path::new("keys")).unwrap_err();
        assert_eq!(error.to_string(), "the key file keys, line 1: expected an id and 32 bytes in base64");
    }
}
