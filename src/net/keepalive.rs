//! What arrives on a datagram socket and is no message: swallowed and not counted.

/// The magic cookie of STUN (RFC 8489 section 5), bytes 4 to 8 of its header.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Whether a datagram only keeps a NAT binding open: empty, CRLFs (RFC 5626 3.5.1), NULs or STUN.
#[must_use]
pub fn is_keepalive(datagram: &[u8]) -> bool {
    let blank = datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0 | b' '));
    blank || is_stun(datagram)
}

/// The first two bits of STUN are zero, which no SIP message's first byte has together with the cookie.
fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= 20 && datagram[0] & 0xc0 == 0 && datagram[4..8] == STUN_COOKIE
}

#[cfg(test)]
mod tests {
    use super::is_keepalive;

    #[test]
    fn keepalives_are_told_from_messages() {
        let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        stun.extend([7; 12]);
        for swallowed in [&b""[..], b"\r\n\r\n", b"\0", b"\0\0\0\0", &stun] {
            assert!(is_keepalive(swallowed), "{swallowed:?}");
        }
        for message in [&b"OPTIONS sip:a SIP/2.0\r\n\r\n"[..], b"\r\nINVITE", b"x", &stun[..12]] {
            assert!(!is_keepalive(message), "{message:?}");
        }
    }
}
