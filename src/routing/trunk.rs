//! Which trunk an INVITE came from: longest source prefix first, then the most further keys.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::Directory;
use super::model::{Prefix, Trunk, TrunkDigest};
use crate::ids::TrunkSid;

/// What of a message names its trunk.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The source address and port.
    pub address: SocketAddr,
    /// The name of the listener that received it.
    pub listener: &'a str,
    /// The Request-URI's host.
    pub request_host: &'a [u8],
    /// `tgrp` of the Contact or Request-URI (RFC 4904).
    pub tgrp: Option<&'a [u8]>,
    /// `trunk-context` beside it.
    pub trunk_context: Option<&'a [u8]>,
    /// The domains that its TLS certificate proves, in lower case.
    pub names: &'a [Arc<str>],
    /// The user name of its credentials, proved or not.
    pub username: Option<&'a [u8]>,
}

/// The trunk that `source` belongs to, active or not; `None`: an unknown source.
#[must_use]
pub fn find<'d>(directory: &'d Directory, source: &Source<'_>) -> Option<&'d Arc<Trunk>> {
    directory.trunks().find(source)
}

/// Two trunks that could claim the same INVITE with the same right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "trunk `{name}` and trunk `{other}` both match sources in {prefix} equally: \
     narrow one by sources, listener, source_port, request_host, tgrp, trunk_context, tls_name or auth_username"
)]
pub struct Tie {
    /// The one to be written.
    pub name: Arc<str>,
    /// The one already there.
    pub other: Arc<str>,
    /// Where they meet, `address/length`.
    pub prefix: String,
}

/// Checks `trunk` as it is to be written against the `others`.
///
/// # Errors
///
/// The first tie: an INVITE could match both with a prefix of the same length and as many further keys.
pub fn check<'t>(trunk: &Trunk, others: impl IntoIterator<Item = &'t Arc<Trunk>>) -> Result<(), Tie> {
    for other in others.into_iter().filter(|other| other.sid != trunk.sid) {
        if keys(trunk) != keys(other) || excludes(trunk, other) {
            continue;
        }
        let (mine, theirs) = (sources(trunk), sources(other));
        if let Some(shared) = mine.iter().find(|prefix| theirs.contains(prefix)) {
            let prefix = format!("{}/{}", shared.address, shared.length);
            return Err(Tie { name: Arc::clone(&trunk.name), other: Arc::clone(&other.name), prefix });
        }
    }
    Ok(())
}

/// Trunks by source prefix.
#[derive(Clone, Debug, Default)]
pub struct TrunkIndex {
    trunks: Vec<Arc<Trunk>>,
    by_sid: HashMap<TrunkSid, u32, FixedState>,
    by_prefix: HashMap<Prefix, Vec<u32>, FixedState>,
    /// Lengths in use, longest first, of each family.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
    groups: bool,
}

impl TrunkIndex {
    /// Indexes.
    #[must_use]
    pub fn new(trunks: &[Arc<Trunk>]) -> Self {
        let mut index = Self { trunks: trunks.to_vec(), ..Self::default() };
        // What SQL wrote past the check is decided by name, so that every node decides alike.
        index.trunks.sort_by(|a, b| (keys(b), &a.name).cmp(&(keys(a), &b.name)));
        for (at, trunk) in (0_u32..).zip(&index.trunks) {
            index.by_sid.insert(trunk.sid, at);
            for prefix in sources(trunk) {
                let lengths =
                    if prefix.address.is_ipv4() { &mut index.lengths_v4 } else { &mut index.lengths_v6 };
                lengths.push(prefix.length);
                index.by_prefix.entry(prefix).or_default().push(at);
            }
        }
        for lengths in [&mut index.lengths_v4, &mut index.lengths_v6] {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
        }
        index.groups = trunks.iter().any(|trunk| trunk.tgrp.is_some() || trunk.trunk_context.is_some());
        index
    }

    /// Whether a trunk is told by its trunk group (RFC 4904).
    #[must_use]
    pub const fn know_groups(&self) -> bool {
        self.groups
    }

    /// The trunk with this sid.
    #[must_use]
    pub fn by_sid(&self, sid: TrunkSid) -> Option<&Arc<Trunk>> {
        self.trunks.get(*self.by_sid.get(&sid)? as usize)
    }

    /// All trunks.
    #[must_use]
    pub fn all(&self) -> &[Arc<Trunk>] {
        &self.trunks
    }

