//! Where a SIP URI's host is to be reached (RFC 3263 4).

use std::hash::BuildHasher as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{join, join_all};
use hickory_resolver::proto::rr::{RData, RecordType};

use super::order::{self, Naptr, Srv, services, srv_name};
use super::resolver::{Asked, Inner, Resolver, told};
use crate::flow::{Destination, Transport};
use crate::transport::next_hop::{Unresolved, default_port};

/// Places of one name that are tried, SRV records that are followed, and services that NAPTR records
/// may name.
const MOST_PLACES: usize = 32;
const MOST_RECORDS: usize = 16;
const MOST_SERVICES: usize = 8;

impl Resolver {
    /// Where a next hop is to be reached, best first: NAPTR chooses the transport, SRV host and
    /// port, A and AAAA the address, each only where the URI leaves it open (RFC 3263 4.1, 4.2).
    ///
    /// # Errors
    /// `NotFound` when it leads nowhere, `TimedOut` when nobody answered in time.
    pub async fn locate(&self, wanted: &Unresolved) -> io::Result<Vec<Destination>> {
        let (inner, wanted) = (self.inner.clone(), wanted.clone());
        self.within(async move { inner.locate(&wanted).await }).await
    }
}

impl Inner {
    async fn locate(&self, wanted: &Unresolved) -> io::Result<Vec<Destination>> {
        let plain = wanted.transport.unwrap_or(Transport::Udp);
        let plain = if wanted.is_secure { Transport::Tls } else { plain };
        if let Some(port) = wanted.port {
            return self.at_port(&wanted.host, plain, port).await;
        }
        let asked = self.asked();
        if !asked.is_in_hosts(&wanted.host)
            && let Some(found) = self.by_service(&asked, wanted).await
        {
            return found;
        }
        self.at_port(&wanted.host, plain, default_port(plain)).await
    }

    async fn at_port(&self, host: &str, transport: Transport, port: u16) -> io::Result<Vec<Destination>> {
        let addresses = self.addresses(host).await?;
        let at = |ip| Destination { transport, address: SocketAddr::new(ip, port) };
        Ok(addresses.into_iter().map(at).collect())
    }

    /// By NAPTR and SRV; `None`: the name has no such record.
    async fn by_service(&self, asked: &Asked, wanted: &Unresolved) -> Option<io::Result<Vec<Destination>>> {
        let is_wanted = |transport| {
            self.setup.transports.contains(&transport)
                && wanted.transport.is_none_or(|named| named == transport)
                && (!wanted.is_secure || transport == Transport::Tls)
        };
        let ours = [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().filter(|t| is_wanted(*t));
        let usual: Vec<_> = ours.map(|transport| (transport, srv_name(transport, &wanted.host))).collect();
        let named = async {
            match wanted.transport {
                Some(_) => Vec::new(),
                None => services(asked.naptr(&wanted.host).await, is_wanted),
            }
        };
        // Both questions at once: most names have no NAPTR, and their SRV is known as soon then.
        let (named, mut records) = join(named, asked.srv_of_all(&usual)).await;
        if !named.is_empty() && named != usual {
            records = asked.srv_of_all(&named).await;
        }
        // Records that all say `.` are an answer too: not served here, at no address (RFC 2782).
        Some(self.places(records?).await)
    }

    /// The addresses of the hosts that SRV records name, in their order.
    async fn places(&self, mut records: Vec<(Transport, Srv)>) -> io::Result<Vec<Destination>> {
        records.truncate(MOST_RECORDS);
        let of = |(transport, record): (Transport, Srv)| async move {
            self.at_port(&record.target, transport, record.port).await
        };
        let mut places = Vec::new();
        let mut failed = None;
        for found in join_all(records.into_iter().map(of)).await {
            match found {
                Ok(found) => places.extend(found),
                Err(error) => failed = Some(error),
            }
        }
        places.truncate(MOST_PLACES);
        match (places.is_empty(), failed) {
            (false, _) => Ok(places),
            (true, Some(error)) => Err(error),
            (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "SRV says: not served here")),
        }
    }
}

impl Asked {
    /// What cannot be asked counts as not there: addresses are the last resort of every name.
    async fn naptr(&self, host: &str) -> Vec<Naptr> {
        let name = format!("{}.", host.trim_end_matches('.'));
        let Ok(found) = self.servers.lookup(name, RecordType::NAPTR).await else { return Vec::new() };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let naptr = |data: &RData| match data {
            RData::NAPTR(record) => Some(Naptr {
                order: record.order,
                preference: record.preference,
                flags: text(&record.flags),
                services: text(&record.services),
                replacement: record.replacement.to_ascii(),
            }),
            _ => None,
        };
        found.answers().iter().filter_map(|record| naptr(&record.data)).collect()
    }

    /// The SRV records of services, those of one behind those of the one before it; `None`: there is
    /// no such record.
    async fn srv_of_all(&self, services: &[(Transport, String)]) -> Option<Vec<(Transport, Srv)>> {
        let of = |(transport, name): &(Transport, String)| {
            let (transport, name) = (*transport, name.clone());
            async move { (transport, self.srv(&name).await) }
        };
        let mut all = None;
        for (transport, found) in join_all(services.iter().take(MOST_SERVICES).map(of)).await {
            if let Some(found) = found {
                let found = found.into_iter().map(|record| (transport, record));
                all.get_or_insert_with(Vec::new).extend(found);
            }
        }
        all
    }

    /// `None`: no such record, or nobody to say so.
    async fn srv(&self, name: &str) -> Option<Vec<Srv>> {
        let found = match self.servers.lookup(name, RecordType::SRV).await {
            Ok(found) => found,
            Err(error) => {
                if told(&error).kind() != io::ErrorKind::NotFound {
                    tracing::info!(name, %error, "SRV could not be asked");
                }
                return None;
            }
        };
        let srv = |data: &RData| match data {
            RData::SRV(record) => Some(Srv {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_ascii(),
            }),
            _ => None,
        };
        let records: Vec<Srv> = found.answers().iter().filter_map(|record| srv(&record.data)).collect();
        (!records.is_empty()).then(|| order::by_weight(records, below))
    }
}

/// A random number below `most`: which of equals is tried first is no secret.
fn below(most: u64) -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    static STATE: std::sync::LazyLock<Arc<foldhash::quality::RandomState>> =
        std::sync::LazyLock::new(Arc::default);
    STATE.hash_one(DRAWN.fetch_add(1, Ordering::Relaxed)) % most.max(1)
}
