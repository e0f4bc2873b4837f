//! Messages in a stream, found by Content-Length (RFC 3261 18.3), with limits.

use super::bytes::{is_token, trim};
use super::malformed::Fault;
use super::name::Name;
use super::scan::{MAX_MESSAGE, content_length};

/// What the bytes held so far begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing whole yet: more bytes are needed.
    Partial,
    /// This many bytes between messages; `ping`: they complete a double CRLF, a keep-alive that is
    /// answered with one CRLF (RFC 5626 3.5.1).
    Blank {
        /// How many bytes.
        length: usize,
        /// Whether to answer.
        ping: bool,
    },
    /// A whole message of this many bytes.
    Message(usize),
}

/// The stream cannot be read on; the connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream cannot be framed: {0}")]
pub struct FrameError(pub Fault);

/// Cuts a stream into messages. What it gives depends on the bytes alone, never on how they were cut
/// when they arrived, and it costs time linear in them.
///
/// The caller holds the bytes: it calls [`Framer::step`] with all it has, and takes the bytes of a
/// [`Frame::Blank`] or [`Frame::Message`] away before the next call.
#[derive(Debug, Default)]
pub struct Framer {
    /// How far the end of the head was looked for.
    searched: usize,
    /// The whole length of the message, once its head is there.
    length: Option<usize>,
    /// The last thing taken was one CRLF.
    crlf: bool,
}

impl Framer {
    /// For a new stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `held` begins with.
    ///
    /// # Errors
    /// The stream is no SIP, passes a limit, or has a message without a readable Content-Length.
    /// The connection must close; `held` is what a 400 may be read from.
    pub fn step(&mut self, held: &[u8]) -> Result<Frame, FrameError> {
        match held {
            [] | [b'\r'] => Ok(Frame::Partial),
            [b'\r', b'\n', ..] => {
                self.crlf = !self.crlf;
                Ok(Frame::Blank { length: 2, ping: !self.crlf })
            }
            _ => self.message(held).map_err(FrameError),
        }
    }

    fn message(&mut self, held: &[u8]) -> Result<Frame, Fault> {
        self.crlf = false;
        if self.length.is_none() {
            self.length = self.measure(held)?;
        }
        match self.length {
            Some(length) if held.len() >= length => {
                (self.searched, self.length) = (0, None);
                Ok(Frame::Message(length))
            }
            _ => Ok(Frame::Partial),
        }
    }

    /// The length of the message, once the empty line behind its head is there.
    fn measure(&mut self, held: &[u8]) -> Result<Option<usize>, Fault> {
        if !is_token(held[0]) {
            return Err(Fault::bad("stream", "does not begin with a SIP message"));
        }
        let from = self.searched.saturating_sub(3);
        let window = &held[..held.len().min(MAX_MESSAGE)];
        let Some(found) = memchr::memmem::find(&window[from..], b"\r\n\r\n") else {
            if held.len() >= MAX_MESSAGE {
                return Err(Fault { status: 513, place: "headers", what: "larger than 65535 octets" });
            }
            self.searched = held.len();
            return Ok(None);
        };
        let head = from + found + 4;
        let length = head + find_content_length(&held[..head])?;
        if length > MAX_MESSAGE {
            return Err(Fault { status: 513, place: "message", what: "larger than 65535 octets" });
        }
        Ok(Some(length))
    }
}

/// The Content-Length of a head; on a stream it must be there, once (RFC 3261 20.14).
fn find_content_length(head: &[u8]) -> Result<usize, Fault> {
    let mut found = None;
    let mut rest = head;
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let line = &rest[..end];
        rest = &rest[end + 2..];
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        let Some(colon) = memchr::memchr(b':', line).filter(|_| !folded) else {
            continue;
        };
        if Name::of(trim(&line[..colon])) == Name::ContentLength {
            let value = folded_value(&line[colon + 1..], rest);
            let length = content_length(&value)?;
            if found.replace(length).is_some() {
                return Err(Fault::bad("Content-Length", "stands more than once"));
            }
        }
    }
    found.ok_or(Fault::bad("Content-Length", "is missing on a stream"))
}

/// The value with the lines it is folded over.
fn folded_value<'a>(first: &'a [u8], mut rest: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
    let mut value = std::borrow::Cow::Borrowed(first);
    while let [b' ' | b'\t', ..] = rest {
        let end = memchr::memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        value.to_mut().extend_from_slice(&rest[..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"\r\nA sip:h SIP/2.0\r\nl : 3\r\n\r\nabc\r\n\r\nB sip:h SIP/2.0\r\nContent-Length:\r\n 1\r\n\r\nx\r\n\r\n\r\n\r\nrest";

    fn frames(cuts: &[usize]) -> Vec<String> {
        let mut framer = Framer::new();
        let (mut held, mut seen, mut from) = (Vec::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([STREAM.len()]) {
            held.extend_from_slice(&STREAM[from..cut]);
            from = cut;
            loop {
                let length = match framer.step(&held).unwrap() {
                    Frame::Partial => break,
                    Frame::Blank { length, ping } => {
                        seen.extend(ping.then(|| "ping".to_owned()));
                        length
                    }
                    Frame::Message(length) => {
                        seen.push(String::from_utf8_lossy(&held[..length]).into_owned());
                        length
                    }
                };
                held.drain(..length);
            }
        }
        seen
    }

    #[test]
    fn frames_do_not_depend_on_the_cuts() {
        let whole = frames(&[]);
        assert_eq!(
            whole,
            [
                "A sip:h SIP/2.0\r\nl : 3\r\n\r\nabc",
                "ping",
                "B sip:h SIP/2.0\r\nContent-Length:\r\n 1\r\n\r\nx",
                "ping",
                "ping"
            ]
        );
        for cut in 1..STREAM.len() {
            assert_eq!(frames(&[cut]), whole, "cut at {cut}");
        }
        assert_eq!(frames(&(1..STREAM.len()).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn what_cannot_be_framed() {
        for (bytes, place) in [
            (&b"\0\0"[..], "stream"),
            (b"A sip:h SIP/2.0\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: x\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: 65530\r\n\r\n", "message"),
        ] {
            assert_eq!(Framer::new().step(bytes).unwrap_err().0.place, place);
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let (mut framer, mut held) = (Framer::new(), Vec::new());
        for _ in 0..64 {
            held.extend_from_slice(&[b'a'; 1024]);
            if held.len() < MAX_MESSAGE {
                assert_eq!(framer.step(&held), Ok(Frame::Partial));
            }
        }
        assert_eq!(framer.step(&held).unwrap_err().0.status, 513);
    }
}
