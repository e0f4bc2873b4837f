//! Session descriptions in a call whose ends change: what each side described last, and the origin that
//! goes on toward a side whose peer is another one now (RFC 3725 10, RFC 3264 8). Nothing else of a
//! description is ever written.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::call::state::{Call, Side};
use crate::sip::{Message, Name, trim};

/// The `o=` line that a side knows its peer by, and how far its version has come.
#[derive(Clone, Debug)]
pub(in crate::call) struct Described {
    /// `o=` up to the blank before the version, and from the blank behind it on.
    around: [Box<[u8]>; 2],
    version: u64,
    /// The description it stood in last, as it came: a repetition is no new version.
    last: Box<[u8]>,
}

impl Described {
    /// The origin of a description.
    pub fn of(body: &[u8]) -> Option<Self> {
        let line = &body[line_of(body)?];
        let mut blanks = memchr::memchr_iter(b' ', line);
        let (from, to) = (blanks.nth(1)? + 1, blanks.next()?);
        let version = std::str::from_utf8(&line[from..to]).ok()?.parse().ok()?;
        Some(Self { around: [line[..from].into(), line[to..].into()], version, last: body.into() })
    }

    /// A description of somebody else, as the next one of this origin. `None`: it has no origin.
    pub fn go_on(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let line = line_of(body)?;
        if *self.last != *body {
            self.version = self.version.wrapping_add(1);
            self.last = body.into();
        }
        let version = self.version.to_string();
        let [before, behind] = &self.around;
        Some([&body[..line.start], before, version.as_bytes(), behind, &body[line.end..]].concat())
    }
}

/// Where the `o=` line stands, without its end.
fn line_of(body: &[u8]) -> Option<Range<usize>> {
    let start = if body.starts_with(b"o=") { 0 } else { memchr::memmem::find(body, b"\no=")? + 1 };
    let end = memchr::memchr2(b'\r', b'\n', &body[start..]).map_or(body.len(), |at| start + at);
    Some(start..end)
}

/// The session description of a message.
fn description<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    let kind = message.value(Name::ContentType)?;
    let end = memchr::memchr(b';', kind).unwrap_or(kind.len());
    let is_sdp = trim(&kind[..end]).eq_ignore_ascii_case(b"application/sdp");
    Some(message.body()).filter(|body| is_sdp && !body.is_empty())
}

impl Call {
    /// Remembers what a side describes, where a transfer may need it.
    pub(in crate::call) fn listen(&mut self, pair: usize, side: Side, message: &Message<'_>) {
        if self.facts.profile.refer.is_some()
            && let Some(said) = description(message)
        {
            self.pairs[pair].spoken[side as usize] = Some(said.into());
        }
    }

    /// Remembers the offer of the caller's INVITE.
    pub(in crate::call) fn listen_to_caller(&mut self, pair: usize) {
        let refers = self.facts.profile.refer.is_some();
        let invite = self.invite.as_ref().filter(|_| refers).map(|kept| kept.message());
        let said = invite.as_ref().and_then(description).map(Arc::from);
        let known = &mut self.pairs[pair].spoken[Side::A as usize];
        *known = known.take().or(said);
    }

    /// The body of a message as a side gets it.
    pub(in crate::call) fn body_toward<'m>(
        &mut self,
        pair: usize,
        side: Side,
        message: &Message<'m>,
    ) -> Cow<'m, [u8]> {
        let origin = self.pairs[pair].origins[side as usize].as_mut();
        let said = description(message);
        let written = origin.zip(said).and_then(|(origin, said)| origin.go_on(said));
        written.map_or(Cow::Borrowed(message.body()), Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::Described;

    #[test]
    fn anothers_description_goes_on_from_the_first_origin() {
        let first = b"v=0\r\no=bob 7 41 IN IP4 192.0.2.2\r\ns=-\r\n";
        let mut origin = Described::of(first).unwrap();
        let other = b"v=0\r\no=- 99 1 IN IP6 ::1\r\ns=o=x\r\nt=0 0\r\n";
        let said = b"v=0\r\no=bob 7 42 IN IP4 192.0.2.2\r\ns=o=x\r\nt=0 0\r\n";
        assert_eq!(origin.go_on(other).unwrap(), said);
        assert_eq!(origin.go_on(other).unwrap(), said, "a repetition is no new version");
        assert!(origin.go_on(b"o=- 99 2 IN IP6 ::1").unwrap().starts_with(b"o=bob 7 43 IN"));
        assert!(origin.go_on(b"v=0\r\n").is_none());
        assert!(Described::of(b"v=0 offer").is_none() && Described::of(b"o=a b c d").is_none());
    }
}
