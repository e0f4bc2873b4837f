//! Identifiers on the wire that callgate mints: each carries a virtual shard and at least 64
//! random bits, so that whoever receives one knows who owns it and nobody can guess it.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use foldhash::quality::FixedState;

use crate::call::generator::Generator;
use crate::ids::{CallSid, VirtualShard};

/// What every branch begins with (RFC 3261 8.1.1.7), then our own mark.
const COOKIE: &[u8; 9] = b"z9hG4bKcg";
/// What our tags and Call-IDs begin with.
const MARK: &[u8; 2] = b"cg";
/// What the tags of responses begin with that leave no state behind.
const STATELESS: &[u8; 2] = b"cs";
/// How many times one call may come back to us: RFC 7332's guard against spirals.
pub const MAX_DEPTH: usize = 5;

/// The key all shards of a node share: what it hashes cannot be aimed at one shard.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardKey(pub [u8; 16]);

impl std::fmt::Debug for ShardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShardKey(…)")
    }
}

impl ShardKey {
    /// A keyed hash of a few texts; their borders count.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> u64 {
        let (low, high) = self.0.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let mut hasher = FixedState::with_seed(word(low)).build_hasher();
        hasher.write_u64(word(high));
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }

    /// Who owns a request without a tag of ours: its Call-ID decides, so that an INVITE, its
    /// retransmissions, its CANCEL and its merged copies meet.
    #[must_use]
    pub fn shard_of_call_id(&self, call_id: &[u8]) -> VirtualShard {
        VirtualShard(low_byte(self.hash(&[b"shard", call_id])))
    }

    /// The mark of an organization and a dialled form in a chain.
    #[must_use]
    pub fn mark(&self, organization: u128, form: &[u8]) -> u16 {
        let hash = self.hash(&[b"mark", &organization.to_be_bytes(), form]);
        u16::try_from(hash & 0xffff).expect("masked to 16 bits")
    }

    /// The tag of a response outside dialogs: the same for every copy of its request (RFC 3261 8.2.7).
    #[must_use]
    pub fn response_tag(&self, call_id: &[u8], from_tag: &[u8], cseq: u32) -> Tag {
        let hash = self.hash(&[b"tag", call_id, from_tag, &cseq.to_be_bytes()]);
        Tag::of(self.shard_of_call_id(call_id), hash)
    }
}

/// Whether raw bytes are the ACK of a response that left no state behind: nobody waits for it. A look at one line,
/// as in a flood reading it whole costs as much as the refusal did; an unusual To gets that reading.
#[must_use]
pub fn is_ack_of_stateless(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"ACK ") {
        return false;
    }
    let Some(to) = memchr::memmem::find(bytes, b"\r\nTo:") else { return false };
    let line = &bytes[to + 2..];
    let line = &line[..memchr::memchr(b'\r', line).unwrap_or(line.len())];
    memchr::memmem::find(line, b">;tag=").is_some_and(|at| line[at + 6..].starts_with(STATELESS))
}

/// A CallSid: 48 bits of milliseconds since 1970, then 80 random ones. Rows keyed by it are added at an
/// index's end; at a random place each costs a page of its own.
pub fn call_sid(since_1970: Duration, generator: &mut Generator) -> CallSid {
    const RANDOM: u32 = 80;
    CallSid(since_1970.as_millis() << RANDOM | generator.next_u128() >> (u128::BITS - RANDOM))
}

/// A From or To tag of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag([u8; 20]);

impl Tag {
    /// A fresh one.
    pub fn mint(shard: VirtualShard, generator: &mut Generator) -> Self {
        Self::of(shard, generator.next_u64())
    }

    fn of(shard: VirtualShard, random: u64) -> Self {
        let mut tag = [0; 20];
        tag[..2].copy_from_slice(MARK);
        put_hex(&mut tag[2..4], u64::from(shard.0));
        put_hex(&mut tag[4..], random);
        Self(tag)
    }

    /// The same for a response that leaves no state behind: its ACK is known by it ([`is_ack_of_stateless`]).
    #[must_use]
    pub fn stateless(mut self) -> Self {
        self.0[..2].copy_from_slice(STATELESS);
        self
    }

