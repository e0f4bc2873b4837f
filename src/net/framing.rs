//! Messages out of a stream's bytes.

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The beginning of a message.
    Partial,
    /// Line ends between messages; two of them are a ping (RFC 5626 3.5.1).
    Blank { length: usize, ping: bool },
    /// One whole message.
    Message(usize),
    /// The stream cannot be read any further.
    Broken(&'static str),
}

/// Looks at the front of a non-empty `buffer`.
pub(super) fn next_frame(buffer: &[u8]) -> Frame {
    let length = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if length > 0 {
        return Frame::Blank { length, ping: buffer.starts_with(b"\r\n\r\n") };
    }
    let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() > 65_536 { Frame::Broken("a header is too large") } else { Frame::Partial };
    };
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| {
        line.strip_prefix("content-length:").or_else(|| line.strip_prefix("l:"))?.trim().parse::<usize>().ok()
    });
    match body {
        None => Frame::Broken("no Content-Length"),
        Some(body) if body > 65_536 => Frame::Broken("a body is too large"),
        Some(body) if buffer.len() < head + 4 + body => Frame::Partial,
        Some(body) => Frame::Message(head + 4 + body),
    }
}
