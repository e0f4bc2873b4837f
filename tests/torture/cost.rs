//! Size limits, and that no input costs more than time linear in its octets.

use std::time::{Duration, Instant};

use callgate::sip::{Framer, MAX_HEADERS, MAX_MESSAGE, Message};

const HEAD: &str = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

#[test]
fn the_limits_are_where_they_are_said_to_be() {
    let with = |lines: usize| format!("{HEAD}{}\r\n", "X-A: 1\r\n".repeat(lines));
    assert_eq!(
        Message::scan(with(MAX_HEADERS - 5).as_bytes()).map(|message| message.headers().count()).ok(),
        Some(MAX_HEADERS)
    );
    assert!(Message::scan(with(MAX_HEADERS - 4).as_bytes()).is_err());
    let sized = |size: usize| format!("{HEAD}\r\n{}", "x".repeat(size - HEAD.len() - 2));
    assert!(Message::scan(sized(MAX_MESSAGE).as_bytes()).is_ok());
    assert_eq!(Message::scan(sized(MAX_MESSAGE + 1).as_bytes()).unwrap_err().fault().status, 513);
}

/// A quadratic reader would need minutes for these; the bound leaves a slow, busy machine room.
#[test]
fn hostile_shapes_cost_linear_time() {
    let size = 60_000;
    let fill = |unit: &str| unit.repeat(size / unit.len());
    let shapes = [
        format!("{HEAD}Route: {}\r\n\r\n", fill("<sip:h>,")),
        format!("{HEAD}Via: {}\r\n\r\n", fill("SIP/2.0/UDP h,")),
        format!("{HEAD}Contact: {}\r\n\r\n", fill("\"")),
        format!("{HEAD}Contact: {}\r\n\r\n", fill("<")),
        format!("{HEAD}Contact: {}\r\n\r\n", fill("\\\"")),
        format!("{HEAD}Contact: <sip:h>{}\r\n\r\n", fill(";a")),
        format!("{HEAD}X:{}\r\n\r\n", fill("\r\n ")),
        format!("{HEAD}{}:\r\n\r\n", fill("x")),
        fill("\r\n"),
        fill("INVITE"),
    ];
    let began = Instant::now();
    for shape in &shapes {
        for _ in 0..10 {
            if let Ok(message) = Message::scan(shape.as_bytes()) {
                let parts = message.routes().count() + message.contacts().count() + message.vias().count();
                let params: usize =
                    message.contacts().map(|contact| contact.params.into_iter().count()).sum();
                assert!(parts + params < size);
            }
        }
        let mut framer = Framer::new();
        for byte in shape.as_bytes() {
            framer.push(std::slice::from_ref(byte));
            while let Ok(Some(_)) = framer.take() {}
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