    /// The tag, if its form says that we minted it for a dialog or a transaction.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let tag: [u8; 20] = text.try_into().ok()?;
        (tag.starts_with(MARK) && tag[2..].iter().all(is_hex)).then_some(Self(tag))
    }

    /// Who owns it.
    #[must_use]
    pub fn shard(&self) -> VirtualShard {
        VirtualShard(hex_byte(&self.0[2..4]))
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A Via branch of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Branch([u8; 27]);

impl Branch {
    /// A fresh one.
    pub fn mint(shard: VirtualShard, generator: &mut Generator) -> Self {
        let mut branch = [0; 27];
        branch[..9].copy_from_slice(COOKIE);
        put_hex(&mut branch[9..11], u64::from(shard.0));
        put_hex(&mut branch[11..], generator.next_u64());
        Self(branch)
    }

    /// The branch, if its form says that we minted it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let branch: [u8; 27] = text.try_into().ok()?;
        (branch.starts_with(COOKIE) && branch[9..].iter().all(is_hex)).then_some(Self(branch))
    }

    /// Who owns it.
    #[must_use]
    pub fn shard(&self) -> VirtualShard {
        VirtualShard(hex_byte(&self.0[9..11]))
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Where a call has been on its way here: one mark per passage through us, the oldest first.
///
/// It rides in the Call-ID, the one thing of ours that every element between two passages keeps,
/// so no shard has to ask another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    marks: [u16; MAX_DEPTH],
    depth: u8,
}

impl Chain {
    /// The chain in a Call-ID; empty for a Call-ID that is not ours.
    #[must_use]
    pub fn read(call_id: &[u8], key: &ShardKey) -> Self {
        Self::read_own(call_id, key).unwrap_or_default()
    }

    /// Whether this place was passed already, or no further passage is allowed.
    #[must_use]
    pub fn forbids(&self, mark: u16) -> bool {
        let passed = &self.marks[..usize::from(self.depth)];
        passed.len() >= MAX_DEPTH || passed.contains(&mark)
    }

    /// The chain of the legs this call makes. A full chain stays as it is: [`Self::forbids`] has
    /// refused it before.
    #[must_use]
    pub fn with(mut self, mark: u16) -> Self {
        if let Some(slot) = self.marks.get_mut(usize::from(self.depth)) {
            *slot = mark;
            self.depth += 1;
        }
        self
    }

    /// A fresh Call-ID that carries the chain: mark, shard, 96 random bits, depth, marks, check.
    pub fn call_id(&self, shard: VirtualShard, key: &ShardKey, generator: &mut Generator) -> Box<[u8]> {
        let marks = usize::from(self.depth) * 4;
        let mut id = vec![0; 2 + 2 + 24 + 1 + marks + 8];
        id[..2].copy_from_slice(MARK);
        put_hex(&mut id[2..4], u64::from(shard.0));
        put_hex(&mut id[4..20], generator.next_u64());
        put_hex(&mut id[20..28], u64::from(generator.next_u32()));
        put_hex(&mut id[28..29], u64::from(self.depth));
        for (slot, mark) in id[29..29 + marks].chunks_exact_mut(4).zip(self.marks) {
            put_hex(slot, u64::from(mark));
        }
        let check = key.hash(&[b"call-id", &id[..29 + marks]]);
        put_hex(&mut id[29 + marks..], check);
        id.into_boxed_slice()
    }

    fn read_own(call_id: &[u8], key: &ShardKey) -> Option<Self> {
        let body = call_id.strip_prefix(MARK)?;
        if body.len() < 35 || !body.iter().all(is_hex) {
            return None;
        }
        let (signed, check) = call_id.split_at(call_id.len() - 8);
        let mut expected = [0; 8];
        put_hex(&mut expected, key.hash(&[b"call-id", signed]));
        let depth = hex_digit(signed[28]);
        let marks = &signed[29..];
        if check != expected || usize::from(depth) > MAX_DEPTH || marks.len() != usize::from(depth) * 4 {
            return None;
        }
        let mut chain = Self { depth, ..Self::default() };
        for (mark, text) in chain.marks.iter_mut().zip(marks.chunks_exact(4)) {
            *mark = u16::from_be_bytes([hex_byte(&text[..2]), hex_byte(&text[2..])]);
        }
        Some(chain)
    }
}

/// Writes the lowest digits of `value` that fit.
fn put_hex(slot: &mut [u8], mut value: u64) {
    for digit in slot.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(low_byte(value) & 15)];
        value >>= 4;
    }
}

fn low_byte(value: u64) -> u8 {
    u8::try_from(value & 0xff).expect("masked to 8 bits")
}

