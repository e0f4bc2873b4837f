//! The certificates we show: one by default, others to clients that ask for their names (SNI, RFC 6066 3).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, certificates, identities};

/// A certificate of ours beside the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFiles {
    /// The certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The names that are answered with it, `*.` for one label; empty: those that it proves.
    pub names: Vec<String>,
}

/// A certificate with its key as they were read.
pub(super) struct Pair {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Pair {
    /// Reads both; `keys` are the keys of the configuration that name the files.
    pub fn read(keys: [&'static str; 2], certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(keys[0], certificate)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
            key: keys[1],
            path: key.to_owned(),
            source,
        })?;
        Ok(Self { chain, key: private })
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, rustls::Error> {
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), provider).map(Arc::new)
    }
}

/// Which certificate a client is shown: that of the name it asks for, else the first.
#[derive(Debug)]
pub(super) struct Shown {
    first: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl Shown {
    /// Reads the `others`.
    pub fn read(first: &Pair, others: &[OwnFiles], provider: &CryptoProvider) -> Result<Self, TlsError> {
        let mut by_name = HashMap::new();
        for files in others {
            let keys = ["sip.certificate.certificate", "sip.certificate.key"];
            let pair = Pair::read(keys, &files.certificate, &files.key)?;
            let path = || files.certificate.clone();
            let certified = pair.certified(provider);
            let certified = certified.map_err(|source| TlsError::OwnPair { path: path(), source })?;
            let names = match files.names.is_empty() {
                true => pair.chain.first().map(identities).unwrap_or_default(),
                false => files.names.iter().map(|name| name.as_str().into()).collect(),
            };
            if names.is_empty() {
                return Err(TlsError::Nameless { path: path() });
            }
            for name in names {
                // The first that is written wins, as with listeners.
                by_name.entry(plain(&name)).or_insert_with(|| Arc::clone(&certified));
            }
        }
        let first = first.certified(provider).map_err(TlsError::Pair)?;
        Ok(Self { first, by_name })
    }

    fn of(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = name.map(plain) else { return &self.first };
        let wider = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        self.by_name.get(&name).or_else(wider).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.of(client.server_name())))
    }
}

/// A name as names are compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn certified(name: &str) -> Arc<CertifiedKey> {
        let made = generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let pair = Pair { chain: vec![made.cert.der().clone()], key: key.into() };
        pair.certified(&rustls::crypto::ring::default_provider()).unwrap()
    }

    #[test]
    fn the_name_that_is_asked_for_chooses_exactly_before_widely_and_else_the_first_is_shown() {
        let [first, exact, wide] = ["first.test", "a.b.test", "*.b.test"].map(certified);
        let by_name = [("a.b.test".to_owned(), exact.clone()), ("*.b.test".to_owned(), wide.clone())].into();
        let shown = Shown { first: first.clone(), by_name };
        for (name, expected) in [
            (Some("A.B.test"), &exact),
            (Some("c.b.test"), &wide),
            (Some("d.c.b.test"), &first),
            (Some("b.test"), &first),
            (Some("test"), &first),
            (None, &first),
        ] {
            assert!(Arc::ptr_eq(shown.of(name), expected), "{name:?}");
        }
    }
}
