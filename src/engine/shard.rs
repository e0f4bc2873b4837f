//! Which virtual shard a message belongs to.

use crate::call::mint::{Branch, ShardKey, Tag, is_ack_of_stateless};
use crate::ids::VirtualShard;
use crate::sip::Message;

/// Who owns a raw message: a response by the branch we minted, a request by the To tag we minted,
/// else by a hash of its Call-ID, and never by a shard written into a Call-ID. `None`: it cannot be
/// read or nobody waits for it, and whoever has it may count it.
#[must_use]
pub fn virtual_shard(bytes: &[u8], key: &ShardKey) -> Option<VirtualShard> {
    if is_ack_of_stateless(bytes) {
        return None;
    }
    let message = Message::scan(bytes).ok()?;
    let by_call_id = || key.shard_of_call_id(message.call_id());
    if message.is_request() {
        let ours = message.to().tag().and_then(Tag::parse);
        return Some(ours.map_or_else(by_call_id, |tag| tag.shard()));
    }
    let ours = message.top_via().branch().and_then(Branch::parse);
    Some(ours.map_or_else(by_call_id, |branch| branch.shard()))
}