fn is_hex(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn hex_digit(byte: u8) -> u8 {
    if byte.is_ascii_digit() { byte - b'0' } else { (byte - b'a').wrapping_add(10) }
}

fn hex_byte(two: &[u8]) -> u8 {
    hex_digit(two[0]) << 4 | hex_digit(two[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ShardKey = ShardKey([3; 16]);

    #[test]
    fn tags_and_branches_name_their_shard() {
        let mut generator = Generator::new([1; 32]);
        for shard in [0, 9, 10, 255].map(VirtualShard) {
            let tag = Tag::mint(shard, &mut generator);
            assert_eq!(Tag::parse(tag.as_bytes()).map(|tag| tag.shard()), Some(shard));
            let branch = Branch::mint(shard, &mut generator);
            assert_eq!(Branch::parse(branch.as_bytes()).map(|branch| branch.shard()), Some(shard));
        }
        assert_eq!(Tag::parse(b"cg0011223344"), None);
        assert_eq!(Branch::parse(b"z9hG4bK776asdhds"), None);
    }

    #[test]
    fn sids_of_calls_sort_by_their_time_and_are_guessed_by_nobody() {
        let mut generator = Generator::new([1; 32]);
        let at = Duration::from_millis(1_795_000_000_000);
        let first = call_sid(at, &mut generator);
        let twin = call_sid(at, &mut generator);
        let later = call_sid(at + Duration::from_millis(1), &mut generator);
        assert!(first != twin && first.0.max(twin.0) < later.0);
        assert_eq!(first.0 >> 80, 1_795_000_000_000);
        assert!((first.0 ^ twin.0) >> 64 & 0xffff != 0, "the random part reaches up to the time");
    }

    #[test]
    fn a_call_id_carries_its_chain() {
        let mut generator = Generator::new([1; 32]);
        let (here, there) = (KEY.mark(1, b"100"), KEY.mark(1, b"200"));
        let first = Chain::default().with(here);
        let id = first.call_id(VirtualShard(7), &KEY, &mut generator);
        let read = Chain::read(&id, &KEY);
        assert!(read.forbids(here));
        assert!(!read.forbids(there));
        let id = read.with(there).call_id(VirtualShard(7), &KEY, &mut generator);
        assert!(Chain::read(&id, &KEY).forbids(here));
        assert!(Chain::read(&id, &KEY).forbids(there));
    }

    #[test]
    fn a_foreign_or_altered_call_id_has_no_chain() {
        let mut generator = Generator::new([1; 32]);
        let mark = KEY.mark(1, b"100");
        let mut id = Chain::default().with(mark).call_id(VirtualShard(7), &KEY, &mut generator);
        assert!(!Chain::read(&id, &ShardKey([4; 16])).forbids(mark));
        id[5] = if id[5] == b'0' { b'1' } else { b'0' };
        assert!(!Chain::read(&id, &KEY).forbids(mark));
        assert_eq!(Chain::read(b"a84b4c76e66710@pc33.atlanta.example.com", &KEY), Chain::default());
    }

    #[test]
    fn depth_is_bounded() {
        let mut chain = Chain::default();
        for form in 0..5u8 {
            let mark = KEY.mark(1, &[form]);
            assert!(!chain.forbids(mark));
            chain = chain.with(mark);
        }
        assert!(chain.forbids(KEY.mark(1, b"elsewhere")));
    }

    #[test]
    fn a_stateless_tag_is_the_same_for_every_copy() {
        let stateless = |cseq| KEY.response_tag(b"c", b"f", cseq).stateless();
        assert_eq!(stateless(1), stateless(1));
        assert_ne!(stateless(1), stateless(2));
    }

    #[test]
    fn an_ack_of_what_left_no_state_is_known_by_its_to_alone() {
        let text = |method: &str, to: Tag, from: Tag| {
            format!(
                "{method} sip:a@h SIP/2.0\r\nFrom: <sip:b@h>;tag={from:?}\r\nTo: <sip:a@h>;tag={to:?}\r\nCSeq: 1 ACK\r\n\r\n"
            )
        };
        let some = KEY.response_tag(b"c", b"f", 1);
        let none = some.stateless();
        assert!(is_ack_of_stateless(text("ACK", none, some).as_bytes()));
        assert!(!is_ack_of_stateless(text("ACK", some, none).as_bytes()));
        assert!(!is_ack_of_stateless(text("BYE", none, some).as_bytes()));
        assert_eq!(Tag::parse(none.as_bytes()), None);
        assert_eq!(Tag::parse(some.as_bytes()), Some(some));
    }
}
