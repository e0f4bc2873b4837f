//! TLS for sipp, whose Debian build has none: bytes in the clear on its side, TLS on the other. Its cost is the tester's.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::subject::folder;

/// A certificate for 127.0.0.1 that is its own authority, and the pipes that speak with it.
pub struct Tls {
    runtime: Runtime,
    folder: PathBuf,
    /// The certificate's file.
    pub certificate: PathBuf,
    /// Its key's.
    pub key: PathBuf,
}

impl Tls {
    /// A fresh certificate.
    pub fn new() -> Self {
        let folder = folder();
        let (certificate, key) = (folder.join("bench.pem"), folder.join("bench.key"));
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        let pair = KeyPair::generate().expect("a key");
        fs::write(&certificate, params.self_signed(&pair).expect("a certificate").pem()).expect("written");
        fs::write(&key, pair.serialize_pem()).expect("written");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        Self { runtime, folder, certificate, key }
    }

    /// `[sip]` of a callgate with a TLS listener.
    pub fn section(&self) -> String {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        format!(
            "tls-certificate = \"{certificate}\"\ntls-key = \"{key}\"\ntls-ca-file = \"{certificate}\"\n\
             [[sip.listener]]\nname = \"secure\"\nbind = \"tls://127.0.0.1:0\"\n"
        )
    }

    /// A port in the clear whose connections go on in TLS to `remote`.
    pub fn before(&self, remote: SocketAddr) -> SocketAddr {
        let mut roots = RootCertStore::empty();
        roots.add(self.own()).expect("a certificate");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        self.serve(move |mut near| {
            let connector = connector.clone();
            async move {
                let far = TcpStream::connect(remote).await?;
                far.set_nodelay(true)?;
                let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
                let mut far = connector.connect(name, far).await?;
                copy_bidirectional(&mut near, &mut far).await
            }
        })
    }

    /// A TLS port whose connections go on in the clear to `port`.
    pub fn behind(&self, port: u16) -> u16 {
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![self.own()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a certificate")));
        let address = self.serve(move |near| {
            let acceptor = acceptor.clone();
            async move {
                let mut near = acceptor.accept(near).await?;
                let mut far = TcpStream::connect(("127.0.0.1", port)).await?;
                far.set_nodelay(true)?;
                copy_bidirectional(&mut near, &mut far).await
            }
        });
        address.port()
    }

    fn own(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("a certificate")
    }

    fn serve<F, R>(&self, each: F) -> SocketAddr
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = std::io::Result<(u64, u64)>> + Send + 'static,
    {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let pipe = stream.set_nodelay(true).map(|()| each(stream));
                tokio::spawn(async move {
                    let Ok(pipe) = pipe else { return };
                    // A side that is gone ends its pipe: sipp just stops.
                    if let Err(error) = pipe.await
                        && std::env::var_os("CALLGATE_BENCH_TRACE").is_some()
                    {
                        eprintln!("pipe: {error}");
                    }
                });
            }
        });
        address
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}
