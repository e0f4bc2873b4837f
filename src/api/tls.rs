//! The API's own TLS: its certificate, read again at a reload.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};

use super::config::HttpConfig;

/// Why the API cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum HttpTlsError {
    /// A file.
    #[error("`{}` cannot be read as PEM ({key})", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// Certificate and key are unusable, or no pair.
    #[error("certificate and key cannot be used (http.tls-certificate, http.tls-key)")]
    Pair(#[source] rustls::Error),
}

/// What connections to the API begin with. Cheap to clone; those that are open keep what they began with.
#[derive(Clone, Debug)]
pub struct HttpTls {
    certificate: PathBuf,
    key: PathBuf,
    live: Arc<ArcSwap<ServerConfig>>,
}

impl HttpTls {
    /// Reads certificate and key; `None`: no certificate is given.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn of(config: &HttpConfig) -> Result<Option<Self>, HttpTlsError> {
        if !config.speaks_tls() {
            return Ok(None);
        }
        let (certificate, key) = (config.tls_certificate.clone(), config.tls_key.clone());
        let live = Arc::new(ArcSwap::from_pointee(read(&certificate, &key)?));
        Ok(Some(Self { certificate, key, live }))
    }

    /// Reads the files again; new connections begin with what they hold now.
    ///
    /// # Errors
    /// As for [`HttpTls::of`]; what was read before stays then.
    pub fn reload(&self) -> Result<(), HttpTlsError> {
        self.live.store(Arc::new(read(&self.certificate, &self.key)?));
        Ok(())
    }

    pub(super) fn live(&self) -> Arc<ServerConfig> {
        self.live.load_full()
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<ServerConfig, HttpTlsError> {
    let bad = |key, path: &PathBuf| {
        let path = path.clone();
        move |source| HttpTlsError::File { key, path, source }
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(|chain| chain.collect());
    let chain = chain.map_err(bad("http.tls-certificate", certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(bad("http.tls-key", key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(HttpTlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(HttpTlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
