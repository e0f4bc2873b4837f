//! Trunks that must prove themselves by digest: challenged without any state of ours, as the nonce says
//! itself when and for whom it was made (RFC 3261 22.4, RFC 8760). ACK and CANCEL are never challenged.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::call::ask::Counter;
use crate::call::compose;
use crate::call::mint::ShardKey;
use crate::call::proof::{Proof, same};
use crate::engine::core::Engine;
use crate::engine::overload::is_an_emergency;
use crate::flow::Flow;
use crate::routing::model::{Trunk, TrunkDigest};
use crate::sip::{Message, Name, unfold};

/// How long a nonce is good for: a client answers a challenge at once.
const NONCE_LASTS: Duration = Duration::from_secs(60);

/// What came of a look at credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Right,
    /// Right but for the nonce, which is too old.
    Stale,
    Wrong,
}

impl Engine {
    /// Whether a request of this trunk may go on. Where it must prove itself and does not, it is challenged.
    pub(super) fn proves(&mut self, flow: Flow, trunk: &Arc<Trunk>, message: &Message<'_>) -> bool {
        let Some(digest) = &trunk.digest else { return true };
        // Who is known by its address as well gets its emergency calls through without.
        if self.is_named(&flow) && is_an_emergency(Some(trunk), message) {
            return true;
        }
        let shown = self.shown(&flow, digest, message);
        if shown == Shown::Right {
            self.desk.count(Counter::Proved);
            return true;
        }
        self.challenge(flow, trunk, digest, message, shown == Shown::Stale);
        false
    }

    fn shown(&self, flow: &Flow, digest: &TrunkDigest, message: &Message<'_>) -> Shown {
        let method = message.method().map_or(&[][..], |method| method.as_bytes());
        let now = self.wall();
        let mut best = Shown::Wrong;
        for header in message.all(Name::Authorization) {
            let value = unfold(header.value);
            let Some(proof) = Proof::read(&value) else { continue };
            // For another call, or of another place, they were never shown to us.
            if !proof.uri.eq_ignore_ascii_case(message.uri_bytes()) || !proof.holds(digest, method) {
                continue;
            }
            match age(&self.desk.config.shard_key, proof.nonce, flow.peer.ip(), &digest.realm, now) {
                Some(age) if age <= NONCE_LASTS => return Shown::Right,
                // One of an earlier life, or for another address, is as good as an old one.
                _ => best = Shown::Stale,
            }
        }
        best
    }

    /// The wall clock's time, as far as the engine was told it: since 1970.
    fn wall(&self) -> Duration {
        self.desk.config.epoch + self.desk.now.since(crate::time::Instant::ZERO)
    }

    /// 401 without state (8.2.7), both algorithms, the better one first.
    fn challenge(
        &mut self,
        flow: Flow,
        trunk: &Arc<Trunk>,
        digest: &TrunkDigest,
        message: &Message<'_>,
        stale: bool,
    ) {
        let named = self.is_named(&flow);
        if !named && !self.may_be_told(message) {
            return;
        }
        let now = self.wall();
        let count = self.desk.generator.next_u64();
        let nonce = nonce(&self.desk.config.shard_key, flow.peer.ip(), &digest.realm, now, count);
        let tag = self.response_tag(message).stateless();
        // A stranger's datagram is answered with no more bytes than it has.
        for algorithms in [&["SHA-256", "MD5"][..], &["MD5"]] {
            let paper = &mut self.desk.paper;
            let mut writer = compose::response(paper, message, &flow, 401, Some(tag.as_bytes()));
            for algorithm in algorithms {
                let stale = if stale { ", stale=true" } else { "" };
                let value = format!(
                    "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}",
                    digest.realm
                );
                writer.header(Name::WwwAuthenticate, &[value.as_bytes()]);
            }
            writer.finish();
            if named || !self.is_larger(&flow, message.bytes().len()) {
                break;
            }
        }
        self.send_stateless(named.then_some(&**trunk), flow, message);
    }
}

/// When it was made, a number that makes it one of its kind, and a keyed hash over both, whose it is and the realm.
fn nonce(key: &ShardKey, peer: IpAddr, realm: &str, now: Duration, count: u64) -> String {
    let head = format!("{:08x}{:08x}", now.as_secs() & 0xffff_ffff, count & 0xffff_ffff);
    let mark = mark(key, &head, peer, realm);
    head + &mark
}

/// How old a nonce of ours is; `None`: it is none, or was for somebody else.
fn age(key: &ShardKey, nonce: &[u8], peer: IpAddr, realm: &str, now: Duration) -> Option<Duration> {
    let nonce = std::str::from_utf8(nonce).ok()?;
    let (head, given) = nonce.split_at_checked(16)?;
    if !same(mark(key, head, peer, realm).as_bytes(), given.as_bytes()) {
        return None;
    }
    let made = Duration::from_secs(u64::from_str_radix(&head[..8], 16).ok()?);
    let now = Duration::from_secs(now.as_secs() & 0xffff_ffff);
    now.checked_sub(made)
}

/// Keyed twice, so that nothing can be appended (RFC 2104's shape).
fn mark(key: &ShardKey, head: &str, peer: IpAddr, realm: &str) -> String {
    let inner = Sha256::new()
        .chain_update(b"callgate digest nonce, inner")
        .chain_update(key.0)
        .chain_update(format!("{head} {} {realm}", peer.to_canonical()))
        .finalize();
    let outer =
        Sha256::new().chain_update(b"callgate digest nonce, outer").chain_update(key.0).chain_update(inner);
    outer.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_says_when_and_for_whom_it_was_made_and_cannot_be_made_by_others() {
        let (key, other) = (ShardKey([7; 16]), ShardKey([8; 16]));
        let peer = IpAddr::from([192, 0, 2, 1]);
        let at = Duration::from_secs(1_800_000_000);
        let made = nonce(&key, peer, "gate", at, 5);
        let later = at + Duration::from_secs(61);
        assert_eq!(age(&key, made.as_bytes(), peer, "gate", later), Some(Duration::from_secs(61)));
        assert_eq!(age(&other, made.as_bytes(), peer, "gate", later), None);
        assert_eq!(age(&key, made.as_bytes(), IpAddr::from([192, 0, 2, 2]), "gate", later), None);
        assert_eq!(age(&key, made.as_bytes(), peer, "other", later), None);
        let younger = made.replacen(&made[..8], "ffffffff", 1);
        assert_eq!(age(&key, younger.as_bytes(), peer, "gate", later), None);
        for none in ["", "x", "0123456789abcdef", "äöüäöüäöüäöüäöüäöü"] {
            assert_eq!(age(&key, none.as_bytes(), peer, "gate", later), None);
        }
        assert_ne!(made, nonce(&key, peer, "gate", at, 6));
    }
}
