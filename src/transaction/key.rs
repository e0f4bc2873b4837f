//! What a message is matched to its transaction by (RFC 3261, 17.1.3 and 17.2.3).

use crate::sip::{Message, Name};

/// What every branch of RFC 3261 begins with (8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The parts of a request that name its transaction, each as written.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method of the request line.
    pub method: &'a [u8],
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The topmost Via element, whole.
    pub via: &'a [u8],
    /// Its branch.
    pub branch: Option<&'a [u8]>,
    /// The host of its sent-by.
    pub host: &'a [u8],
    /// The port of its sent-by.
    pub port: Option<u16>,
    /// The tag of From.
    pub from_tag: Option<&'a [u8]>,
    /// The tag of To.
    pub to_tag: Option<&'a [u8]>,
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The number of CSeq.
    pub cseq: u32,
}

/// The parts of a response that name its transaction, and what an ACK needs of it.
#[derive(Clone, Copy, Debug)]
pub struct ResponseParts<'a> {
    /// The status code.
    pub status: u16,
    /// The branch of the topmost Via, which is ours.
    pub branch: &'a [u8],
    /// The method of CSeq.
    pub method: &'a [u8],
    /// The value of To, with the peer's tag.
    pub to: &'a [u8],
}

impl<'a> RequestParts<'a> {
    /// The parts of a scanned request; `None` for a response.
    #[must_use]
    pub fn of(message: &Message<'a>) -> Option<Self> {
        let method = message.method()?.as_bytes();
        let via = message.top_via();
        Some(Self {
            method,
            uri: message.uri_bytes(),
            via: via.raw,
            branch: via.branch(),
            host: via.host,
            port: via.port,
            from_tag: message.from().tag(),
            to_tag: message.to().tag(),
            call_id: message.call_id(),
            cseq: message.cseq().number,
        })
    }
}

impl<'a> ResponseParts<'a> {
    /// The parts of a scanned response; `None` for a request, or without a branch.
    #[must_use]
    pub fn of(message: &Message<'a>) -> Option<Self> {
        Some(Self {
            status: message.code()?,
            branch: message.top_via().branch()?,
            method: message.cseq().method.as_bytes(),
            to: message.value(Name::To)?,
        })
    }
}

impl RequestParts<'_> {
    /// Whether the client knows of RFC 3261's branches.
    fn has_cookie(&self) -> Option<&[u8]> {
        let branch = self.branch?;
        let cookie = branch.get(..MAGIC_COOKIE.len())?;
        cookie.eq_ignore_ascii_case(MAGIC_COOKIE).then_some(branch)
    }

    /// Writes the key of the server transaction that this request would match if its method were
    /// `method`: for ACK and CANCEL that is the INVITE's.
    pub(super) fn server_key(&self, method: &[u8], key: &mut Vec<u8>) {
        key.clear();
        if let Some(branch) = self.has_cookie() {
            key.push(b's');
            put(key, method);
            put(key, branch);
            key.extend_from_slice(&self.port.unwrap_or(5060).to_be_bytes());
            key.extend(self.host.iter().map(u8::to_ascii_lowercase));
            return;
        }
        // RFC 2543. The tag of To is left out: an ACK carries the one of our response, its INVITE none.
        key.push(b'o');
        put(key, method);
        put(key, self.uri);
        put(key, self.from_tag.unwrap_or_default());
        put(key, self.call_id);
        key.extend_from_slice(&self.cseq.to_be_bytes());
        key.extend_from_slice(self.via);
    }

    /// Writes what copies of one request that came by several ways have in common (8.2.2.2); false
    /// for a request inside a dialog, which is never a merged one.
    pub(super) fn merge_key(&self, key: &mut Vec<u8>) -> bool {
        key.clear();
        if self.to_tag.is_some() {
            return false;
        }
        put(key, self.method);
        put(key, self.from_tag.unwrap_or_default());
        put(key, self.call_id);
        key.extend_from_slice(&self.cseq.to_be_bytes());
        true
    }
}

/// Writes the key of a client transaction.
pub(super) fn client_key(branch: &[u8], method: &[u8], key: &mut Vec<u8>) {
    key.clear();
    key.push(b'c');
    put(key, method);
    key.extend_from_slice(branch);
}

/// A part with its length, so that no two lists of parts look alike.
fn put(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    key.extend_from_slice(part);
}
