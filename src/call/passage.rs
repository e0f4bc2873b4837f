//! What of a message is written for the other side: the header table, laid over with the trust between
//! the two sides, what is to be kept private, and the rules of trunk and gateway.

use std::sync::Arc;

use crate::call::capabilities;
use crate::call::headers::{self, Fate};
use crate::call::history;
use crate::call::privacy::{self, Privacy};
use crate::call::state::Side;
use crate::routing::model::{HeaderAction, HeaderRules, Trunk, Way};
use crate::sip::{Header, Message, Method, Name, Writer};

/// One message's way from one side of a call to the other.
#[derive(Debug)]
pub(super) struct Passage<'p> {
    /// Both sides are trusted with identity (RFC 3325).
    pub trusted: bool,
    /// Who reads it is trusted: privacy is for that side to see to.
    pub reader_trusted: bool,
    /// What is kept from the reader.
    pub privacy: Privacy,
    /// The rules of the side it comes from.
    from: &'p HeaderRules,
    /// The rules of the side it goes to.
    pub(super) to: &'p HeaderRules,
}

/// One side of a call as far as its headers go.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'p> {
    pub trusted: bool,
    pub rules: &'p HeaderRules,
    /// It is whom an emergency call goes to: identity reaches it whatever the trunk is trusted with.
    pub helps: bool,
}

impl<'p> End<'p> {
    /// The caller's.
    pub const fn of_trunk(trunk: &'p Trunk) -> Self {
        Self { trusted: trunk.trusted, rules: &trunk.header_rules, helps: false }
    }
}

impl<'p> Passage<'p> {
    /// The way of `message` toward one side, between the one at the caller's place and the target's.
    pub fn new(caller: End<'p>, target: End<'p>, toward: Side, message: &Message<'_>) -> Self {
        let both = caller.trusted && target.trusted;
        let (trusted, reader_trusted, from, to) = match toward {
            Side::A => (both, caller.trusted, target.rules, caller.rules),
            Side::B => (both || target.helps, target.trusted || target.helps, caller.rules, target.rules),
        };
        let privacy = if reader_trusted { Privacy::default() } else { Privacy::of(message) };
        Self { trusted, reader_trusted, privacy, from, to }
    }

    /// What the peers' rules say: `Some(true)` passes, `Some(false)` does not, `None`: nothing.
    fn ruled(&self, name: Name, text: &[u8]) -> Option<bool> {
        let sent = self.from.of(Way::In, name, text).map(|action| *action == HeaderAction::Pass);
        if sent == Some(false) {
            return sent;
        }
        self.to.of(Way::Out, name, text).map_or(sent, |action| Some(*action == HeaderAction::Pass))
    }

    /// Whether the peers' rules keep a header from the reader.
    pub fn drops(&self, name: Name) -> bool {
        self.ruled(name, name.as_str().as_bytes()) == Some(false)
    }

    fn passes(&self, fate: Fate, header: &Header<'_>) -> bool {
        let by_default = match fate {
            Fate::EndHere | Fate::Translate => return false,
            Fate::ByTrust => self.trusted,
            Fate::Pass => true,
        };
        !self.privacy.hides(header.name) && self.ruled(header.name, header.text).unwrap_or(by_default)
    }

    /// Writes one header where it passes.
    fn write(&self, writer: &mut Writer<'_>, fate: Fate, header: &Header<'_>) {
        if !self.passes(fate, header) {
            return;
        }
        match header.name {
            Name::Diversion if !self.reader_trusted => privacy::diversions(writer, &header.unfolded()),
            Name::HistoryInfo if !self.reader_trusted => {
                history::guarded(writer, header, self.privacy.hides_history());
            }
            _ => {
                writer.bytes(header.line);
            }
        }
    }

    /// Writes what the rules set: the reader's come before the sender's.
    fn set(&self, writer: &mut Writer<'_>) {
        let of_sender = self.from.written(Way::In).filter(|(name, _)| {
            let action = self.to.of(Way::Out, Name::of(name.as_bytes()), name.as_bytes());
            action.is_none_or(|action| *action == HeaderAction::Pass)
        });
        for (name, value) in of_sender.chain(self.to.written(Way::Out)) {
            writer.text(name.as_bytes()).bytes(b": ").text(value.as_bytes()).end();
        }
    }
}

/// The headers of a request that pass, in order. `without`: option tags that this one leaves out.
pub(super) fn request_headers(
    writer: &mut Writer<'_>,
    request: &Message<'_>,
    passage: &Passage<'_>,
    without: &[&[u8]],
) {
    for header in request.headers() {
        passage.write(writer, headers::request(header.name, header.text), &header);
    }
    privacy::told(writer, request, passage.reader_trusted);
    for name in [Name::Supported, Name::Require, Name::ProxyRequire] {
        capabilities::options(writer, request, name, without);
    }
    capabilities::allow(writer, request, request.method() == Some(Method::Invite));
    reasons(writer, request);
    passage.set(writer);
}

/// The headers of a response that pass, in order.
pub(super) fn response_headers(writer: &mut Writer<'_>, response: &Message<'_>, passage: &Passage<'_>) {
    for header in response.headers() {
        passage.write(writer, headers::response(header.name, header.text), &header);
    }
    privacy::told(writer, response, passage.reader_trusted);
    capabilities::options(writer, response, Name::Supported, &[]);
    // Whether a response is reliable, or binds a session, is said where it is made so.
    capabilities::options(writer, response, Name::Require, &[b"100rel", b"timer"]);
    let code = response.code().unwrap_or(500);
    let accepts = (200..300).contains(&code) && response.cseq().method == Method::Invite;
    capabilities::allow(writer, response, accepts || code == 405);
    reasons(writer, response);
    if code == 420 {
        for header in response.all(Name::Unsupported) {
            writer.bytes(header.line);
        }
    }
    passage.set(writer);
}

/// Writes the headers that a document's noun adds, as far as its gateway's rules let them.
pub(super) fn added(writer: &mut Writer<'_>, rules: &HeaderRules, headers: &[(Arc<str>, Arc<str>)]) {
    for (name, value) in headers {
        let text = name.as_bytes();
        let is_ruled = rules.of(Way::Out, Name::of(text), text);
        if is_ruled.is_none_or(|action| *action == HeaderAction::Pass) {
            writer.text(text).bytes(b": ").text(value.as_bytes()).end();
        }
    }
}

/// What a trunk's own rules set in an answer that no target stands behind.
pub(super) fn own_headers(writer: &mut Writer<'_>, rules: &HeaderRules) {
    for (name, value) in rules.written(Way::Out) {
        writer.text(name.as_bytes()).bytes(b": ").text(value.as_bytes()).end();
    }
}

/// The Reason values that pass across BYE, CANCEL and responses (RFC 3326).
pub(super) fn reasons(writer: &mut Writer<'_>, message: &Message<'_>) {
    for value in message.values(Name::Reason).filter(|value| headers::reason_passes(value)) {
        writer.header(Name::Reason, &[value]);
    }
}

/// The header lines that say what the body is, for messages that carry another's body.
pub(super) fn body_headers(writer: &mut Writer<'_>, message: &Message<'_>) {
    for header in message.headers() {
        let describes = matches!(
            header.name,
            Name::ContentType
                | Name::ContentDisposition
                | Name::ContentEncoding
                | Name::ContentLanguage
                | Name::MimeVersion
        );
        if describes {
            writer.bytes(header.line);
        }
    }
}
