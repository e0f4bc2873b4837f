//! A message as one line of the ladder in a call's trace.

use crate::call::trace::{Short, TraceItem};
use crate::ids::CallSid;

/// The line of a whole message: its method or status, its CSeq, and how often it was repeated.
#[must_use]
pub fn line(bytes: &[u8], leg: Option<CallSid>, inbound: bool, repeat: u16) -> TraceItem {
    let first = &bytes[..memchr::memchr(b'\r', bytes).unwrap_or(bytes.len())];
    let start = match first.strip_prefix(b"SIP/2.0 ") {
        Some(status) => status,
        None => first.split(|&byte| byte == b' ').next().unwrap_or_default(),
    };
    let cseq = memchr::memmem::find(bytes, b"\r\nCSeq:").map_or(&[][..], |at| {
        let value = &bytes[at + 7..];
        &value[..memchr::memchr(b'\r', value).unwrap_or(value.len())]
    });
    let (start, cseq) = (Short::of(start.trim_ascii()), Short::of(cseq.trim_ascii()));
    TraceItem::Message { leg, inbound, start, cseq, repeat }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_start_and_cseq() {
        let bytes = b"SIP/2.0 180 Ringing\r\nVia: x\r\nCSeq: 1 INVITE\r\n\r\n";
        let TraceItem::Message { start, cseq, .. } = line(bytes, None, true, 0) else { panic!("no message") };
        assert_eq!((&*start, &*cseq), ("180 Ringing", "1 INVITE"));
        let TraceItem::Message { start, .. } = line(b"BYE sip:a@h SIP/2.0\r\n\r\n", None, true, 0) else {
            panic!("no message")
        };
        assert_eq!(&*start, "BYE");
    }
}
