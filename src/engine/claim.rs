//! Whose a message is, while the process that follows this one stands behind it as one more shard.

use crate::call::mint::Tag;
use crate::engine::core::Engine;
use crate::sip::{Message, Method};
use crate::transaction::key::{RequestParts, ResponseParts};

impl Engine {
    /// Whether a message is this engine's: of a transaction or a dialog that it has. All else begins
    /// something, and is whoever's takes new calls. `closing`: only what a transaction still waits for.
    /// What cannot be read is refused here.
    pub fn claims(&mut self, bytes: &[u8], closing: bool) -> bool {
        let Ok(message) = Message::scan(bytes) else { return true };
        let table = &mut self.desk.table;
        if let Some(response) = ResponseParts::of(&message) {
            return table.knows_response(&response);
        }
        if RequestParts::of(&message).is_some_and(|request| table.knows_request(&request)) {
            return true;
        }
        let within = message.to().tag().and_then(Tag::parse);
        let known = within.is_some_and(|tag| self.desk.tags.contains_key(&tag));
        known && (!closing || message.method() == Some(Method::Ack))
    }
}
