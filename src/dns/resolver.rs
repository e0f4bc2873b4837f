//! Names to addresses: /etc/hosts, then the name servers, with a bounded cache that keeps each
//! answer for its TTL.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::{BadServer, DnsConfig};
use crate::flow::Transport;

/// Names looked up at once; more wait within their own time limit.
const AT_ONCE: usize = 256;
/// Addresses of one name that are used.
const MOST_ADDRESSES: usize = 32;
/// A name whose TTL is zero is asked again for every call; this much is spared all the same.
const LEAST_TTL: Duration = Duration::from_secs(1);

/// A lookup as a plain function, as the HTTP client takes it.
pub type LookupFn =
    Arc<dyn Fn(&str) -> Pin<Box<dyn Future<Output = io::Result<Arc<[IpAddr]>>> + Send>> + Send + Sync>;

/// What the resolver is made of.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The `[dns]` section.
    pub config: DnsConfig,
    /// The transports that listeners speak: no other is looked for.
    pub transports: Vec<Transport>,
}

/// The resolver; shared by all threads, cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub setup: Setup,
    pub room: Semaphore,
    asked: ArcSwap<Asked>,
    /// Where questions run, so that no connection to a name server dies with a shard.
    runtime: Handle,
}

/// Whom it asks at the moment.
pub(super) struct Asked {
    pub servers: TokioResolver,
    hosts: Arc<Hosts>,
}

impl Resolver {
    /// A resolver whose questions run on the runtime this is called in.
    ///
    /// # Errors
    /// A server of the configuration that is none; the system's are replaced by 127.0.0.1 where
    /// /etc/resolv.conf cannot be read, as the C library does.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(setup: Setup) -> Result<Self, BadServer> {
        let asked = ArcSwap::from_pointee(Asked::new(&setup.config)?);
        let room = Semaphore::new(AT_ONCE);
        Ok(Self { inner: Arc::new(Inner { setup, room, asked, runtime: Handle::current() }) })
    }

    /// Reads /etc/hosts and /etc/resolv.conf again, and forgets what it knew.
    ///
    /// # Errors
    /// As for [`Resolver::new`]; the former servers stay then.
    pub fn reload(&self) -> Result<(), BadServer> {
        self.inner.asked.store(Arc::new(Asked::new(&self.inner.setup.config)?));
        Ok(())
    }

    /// The addresses of a host name, each once, IPv4 first.
    ///
    /// # Errors
    /// `NotFound` when it has none, `TimedOut` when nobody answered in time.
    pub async fn lookup(&self, host: &str) -> io::Result<Arc<[IpAddr]>> {
        let (inner, host) = (self.inner.clone(), host.to_owned());
        self.within(async move { inner.addresses(&host).await.map(Into::into) }).await
    }

    /// The lookup as a plain function.
    #[must_use]
    pub fn lookup_fn(&self) -> LookupFn {
        let resolver = self.clone();
        Arc::new(move |host: &str| {
            let (resolver, host) = (resolver.clone(), host.to_owned());
            Box::pin(async move { resolver.lookup(&host).await })
        })
    }

    /// Runs `ask` on the resolver's runtime, within its time limit.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        ask: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let inner = self.inner.clone();
        let limit = Duration::from_millis(inner.setup.config.timeout_ms);
        let bounded = async move {
            let asking = async {
                let _room = inner.room.acquire().await.map_err(io::Error::other)?;
                ask.await
            };
            timeout(limit, asking).await.unwrap_or_else(|_| Err(late()))
        };
        self.inner.runtime.spawn(bounded).await.map_err(io::Error::other)?
    }
}

impl Inner {
    /// The addresses of a name.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.load_full();
        let found = asked.servers.lookup_ip(host).await.map_err(|error| told(&error))?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.iter() {
            if addresses.len() < MOST_ADDRESSES && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }

    /// Whom it asks now.
    pub fn asked(&self) -> Arc<Asked> {
        self.asked.load_full()
    }
}

impl Asked {
    fn new(config: &DnsConfig) -> Result<Self, BadServer> {
        let servers = config.addresses()?;
        let (names, mut options) = match servers.is_empty() {
            true => system(),
            false => (from_servers(&servers), ResolverOpts::default()),
        };
        tune(&mut options, config);
        let hosts = Arc::new(Hosts::from_system().unwrap_or_else(|error| {
            tracing::warn!(%error, "/etc/hosts cannot be read");
            Hosts::default()
        }));
        let mut builder = TokioResolver::builder_with_config(names, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let mut servers = builder.build().expect("without TLS and DNSSEC nothing of it can fail");
        servers.set_hosts(hosts.clone());
        Ok(Self { servers, hosts })
    }

    /// Whether /etc/hosts knows a name: no name server is asked for its services then.
    pub fn is_in_hosts(&self, host: &str) -> bool {
        let Ok(name) = Name::from_utf8(host) else { return false };
        let known = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)).is_some();
        host.eq_ignore_ascii_case("localhost") || known(RecordType::A) || known(RecordType::AAAA)
    }
}

fn from_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let over = |mut connection: ConnectionConfig, port| {
        connection.port = port;
        connection
    };
    let server = |address: &SocketAddr| {
        let port = address.port();
        let connections = vec![over(ConnectionConfig::udp(), port), over(ConnectionConfig::tcp(), port)];
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

fn system() -> (ResolverConfig, ResolverOpts) {
    hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(%error, "/etc/resolv.conf cannot be read: 127.0.0.1 is asked (dns.servers)");
        (from_servers(&[SocketAddr::from(([127, 0, 0, 1], 53))]), ResolverOpts::default())
    })
}

fn tune(options: &mut ResolverOpts, config: &DnsConfig) {
    // One question and one repetition fit into the limit.
    options.timeout = Duration::from_millis((config.timeout_ms / 2).max(1));
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    options.cache_size = config.cache_size;
    options.positive_min_ttl = Some(LEAST_TTL);
    options.positive_max_ttl = Some(Duration::from_secs(config.most_seconds).max(LEAST_TTL));
    options.negative_max_ttl = Some(Duration::from_secs(config.negative_seconds));
}

/// What the standard library would say of it.
pub(super) fn told(error: &NetError) -> io::Error {
    let kind = match error {
        _ if error.is_no_records_found() || error.is_nx_domain() => io::ErrorKind::NotFound,
        NetError::Timeout => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.clone())
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "DNS did not answer in time")
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resolver({:?})", self.inner.setup.config.servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn etc_hosts_knows_localhost_and_no_server_is_asked() {
        let config = DnsConfig { servers: vec!["127.0.0.1:9".into()], ..DnsConfig::default() };
        let resolver = Resolver::new(Setup { config, ..Setup::default() }).unwrap();
        let found = resolver.lookup("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
        assert!(resolver.inner.asked().is_in_hosts("localhost"));
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up_in_time() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = vec![silent.local_addr().unwrap().to_string()];
        let config = DnsConfig { servers, timeout_ms: 100, ..DnsConfig::default() };
        let resolver = Resolver::new(Setup { config, ..Setup::default() }).unwrap();
        let error = resolver.lookup("nobody.example").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
