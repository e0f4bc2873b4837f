//! The `[sip]` section.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::address::{BadListener, ListenerSpec};
use super::tls::{OwnFiles, TlsFiles};
use crate::flow::Transport;

/// Where SIP is spoken, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SipConfig {
    /// Where to listen: transport, address and port; an IPv6 address takes IPv6 only.
    pub listen: Vec<String>,
    /// Listeners with a name of their own, an advertised address and local networks; they come after `listen`.
    pub listener: Vec<ListenerTable>,
    /// What a source without a trunk gets: reject (403), drop (silence) or default-organization.
    pub unknown_source: SourceWord,
    /// The receive buffer asked of the kernel for each UDP socket, in bytes.
    pub receive_buffer: usize,
    /// A request above this many bytes leaves over TCP where the target allows it.
    pub udp_size_limit: usize,
    /// RFC 3261's T1, the estimate of the round trip, in milliseconds.
    pub t1_ms: u64,
    /// A target that gave no response at all within this many milliseconds is left for the next.
    pub first_response_ms: u64,
    /// A target that was silent, unreachable or answered 503 is tried last for this many seconds; 0 as ever.
    pub dead_target_seconds: u64,
    /// Which Contacts of a `<Sip>` or `<Client>` target's 3xx are followed: no, known (its own host, and the
    /// organization's gateways) or any. A gateway says it for itself (`follow_redirects`).
    pub follow_redirects: FollowWord,
    /// Gateways are asked by OPTIONS this often, in seconds, whether they are there; 0 never. A gateway's
    /// `options_interval` goes before it.
    pub gateway_check_seconds: u64,
    /// Checks in a row that must fail before a gateway is down: it gets calls only where no other is left.
    pub gateway_down_after: u32,
    /// Checks in a row that must succeed before it is up again.
    pub gateway_up_after: u32,
    /// Answered calls are probed with OPTIONS on both sides this often, in seconds; 0 never. A side that does
    /// not answer, or cannot be reached at two looks in a row, ends its call.
    pub liveness_seconds: u64,
    /// Session-Expires toward targets where the caller asks for none (RFC 4028), in seconds, at least 90; 0 none.
    pub session_expires_seconds: u32,
    /// A stream connection with no message and no open transaction is closed after this many seconds.
    pub tcp_idle_seconds: u64,
    /// A message that began to arrive on a stream must be whole after this many milliseconds.
    pub tcp_message_ms: u64,
    /// Most stream connections at once.
    pub tcp_connections: usize,
    /// Most stream connections at once from one source: an IPv4 address, or an IPv6 /64.
    pub tcp_connections_per_source: usize,
    /// Bytes that may wait to be written on one connection before it is closed.
    pub tcp_write_queue: usize,
    /// How long a connection to a target may take to open, in milliseconds.
    pub tcp_connect_ms: u64,
    /// The same where TCP was chosen only because the request is large for UDP.
    pub tcp_connect_large_ms: u64,
    /// The certificate of `tls://` listeners with its chain, PEM; also shown to targets that ask for one.
    pub tls_certificate: PathBuf,
    /// Its private key, PEM.
    pub tls_key: PathBuf,
    /// Further certificates, for clients that ask for their names (SNI); without `names`, for those that each proves.
    pub certificate: Vec<CertificateTable>,
    /// Certificates of CAs that targets' certificates may come from, beside the system's; PEM.
    pub tls_ca_file: PathBuf,
    /// Certificates of CAs that clients' certificates must come from; empty: clients are asked for none.
    pub tls_client_ca_file: PathBuf,
    /// Whether clients without a certificate are refused.
    pub tls_client_required: bool,
    /// Whether a target's certificate may name `*.example.com`, against RFC 5922 7.2.
    pub tls_wildcards: bool,
    /// How long a TLS handshake may take, in milliseconds.
    pub tls_handshake_ms: u64,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: vec!["udp://0.0.0.0:5060".into(), "tcp://0.0.0.0:5060".into()],
            listener: Vec::new(),
            unknown_source: SourceWord::default(),
            receive_buffer: 4 << 20,
            udp_size_limit: 1300,
            t1_ms: 500,
            first_response_ms: 3000,
            dead_target_seconds: 30,
            follow_redirects: FollowWord::default(),
            gateway_check_seconds: 30,
            gateway_down_after: 3,
            gateway_up_after: 2,
            liveness_seconds: 900,
            session_expires_seconds: 1800,
            tcp_idle_seconds: 120,
            tcp_message_ms: 4000,
            tcp_connections: 2048,
            tcp_connections_per_source: 256,
            tcp_write_queue: 64 << 10,
            tcp_connect_ms: 2000,
            tcp_connect_large_ms: 500,
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            certificate: Vec::new(),
            tls_ca_file: PathBuf::new(),
            tls_client_ca_file: PathBuf::new(),
            tls_client_required: false,
            tls_wildcards: false,
            tls_handshake_ms: 5000,
        }
    }
}

