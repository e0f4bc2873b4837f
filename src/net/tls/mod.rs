//! TLS for SIP (RFC 3261 26, RFC 5922): what we show, whom we believe, and both again at a reload.
//!
//! - `own`: which certificate of ours a client is shown.
//! - `wire`: a connection with or without TLS, read and written without waiting.
//! - `verify`: whether a certificate is a domain's (RFC 5922 7).

mod own;
mod verify;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

pub use self::own::OwnFiles;
use self::own::{Pair, Shown};
use self::verify::DomainVerifier;
pub(super) use self::verify::identities;
pub(super) use self::wire::Wire;

/// The `tls-…` keys of `[sip]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Further certificates, for clients that ask for their names.
    pub others: Vec<OwnFiles>,
    /// Whom targets' certificates may come from, beside the system's; PEM.
    pub ca_file: Option<PathBuf>,
    /// Whom clients' certificates must come from; `None`: clients are not asked for any.
    pub client_ca_file: Option<PathBuf>,
    /// Clients without a certificate are refused.
    pub client_required: bool,
    /// A target's certificate may name `*.example.com`, against RFC 5922 7.2.
    pub wildcards: bool,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
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
    #[error("certificate and key cannot be used (sip.tls-certificate, sip.tls-key)")]
    Pair(#[source] rustls::Error),
    /// The same, beside the first.
    #[error("`{}` and its key cannot be used (sip.certificate)", path.display())]
    OwnPair {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Nobody could ask for it.
    #[error("`{}` names no domain: give its names (sip.certificate.names)", path.display())]
    Nameless {
        /// The certificate's file.
        path: PathBuf,
    },
    /// A CA file without a certificate that could be a CA's.
    #[error("`{}` holds no CA certificate ({key})", path.display())]
    NoCa {
        /// The key that names it.
        key: &'static str,
        /// Which.
        path: PathBuf,
    },
    /// The verifier of client certificates.
    #[error("client certificates cannot be verified (sip.tls-client-ca-file)")]
    Clients(#[source] rustls::server::VerifierBuilderError),
}

/// The TLS of all listeners. Cheap to clone; connections keep what they began with.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<TlsFiles>,
    live: Arc<ArcSwap<Live>>,
}

/// What connections begin with now.
#[derive(Debug)]
pub(super) struct Live {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads certificate, key and CAs.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let live = Arc::new(ArcSwap::from_pointee(Live::read(&files)?));
        Ok(Self { files: Arc::new(files), live })
    }

    /// Reads the files again; new connections begin with what they hold now.
    ///
    /// # Errors
    /// As for [`Tls::new`]; what was read before stays then.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.live.store(Arc::new(Live::read(&self.files)?));
        Ok(())
    }

    pub(super) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

impl Live {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let own = Pair::read(["sip.tls-certificate", "sip.tls-key"], &files.certificate, &files.key)?;
        let shown = Shown::read(&own, &files.others, &provider)?;
        let server = server(&provider, files, shown)?;
        let client = client(&provider, files, own)?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

fn server(provider: &Arc<CryptoProvider>, files: &TlsFiles, shown: Shown) -> Result<ServerConfig, TlsError> {
    let clients: Arc<dyn ClientCertVerifier> = match &files.client_ca_file {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            add("sip.tls-client-ca-file", path, &mut roots)?;
            let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            let builder = if files.client_required { builder } else { builder.allow_unauthenticated() };
            builder.build().map_err(TlsError::Clients)?
        }
    };
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Pair)?;
    Ok(builder.with_client_cert_verifier(clients).with_cert_resolver(Arc::new(shown)))
}

fn client(provider: &Arc<CryptoProvider>, files: &TlsFiles, own: Pair) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (known, _) = roots.add_parsable_certificates(native.certs);
    match &files.ca_file {
        Some(path) => add("sip.tls-ca-file", path, &mut roots)?,
        None if known == 0 => {
            tracing::warn!(
                "the system has no root certificates: no TLS target can be verified (sip.tls-ca-file)"
            );
        }
        None => {}
    }
    let verifier: Arc<dyn ServerCertVerifier> =
        Arc::new(DomainVerifier::new(roots, provider, files.wildcards));
    ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsError::Pair)?
        // The chain is verified as ever; only whose certificate it is follows RFC 5922.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(own.chain, own.key)
        .map_err(TlsError::Pair)
}

fn add(key: &'static str, path: &Path, roots: &mut RootCertStore) -> Result<(), TlsError> {
    let (added, _) = roots.add_parsable_certificates(certificates(key, path)?);
    if added == 0 {
        return Err(TlsError::NoCa { key, path: path.to_owned() });
    }
    Ok(())
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |source| TlsError::File { key, path: path.to_owned(), source };
    CertificateDer::pem_file_iter(path).map_err(bad)?.map(|one| one.map_err(bad)).collect()
}
