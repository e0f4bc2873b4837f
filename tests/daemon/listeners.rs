//! Several named listeners, what each shows of itself, and streams that break.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

use callgate::cli::demo::application;

use super::node::{Node, PATIENCE};
use super::{NUMBER, loopback, target};

/// The answers to an INVITE from `from` to `to`, up to the first final one.
fn invite(from: &UdpSocket, to: SocketAddr, name: &str) -> Vec<String> {
    let local = from.local_addr().unwrap();
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
        local.ip()
    );
    let message = format!(
        "INVITE sip:{NUMBER}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{name};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:t@{local}>;tag=1\r\nTo: <sip:{NUMBER}@{to}>\r\nCall-ID: {name}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:t@{local}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    from.set_read_timeout(Some(PATIENCE)).unwrap();
    from.send_to(message.as_bytes(), to).unwrap();
    let mut answers = Vec::new();
    loop {
        let mut buffer = [0; 8192];
        let (length, at) = from.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        // The 200 of the call before comes again until it is acknowledged, which nobody here does.
        if !text.contains(&format!("Call-ID: {name}\r\n")) {
            continue;
        }
        assert_eq!(at, to, "answered from where it was asked");
        answers.push(text);
        if !answers[answers.len() - 1].starts_with("SIP/2.0 1") {
            return answers;
        }
    }
}

fn contact(answers: &[String]) -> &str {
    let last = answers.last().unwrap();
    assert!(last.starts_with("SIP/2.0 200 "), "{last}");
    last.lines().find(|line| line.starts_with("Contact:")).unwrap()
}

#[test]
fn named_listeners_show_what_they_are_told_and_trunks_keep_to_theirs() {
    let listeners = r#"[
        {name = "inside", bind = "udp://127.0.0.1:0"},
        {name = "outside", bind = "udp://127.0.0.1:0", advertise = "sip.example.com:5062", local-nets = ["127.0.0.2/32"]},
        {name = "streams", bind = "tcp://127.0.0.1:0", advertise = "sip.example.com"},
    ]"#
    .replace('\n', " ");
    let node = Node::start(&[], &[("CALLGATE__SIP__LISTENER", &listeners)]);
    let (told, _exchanges) = channel();
    node.provision(NUMBER, application::start(target(), told).unwrap());
    let ready: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(node.folder.join("ready.json")).unwrap()).unwrap();
    let names: Vec<_> =
        ready["listeners"].as_array().unwrap().iter().map(|one| one["name"].as_str()).collect();
    assert_eq!(names, [Some("inside"), Some("outside"), Some("streams")]);

    let (inside, outside) = (node.sip[0], node.sip[1]);
    let stranger = UdpSocket::bind(loopback()).unwrap();
    let neighbour = UdpSocket::bind("127.0.0.2:0").unwrap();
    let shown = invite(&stranger, outside, "advertised");
    assert!(contact(&shown).contains("sip.example.com:5062"), "{shown:?}");
    let shown = invite(&neighbour, outside, "local");
    assert!(
        contact(&shown).contains(&outside.to_string()),
        "within local-nets nothing is advertised: {shown:?}"
    );
    let shown = invite(&stranger, inside, "plain");
    assert!(contact(&shown).contains(&inside.to_string()), "{shown:?}");

    // From here on the trunk is one of `outside` only.
    let trunks = node.ask("GET /admin/v1/trunks", "text/plain", "");
    let trunks: serde_json::Value = serde_json::from_str(&trunks.body).unwrap();
    let line = format!("PATCH /admin/v1/trunks/{}", trunks["trunks"][0]["sid"].as_str().unwrap());
    let answer = node.ask(&line, "application/json", r#"{"listener":"outside"}"#);
    assert_eq!(answer.status(), 200, "{answer:?}");
    node.live(&answer);
    let refused = invite(&stranger, inside, "elsewhere");
    assert!(refused[refused.len() - 1].starts_with("SIP/2.0 403 "), "{refused:?}");
    let shown = invite(&stranger, outside, "own");
    assert!(contact(&shown).contains("sip.example.com:5062"), "{shown:?}");
}

/// Everything that comes back until the connection ends.
fn until_closed(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("closed, not reset and not left open");
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_broken_stream_gets_400_where_it_can_be_answered_and_is_closed() {
    let node = Node::start(&["tcp://127.0.0.1:0"], &[("CALLGATE__NODE__SHARDS", "2")]);
    let message = |length: &str| {
        format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKbroken\r\nMax-Forwards: 70\r\n\
             From: <sip:t@t>;tag=1\r\nTo: <sip:{0}>\r\nCall-ID: broken\r\nCSeq: 1 OPTIONS\r\n{length}\r\n",
            node.sip[0]
        )
    };
    let wrong = [
        ("Content-Length: ten\r\n", "400"),
        ("Content-Length: -1\r\n", "400"),
        ("", "400"),
        ("Content-Length: 4\r\nContent-Length: 5\r\n", "400"),
        ("Content-Length: 99999\r\n", "400"),
        ("Content-Length: 65535\r\n", "513"),
    ];
    for (length, code) in wrong {
        let answer = until_closed(node.sip[0], message(length).as_bytes());
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{length}: {answer}");
        assert!(
            answer.contains("branch=z9hG4bKbroken") && answer.matches("SIP/2.0 ").count() == 1,
            "{answer}"
        );
    }
    // What follows a broken message on the same connection is never read as one.
    let two = format!("{}{}", message("Content-Length: x\r\n"), message("Content-Length: 0\r\n"));
    assert_eq!(until_closed(node.sip[0], two.as_bytes()).matches("CSeq:").count(), 1);
    // Nobody could tell whom an answer to these would be for.
    for unanswerable in ["\u{1}\u{2}garbage\r\n\r\n", "SIP/2.0 200 OK\r\nContent-Length: x\r\n\r\n"] {
        assert_eq!(until_closed(node.sip[0], unanswerable.as_bytes()), "");
    }
}