/// `sip.follow-redirects`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FollowWord {
    /// A 3xx is a refusal.
    #[default]
    No,
    /// To the host that answered, and to the organization's gateways.
    Known,
    /// Wherever it says.
    Any,
}

/// One `[[sip.listener]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ListenerTable {
    /// What trunks and the log call it.
    pub name: String,
    /// `udp://ADDRESS:PORT`, `tcp://ADDRESS:PORT` or `tls://ADDRESS:PORT`.
    pub bind: String,
    /// `HOST` or `HOST:PORT` that Via and Contact show to peers outside `local-nets`.
    pub advertise: Option<String>,
    /// Networks toward which nothing is advertised, as `ADDRESS/LENGTH`.
    #[serde(default)]
    pub local_nets: Vec<String>,
}

/// One `[[sip.certificate]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CertificateTable {
    /// The certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The names that are answered with it, `*.` for one label; none: those that it proves.
    #[serde(default)]
    pub names: Vec<String>,
}

/// `unknown-source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceWord {
    /// A stateless 403.
    #[default]
    Reject,
    /// Silence.
    Drop,
    /// The default organization.
    DefaultOrganization,
}

/// One listener with all that is configured about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name; `udp-1` and so on where the configuration gives none.
    pub name: String,
    /// How and where.
    pub spec: ListenerSpec,
    /// See [`ListenerTable::advertise`].
    pub advertise: Option<String>,
    /// See [`ListenerTable::local_nets`].
    pub local_nets: Vec<String>,
}

impl SipConfig {
    /// All listeners in order: the plain ones, then the named ones.
    ///
    /// # Errors
    /// The first that is not written as it should be.
    pub fn planned(&self) -> Result<Vec<Planned>, BadListener> {
        let plain = self.listen.iter().enumerate().map(|(at, text)| {
            let spec: ListenerSpec = text.parse()?;
            let name = format!("{}-{}", spec.transport.via_token().to_ascii_lowercase(), at + 1);
            Ok(Planned { name, spec, advertise: None, local_nets: Vec::new() })
        });
        let named = self.listener.iter().map(|table| {
            Ok(Planned {
                name: table.name.clone(),
                spec: table.bind.parse()?,
                advertise: table.advertise.clone(),
                local_nets: table.local_nets.clone(),
            })
        });
        plain.chain(named).collect()
    }

    /// The files of TLS, where a listener speaks it.
    #[must_use]
    pub fn tls_files(&self, plans: &[Planned]) -> Option<TlsFiles> {
        let given = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
        plans.iter().any(|plan| plan.spec.transport == Transport::Tls).then(|| TlsFiles {
            certificate: self.tls_certificate.clone(),
            key: self.tls_key.clone(),
            others: self.certificate.iter().map(CertificateTable::files).collect(),
            ca_file: given(&self.tls_ca_file),
            client_ca_file: given(&self.tls_client_ca_file),
            client_required: self.tls_client_required,
            wildcards: self.tls_wildcards,
        })
    }
}

impl CertificateTable {
    fn files(&self) -> OwnFiles {
        let Self { certificate, key, names } = self.clone();
        OwnFiles { certificate, key, names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_named_listeners_are_planned_in_order() {
        let text = r#"
            listen = ["udp://127.0.0.1:0"]
            [[listener]]
            name = "inside"
            bind = "tcp://[::1]:0"
            advertise = "sip.example.com:5070"
            local-nets = ["10.0.0.0/8"]
        "#;
        let config: SipConfig = toml::from_str(text).unwrap();
        let planned = config.planned().unwrap();
        assert_eq!(planned[0].name, "udp-1");
        assert_eq!((planned[1].name.as_str(), planned[1].local_nets.len()), ("inside", 1));
    }
}
