//! Whose a certificate is (RFC 5922 7).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

use crate::sip::Uri;

/// The SIP domains that a certificate proves, in lower case: those of its `sip:` URIs without a user
/// part, and only where it has none its DNS names (RFC 5922 7.1).
pub(in crate::net) fn identities(certificate: &CertificateDer<'_>) -> Vec<Arc<str>> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let sip = |text: &str| {
        let uri = Uri::parse(text.as_bytes()).filter(|uri| uri.is_sip() && uri.user.is_none())?;
        Some(Arc::from(std::str::from_utf8(uri.host).ok()?.to_ascii_lowercase()))
    };
    let of_uris: Vec<Arc<str>> = certificate.valid_uri_names().filter_map(sip).collect();
    if !of_uris.is_empty() {
        return of_uris;
    }
    certificate.valid_dns_names().map(|name| Arc::from(name.to_ascii_lowercase())).collect()
}

/// Verifies the chain as rustls does, and the name as RFC 5922 wants it.
#[derive(Debug)]
pub(super) struct DomainVerifier {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    wildcards: bool,
}

impl DomainVerifier {
    pub fn new(roots: RootCertStore, provider: &CryptoProvider, wildcards: bool) -> Self {
        Self { roots, algorithms: provider.signature_verification_algorithms, wildcards }
    }

    fn is_of(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
        let by_dns_rules = || {
            let parsed = EndEntityCert::try_from(certificate).ok();
            parsed.is_some_and(|parsed| parsed.verify_is_valid_for_subject_name(name).is_ok())
        };
        match name {
            // The whole name or nothing: `*.example.com` is no SIP domain (RFC 5922 7.2).
            ServerName::DnsName(domain) => {
                let domain = domain.as_ref().trim_end_matches('.');
                let known = identities(certificate);
                known.iter().any(|one| one.trim_end_matches('.').eq_ignore_ascii_case(domain))
                    || (self.wildcards && by_dns_rules())
            }
            _ => by_dns_rules(),
        }
    }
}

impl ServerCertVerifier for DomainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        match self.is_of(end_entity, server_name) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyPair, SanType};

    use super::*;

    struct Ca {
        issuer: Issuer<'static, KeyPair>,
        roots: RootCertStore,
    }

    impl Ca {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let certificate = params.self_signed(&key).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(certificate.der().clone()).unwrap();
            Self { issuer: Issuer::new(params, key), roots }
        }

        fn certificate(&self, names: &[&str]) -> CertificateDer<'static> {
            let mut params = CertificateParams::default();
            params.subject_alt_names = names
                .iter()
                .map(|name| match (name.contains(':'), name.parse()) {
                    (_, Ok(address)) => SanType::IpAddress(address),
                    (true, _) => SanType::URI((*name).try_into().unwrap()),
                    _ => SanType::DnsName((*name).try_into().unwrap()),
                })
                .collect();
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
        }

        fn accepts(&self, names: &[&str], name: &str, wildcards: bool) -> bool {
            let provider = rustls::crypto::ring::default_provider();
            let verifier = DomainVerifier::new(self.roots.clone(), &provider, wildcards);
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(&self.certificate(names), &[], &name, &[], UnixTime::now()).is_ok()
        }
    }

    #[test]
    fn a_domain_is_the_whole_name_and_a_sip_uri_excludes_dns_names() {
        let ca = Ca::new();
        for (names, name, accepted) in [
            (&["example.com"][..], "example.com", true),
            (&["Example.COM"], "example.com", true),
            (&["example.com"], "sip.example.com", false),
            (&["*.example.com"], "sip.example.com", false),
            (&["sip:example.com"], "example.com", true),
            (&["sip:example.com", "other.com"], "other.com", false),
            (&["sip:alice@example.com"], "example.com", false),
            (&["127.0.0.1"], "127.0.0.1", true),
            (&["127.0.0.1"], "127.0.0.2", false),
        ] {
            assert_eq!(ca.accepts(names, name, false), accepted, "{names:?} for {name}");
        }
        assert!(ca.accepts(&["*.example.com"], "sip.example.com", true), "where the operator allows it");
    }

    #[test]
    fn a_stranger_signs_for_nobody() {
        let (ca, stranger) = (Ca::new(), Ca::new());
        let provider = rustls::crypto::ring::default_provider();
        let verifier = DomainVerifier::new(ca.roots, &provider, false);
        let name = ServerName::try_from("example.com").unwrap();
        let certificate = stranger.certificate(&["example.com"]);
        assert!(verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).is_err());
    }
}