    /// Whether a trunk names this address among its sources, whatever else it asks for. One that takes every
    /// address names none.
    #[must_use]
    pub fn names(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        let mut named = lengths.iter().filter(|&&length| length > 0);
        named.any(|&length| self.by_prefix.contains_key(&masked(address, length)))
    }

    /// See [`find`].
    #[must_use]
    pub fn find(&self, source: &Source<'_>) -> Option<&Arc<Trunk>> {
        // Who proved a name is that trunk, wherever it connects from.
        let by_name = |trunk: &&Arc<Trunk>| trunk.tls_name.is_some();
        let named = !source.names.is_empty();
        named.then(|| self.longest(source, by_name)).flatten().or_else(|| self.longest(source, |_| true))
    }

    fn longest(&self, source: &Source<'_>, wanted: impl Fn(&&Arc<Trunk>) -> bool) -> Option<&Arc<Trunk>> {
        let address = source.address.ip().to_canonical();
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        lengths.iter().find_map(|&length| {
            let trunks = self.by_prefix.get(&masked(address, length))?;
            let trunks = trunks.iter().map(|&at| &self.trunks[at as usize]);
            trunks.filter(&wanted).find(|trunk| accepts(trunk, source))
        })
    }
}

/// Whether the further keys allow `source`.
fn accepts(trunk: &Trunk, source: &Source<'_>) -> bool {
    let text = |key: &Option<Arc<str>>, value: Option<&[u8]>| {
        key.as_deref().is_none_or(|key| value.is_some_and(|value| key.as_bytes().eq_ignore_ascii_case(value)))
    };
    let host = source.request_host.strip_suffix(b".").unwrap_or(source.request_host);
    // Without credentials it is a candidate: it will be challenged.
    let claims = |digest: &Arc<TrunkDigest>| {
        source.username.is_none_or(|username| username == digest.username.as_bytes())
    };
    trunk.digest.as_ref().is_none_or(claims)
        && trunk.listener.as_deref().is_none_or(|listener| listener == source.listener)
        && trunk.source_port.is_none_or(|port| port == source.address.port())
        && text(&trunk.request_host, Some(host))
        && text(&trunk.tgrp, source.tgrp)
        && text(&trunk.trunk_context, source.trunk_context)
        && trunk
            .tls_name
            .as_deref()
            .is_none_or(|name| source.names.iter().any(|proved| proved.eq_ignore_ascii_case(name)))
}

/// How many further keys narrow a trunk.
fn keys(trunk: &Trunk) -> usize {
    let set = [&trunk.listener, &trunk.request_host, &trunk.tgrp, &trunk.trunk_context, &trunk.tls_name];
    set.into_iter().flatten().count()
        + usize::from(trunk.source_port.is_some())
        + usize::from(trunk.digest.is_some())
}

/// Whether a key has different values in both, so that no INVITE matches both.
fn excludes(a: &Trunk, b: &Trunk) -> bool {
    let differ = |x: &Option<Arc<str>>, y: &Option<Arc<str>>| matches!((x, y), (Some(x), Some(y)) if !x.eq_ignore_ascii_case(y));
    differ(&a.listener, &b.listener)
        || differ(&a.tls_name, &b.tls_name)
        || differ(&a.request_host, &b.request_host)
        || differ(&a.tgrp, &b.tgrp)
        || differ(&a.trunk_context, &b.trunk_context)
        || matches!((&a.digest, &b.digest), (Some(x), Some(y)) if x.username != y.username)
        || matches!((a.source_port, b.source_port), (Some(x), Some(y)) if x != y)
}

/// A trunk's sources with host bits cleared. One without sources matches any address by its further
/// keys, and nothing when it has none.
fn sources(trunk: &Trunk) -> Vec<Prefix> {
    let any = [IpAddr::from([0_u8; 4]), IpAddr::from([0_u8; 16])];
    match (trunk.sources.is_empty(), keys(trunk)) {
        (true, 0) => Vec::new(),
        (true, _) => any.map(|address| Prefix { address, length: 0 }).to_vec(),
        (false, _) => trunk.sources.iter().map(|prefix| canonical(*prefix)).collect(),
    }
}

/// `::ffff:a.b.c.d/96+n` is `a.b.c.d/n`.
fn canonical(prefix: Prefix) -> Prefix {
    let address = prefix.address.to_canonical();
    let length = if address.is_ipv4() && prefix.address.is_ipv6() {
        prefix.length.saturating_sub(96)
    } else {
        prefix.length
    };
    masked(address, length)
}

fn masked(address: IpAddr, length: u8) -> Prefix {
    let address = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    };
    Prefix { address, length }
}
