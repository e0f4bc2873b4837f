//! What a side asks to keep to itself (RFC 3323, RFC 3325 9.3, RFC 7044 10.1), and what of it is done
//! here: toward peers that are not trusted this is the privacy service; trusted ones get the request
//! with everything in it and do the same at their own border.

use crate::sip::{Message, Name, NameAddr, Writer, trim};

/// The priv-values of a message's Privacy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Who calls is not to be told (RFC 3325).
    pub id: bool,
    /// Nor by what the user agent wrote: From, Subject and the like.
    pub user: bool,
    /// Nor by what was written on the way.
    pub header: bool,
    /// Nor whom the call was for before.
    pub history: bool,
    /// Nor by the addresses of the media, which are never touched here.
    pub session: bool,
    /// Rather no call than one without it.
    pub critical: bool,
}

impl Privacy {
    /// What a message asks for; nothing where it says `none`.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Self {
        let mut asked = Self::default();
        for value in values(message) {
            match value.to_ascii_lowercase().as_slice() {
                b"id" => asked.id = true,
                b"user" => asked.user = true,
                b"header" => asked.header = true,
                b"history" => asked.history = true,
                b"session" => asked.session = true,
                b"critical" => asked.critical = true,
                b"none" => return Self::default(),
                _ => {}
            }
        }
        asked
    }

    /// The caller's name and number are withheld.
    #[must_use]
    pub const fn withholds_caller(self) -> bool {
        self.id || self.user
    }

    /// Whether the call must not be made toward a peer that is not trusted: nobody here can hide where
    /// the media comes from.
    #[must_use]
    pub const fn is_beyond_us(self) -> bool {
        self.session && self.critical
    }

    /// Whether a header is kept from a peer that is not trusted. `Diversion` and `History-Info` are
    /// looked at entry by entry.
    #[must_use]
    pub(super) const fn hides(self, name: Name) -> bool {
        match name {
            Name::PAssertedIdentity | Name::PPreferredIdentity | Name::RemotePartyId => {
                self.withholds_caller()
            }
            // RFC 3323 4.1: what says who the user is and is no part of the protocol.
            Name::Subject | Name::CallInfo | Name::Organization | Name::UserAgent => self.user,
            Name::ReplyTo | Name::InReplyTo | Name::ReferredBy => self.user,
            Name::Diversion => self.header || self.history,
            _ => false,
        }
    }

    /// Whether all entries of History-Info are hidden (RFC 7044 10.1.2).
    pub(super) const fn hides_history(self) -> bool {
        self.header || self.history
    }
}

/// Writes the Privacy of a message for its next reader: a trusted one is told everything, another what
/// was not done here.
pub(super) fn told(writer: &mut Writer<'_>, message: &Message<'_>, is_trusted: bool) {
    if is_trusted {
        for header in message.all(Name::Privacy) {
            writer.bytes(header.line);
        }
        return;
    }
    let done: [&[u8]; 4] = [b"id", b"user", b"header", b"history"];
    let is_left = |value: &&[u8]| !done.iter().any(|known| known.eq_ignore_ascii_case(value));
    let names_more = |value: &&[u8]| !value.eq_ignore_ascii_case(b"critical");
    if !values(message).filter(is_left).any(|value| names_more(&value)) {
        return;
    }
    writer.begin(Name::Privacy);
    for (at, value) in values(message).filter(is_left).enumerate() {
        writer.bytes(if at == 0 { b"" } else { b";" }).bytes(value);
    }
    writer.end();
}

/// Writes what of a Diversion header an untrusted peer may read: entries that are not private
/// (RFC 5806 4.1).
pub(super) fn diversions(writer: &mut Writer<'_>, value: &[u8]) {
    let entries = crate::sip::Elements::new(value)
        .filter(|entry| NameAddr::parse(entry).is_some_and(|entry| !is_private_diversion(&entry)));
    for entry in entries {
        writer.header(Name::Diversion, &[entry]);
    }
}

/// Whether who diverted wants its number kept.
#[must_use]
pub fn is_private_diversion(entry: &NameAddr<'_>) -> bool {
    let privacy = entry.params.get("privacy").map(trim).unwrap_or_default();
    privacy.eq_ignore_ascii_case(b"full") || privacy.eq_ignore_ascii_case(b"uri")
}

fn values<'m>(message: &Message<'m>) -> impl Iterator<Item = &'m [u8]> {
    let parts = |value: &'m [u8]| value.split(|&byte| byte == b';').map(trim);
    message.values(Name::Privacy).flat_map(parts).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(privacy: &str) -> String {
        format!(
            "INVITE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:b@h>;tag=1\r\n\
             To: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{privacy}\r\n"
        )
    }

    #[test]
    fn values_are_parted_by_semicolons_and_none_undoes_them() {
        let of = |privacy: &str| Privacy::of(&Message::scan(asked(privacy).as_bytes()).unwrap());
        assert_eq!(
            of("Privacy: ID ; critical\r\n"),
            Privacy { id: true, critical: true, ..Privacy::default() }
        );
        assert_eq!(
            of("Privacy: user\r\nPrivacy: history\r\n"),
            Privacy { user: true, history: true, ..Privacy::default() }
        );
        assert_eq!(of("Privacy: none;id\r\n"), Privacy::default());
        assert!(of("Privacy: session;critical\r\n").is_beyond_us());
        assert!(!of("Privacy: session\r\n").is_beyond_us());
    }

    #[test]
    fn what_was_done_here_is_not_asked_of_the_next() {
        let told = |privacy: &str, is_trusted| {
            let text = asked(privacy);
            let mut out = Vec::new();
            told(&mut Writer::append(&mut out), &Message::scan(text.as_bytes()).unwrap(), is_trusted);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(told("Privacy: id;critical\r\n", false), "");
        assert_eq!(told("Privacy: id;session;critical\r\n", false), "Privacy: session;critical\r\n");
        assert_eq!(told("Privacy: none\r\n", false), "Privacy: none\r\n");
        assert_eq!(told("Privacy: id;critical\r\n", true), "Privacy: id;critical\r\n");
    }
}
