//! Messages in a stream, found by Content-Length (RFC 3261 18.3), with limits.

use super::bytes::{is_token, trim};
use super::malformed::Fault;
use super::name::Name;
use super::scan::{MAX_MESSAGE, content_length};

/// What a stream held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'f> {
    /// The bytes of one whole message.
    Message(&'f [u8]),
    /// A double CRLF between messages: a keep-alive that is answered with one CRLF (RFC 5626 3.5.1).
    Ping,
}

/// The stream cannot be read on; the connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream cannot be framed: {0}")]
pub struct FrameError(pub Fault);

/// Cuts a stream into messages. What it gives depends on the bytes alone, never on how they were cut
/// when they arrived, and it costs time linear in them.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What of the buffer was given out.
    start: usize,
    /// How far the end of the head was looked for.
    searched: usize,
    /// The whole length of the message at `start`, once its head is there.
    length: Option<usize>,
    /// The last thing given out or passed over was one CRLF.
    crlf: bool,
    failed: Option<FrameError>,
}

impl Framer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and has not ended: the time it may take runs.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The next frame; `None`: more bytes are needed.
    ///
    /// # Errors
    /// The stream is no SIP, passes a limit, or has a message without a readable Content-Length.
    /// It stays so: the connection must close, and [`Framer::rest`] is what a 400 may be read from.
    pub fn take(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.advance() {
            Ok(Step::Message(length)) => {
                let from = self.start;
                self.start += length;
                (self.searched, self.length) = (self.start, None);
                Ok(Some(Frame::Message(&self.buffer[from..from + length])))
            }
            Ok(Step::Ping) => Ok(Some(Frame::Ping)),
            Ok(Step::More) => Ok(None),
            Err(fault) => {
                let error = FrameError(fault);
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// The bytes that were not given out.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn advance(&mut self) -> Result<Step, Fault> {
        loop {
            match self.buffer[self.start..] {
                [] | [b'\r'] => return Ok(Step::More),
                [b'\r', b'\n', ..] => {
                    self.start += 2;
                    self.searched = self.start;
                    self.crlf = !self.crlf;
                    if !self.crlf {
                        return Ok(Step::Ping);
                    }
                }
                _ => return self.message(),
            }
        }
    }

    fn message(&mut self) -> Result<Step, Fault> {
        self.crlf = false;
        let held = self.buffer.len() - self.start;
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(length) = self.measure()? else {
                    return Ok(Step::More);
                };
                self.length = Some(length);
                length
            }
        };
        Ok(if held >= length { Step::Message(length) } else { Step::More })
    }

    /// The length of the message at `start`, once the empty line behind its head is there.
    fn measure(&mut self) -> Result<Option<usize>, Fault> {
        let bytes = &self.buffer[self.start..];
        if !is_token(bytes[0]) {
            return Err(Fault::bad("stream", "does not begin with a SIP message"));
        }
        let from = (self.searched - self.start).saturating_sub(3);
        let window = &bytes[..bytes.len().min(MAX_MESSAGE)];
        let Some(found) = memchr::memmem::find(&window[from..], b"\r\n\r\n") else {
            if bytes.len() >= MAX_MESSAGE {
                return Err(Fault { status: 513, place: "headers", what: "larger than 65535 octets" });
            }
            self.searched = self.buffer.len();
            return Ok(None);
        };
        let head = from + found + 4;
        let length = head + find_content_length(&bytes[..head])?;
        if length > MAX_MESSAGE {
            return Err(Fault { status: 513, place: "message", what: "larger than 65535 octets" });
        }
        Ok(Some(length))
    }
}

enum Step {
    Message(usize),
    Ping,
    More,
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
        let mut seen = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([STREAM.len()]) {
            framer.push(&STREAM[from..cut]);
            from = cut;
            loop {
                match framer.take() {
                    Ok(Some(Frame::Message(bytes))) => seen.push(String::from_utf8_lossy(bytes).into_owned()),
                    Ok(Some(Frame::Ping)) => seen.push("ping".into()),
                    Ok(None) => break,
                    Err(error) => {
                        seen.push(error.to_string());
                        break;
                    }
                }
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
    fn errors_stay() {
        for (bytes, place) in [
            (&b"\0\0"[..], "stream"),
            (b"A sip:h SIP/2.0\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: x\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\n", "Content-Length"),
            (b"A sip:h SIP/2.0\r\nl: 65530\r\n\r\n", "message"),
        ] {
            let mut framer = Framer::new();
            framer.push(bytes);
            assert_eq!(framer.take().unwrap_err().0.place, place);
            framer.push(b"OPTIONS");
            assert_eq!(framer.take().unwrap_err().0.place, place);
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let mut framer = Framer::new();
        for _ in 0..65 {
            framer.push(&[b'a'; 1024]);
            if framer.take().is_err() {
                return;
            }
        }
        panic!("64 KiB without an empty line were accepted");
    }
}
