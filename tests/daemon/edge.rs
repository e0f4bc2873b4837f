//! Strangers at the edge: told little, then nothing; a flood of one source, and connections that are slow
//! on purpose, while a trunk goes on calling.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use callgate::cli::demo::application;
use callgate::cli::demo::phone::{Phone, PhoneError};
use callgate::cli::demo::wire::Wire;

use super::flood::Flood;
use super::node::{Node, PATIENCE};
use super::{NUMBER, target};

/// Where the trunk of these tests is, and where a stranger.
const TRUNK: [u8; 4] = [127, 0, 0, 2];
const STRANGER: [u8; 4] = [127, 0, 0, 66];

/// A node with one trunk, which is not this host's every address, and its number.
fn guarded(listen: &[&str], settings: &[(&str, &str)]) -> Node {
    let node = Node::start(listen, settings);
    let trunk = r#"{"name":"good","sources":["127.0.0.2/32"]}"#;
    assert_eq!(node.ask("POST /admin/v1/trunks", "application/json", trunk).status(), 201);
    let (told, _exchanges) = channel();
    node.number_of(NUMBER, application::start(target(), told).unwrap());
    node
}

/// A request of a kind, as a stranger would send it.
fn request(kind: &str, from: SocketAddr, to: SocketAddr, count: u64, agent: &str) -> String {
    let user = if kind == "REGISTER" { String::new() } else { format!("{count}@") };
    format!(
        "{kind} sip:{user}{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{kind}{count};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:x@{from}>;tag={count}\r\nTo: <sip:{user}{to}>\r\nCall-ID: {kind}{count}@x\r\nCSeq: 1 {kind}\r\n\
         Contact: <sip:x@{from}>\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The answers that come within a moment.
fn answers(socket: &UdpSocket) -> Vec<String> {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut buffer = [0; 8192];
    let mut answers = Vec::new();
    while let Ok(length) = socket.recv(&mut buffer) {
        answers.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    answers
}

fn bans(node: &Node) -> serde_json::Value {
    serde_json::from_str(&node.ask("GET /admin/v1/bans", "text/plain", "").body).unwrap()
}

#[test]
fn a_stranger_hears_little_then_nothing_until_it_is_forgiven_or_becomes_a_trunk() {
    let node = guarded(&["udp://127.0.0.1:0"], &[]);
    let router = node.sip[0];
    let stranger = UdpSocket::bind((Ipv4Addr::from(STRANGER), 0)).unwrap();
    let from = stranger.local_addr().unwrap();
    let mut heard = 0;
    for (count, kind) in
        (0_u64..).zip(["REGISTER", "OPTIONS", "INVITE", "SUBSCRIBE", "BYE"].iter().cycle().take(60))
    {
        let sent = request(kind, from, router, count, "softphone 1.0");
        stranger.send_to(sent.as_bytes(), router).unwrap();
        if count % 5 == 4 {
            let told = answers(&stranger);
            assert!(told.iter().all(|answer| answer.len() <= sent.len()), "no amplification: {told:?}");
            heard += told.len();
        }
    }
    assert!((10..=21).contains(&heard), "a few answers, then none: {heard}");
    let listed = bans(&node);
    assert_eq!(listed["bans"][0]["source"], "127.0.0.66", "{listed}");
    assert_eq!(
        (&listed["bans"][0]["cause"], &listed["bans"][0]["over"]),
        (&"refused".into(), &"datagrams".into())
    );
    assert!(listed["bans"][0]["dropped"].as_u64().unwrap() >= 30, "{listed}");
    assert!(node.log().contains("a stranger gets no more answers for a while"), "{}", node.log());
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    assert!(
        metrics.contains("callgate_edge_banned 1")
            && metrics.contains("callgate_edge_bans_total{outcome=\"refused\"} 1")
    );

    assert_eq!(node.ask("DELETE /admin/v1/bans/127.0.0.66", "text/plain", "").status(), 200);
    assert_eq!(node.ask("DELETE /admin/v1/bans/127.0.0.66", "text/plain", "").status(), 404);
    assert_eq!(node.ask("DELETE /admin/v1/bans/nobody", "text/plain", "").status(), 400);
    stranger.send_to(request("OPTIONS", from, router, 100, "softphone").as_bytes(), router).unwrap();
    assert_eq!(answers(&stranger).len(), 1, "forgiven");
    for count in 200..240 {
        stranger.send_to(request("REGISTER", from, router, count, "softphone").as_bytes(), router).unwrap();
    }
    answers(&stranger);
    assert_eq!(bans(&node)["bans"].as_array().unwrap().len(), 1);
    let trunk = r#"{"name":"new","sources":["127.0.0.66/32"]}"#;
    let made = node.ask("POST /admin/v1/trunks", "application/json", trunk);
    node.live(&made);
    for count in 300..340 {
        stranger.send_to(request("OPTIONS", from, router, count, "pbx").as_bytes(), router).unwrap();
    }
    assert_eq!(answers(&stranger).len(), 40, "a trunk is never banned");
}

#[test]
fn scanners_and_stray_responses_hear_nothing_at_all() {
    let node = guarded(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], &[]);
    let router = node.sip[0];
    let stranger = UdpSocket::bind((Ipv4Addr::from(STRANGER), 0)).unwrap();
    let from = stranger.local_addr().unwrap();
    stranger.send_to(request("OPTIONS", from, router, 1, "friendly-scanner").as_bytes(), router).unwrap();
    stranger.send_to(request("INVITE", from, router, 2, "sipcli/v1.8").as_bytes(), router).unwrap();
    stranger.send_to(request("OPTIONS", from, router, 3, "softphone").as_bytes(), router).unwrap();
    assert_eq!(answers(&stranger), Vec::<String>::new());
    assert_eq!(bans(&node)["bans"][0]["cause"], "scanner");
    let reflected = UdpSocket::bind("127.0.0.67:0").unwrap();
    for count in 0..40 {
        let stray = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {router};branch=z9hG4bK{count}\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKx\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: {count}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        reflected.send_to(stray.as_bytes(), router).unwrap();
    }
    assert!(answers(&reflected).is_empty());
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    assert!(metrics.contains("callgate_edge_scanners_total 2"), "{metrics}");
    assert!(metrics.contains("callgate_sip_stray_responses_total 21"), "then it is banned: {metrics}");
    // What came in datagrams, whose source may be forged, closes no connection.
    let mut stream = TcpStream::connect(node.sip[1]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 2, "a pong");
}

/// All that a scanner knows, from [`STRANGER`].
fn scans(to: SocketAddr, rate: u32) -> Flood {
    Flood::of(STRANGER, to, Some(rate.into()), move |from, count| {
        let kinds = ["INVITE", "REGISTER", "OPTIONS", "INVITE", "nonsense"];
        let kind = kinds[usize::try_from(count).unwrap() % kinds.len()];
        request(kind, from, to, count, "softphone")
    })
}

/// How long it took from each INVITE to its 200; every call must be answered and hung up.
fn twenty_calls_a_second(router: SocketAddr, seconds: u32) -> Vec<Duration> {
    let mut phone = Phone::new(Wire::udp(SocketAddr::from((TRUNK, 0))).unwrap(), "good", Box::new(|_| {}));
    let began = Instant::now();
    let mut took = Vec::new();
    for number in 0..seconds * 20 {
        std::thread::sleep(
            (began + Duration::from_millis(50) * number).saturating_duration_since(Instant::now()),
        );
        let at = Instant::now();
        let called: Result<_, PhoneError> = phone.call(router, NUMBER, PATIENCE);
        took.push(at.elapsed());
        let mut dialog = called.unwrap_or_else(|error| panic!("call {number}: {error}"));
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "call {number}");
    }
    took.sort();
    took
}

#[test]
fn a_flood_of_one_stranger_costs_a_trunk_no_call() {
    let node = guarded(&["udp://127.0.0.1:0"], &[]);
    let seconds = 3;
    let idle = twenty_calls_a_second(node.sip[0], 2);
    let flood = scans(node.sip[0], 4_000);
    let flooded = twenty_calls_a_second(node.sip[0], seconds);
    let sent = flood.sent() / u64::from(seconds);
    drop(flood);
    let p99 = |took: &[Duration]| took[took.len() * 99 / 100];
    println!(
        "flood: {sent} datagrams a second of one source, {} calls at 20 a second, all answered; p99 {:?}, without {:?}",
        flooded.len(),
        p99(&flooded),
        p99(&idle)
    );
    assert_eq!(bans(&node)["bans"][0]["source"], "127.0.0.66");
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    assert!(
        metrics.contains(&format!("callgate_calls_answered_total {}", idle.len() + flooded.len())),
        "{metrics}"
    );
}

/// Connections that are slow on purpose, of eight sources: a third never says anything, a third says one
/// byte a second, a third asks and never reads.
fn slow(to: SocketAddr, how_many: usize) -> Vec<TcpStream> {
    let connect = |at: usize| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let from = SocketAddr::from(([127, 0, 1, u8::try_from(1 + at % 8).unwrap()], 0));
        socket.bind(&from.into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_nonblocking(true).unwrap();
        if at % 3 == 2 {
            let ask = request("OPTIONS", from, to, 1, "softphone").replace("/UDP", "/TCP");
            // What the router does not take is what is shown.
            let _refused = (0..20).map(|_| stream.write(ask.as_bytes())).filter(Result::is_err).count();
        }
        stream
    };
    (0..how_many).map(connect).collect()
}

#[test]
fn connections_that_are_slow_on_purpose_are_bounded_and_cost_datagrams_nothing() {
    let (how_many, seconds) = (200, 3);
    let most = (how_many * 9 / 10).to_string();
    let settings = [
        ("CALLGATE__SIP__TCP_MESSAGE_MS", "2000"),
        ("CALLGATE__SIP__TCP_IDLE_SECONDS", "2"),
        ("CALLGATE__SIP__TCP_CONNECTIONS", most.as_str()),
        ("CALLGATE__EDGE__BAN_SECONDS", "0"),
    ];
    let node = guarded(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], &settings);
    let without = twenty_calls_a_second(node.sip[0], seconds);
    let on = Arc::new(AtomicBool::new(true));
    let (going, to) = (on.clone(), node.sip[1]);
    let slowly = std::thread::spawn(move || {
        while going.load(Ordering::Relaxed) {
            let mut held = slow(to, how_many);
            for _ in 0..4 {
                for stream in held.iter_mut().skip(1).step_by(3) {
                    let _closed = stream.write(b"I").is_err();
                }
                std::thread::sleep(Duration::from_secs(1));
                if !going.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let gauge = |node: &Node| -> u64 {
        let metrics = node.ask("GET /metrics", "text/plain", "").body;
        let line = metrics.lines().find(|line| line.starts_with("callgate_sip_connections ")).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let open = gauge(&node);
    let with = twenty_calls_a_second(node.sip[0], seconds);
    let p99 = |took: &[Duration]| took[took.len() * 99 / 100];
    println!(
        "slow: {open} connections open of {how_many}; p99 of calls {:?}, without {:?}",
        p99(&with),
        p99(&without)
    );
    assert!(open > 20 && open <= how_many as u64 * 9 / 10, "{open}");
    on.store(false, Ordering::Relaxed);
    slowly.join().unwrap();
    node.until("the end of the slow ones", |node| gauge(node) == 0);
}

/// What proves `pbx` with this password for an INVITE, as RFC 7616 has it; SHA-256 or MD5.
fn proof(challenge: &str, algorithm: &str, password: &str, uri: &str) -> String {
    use md5::Digest as _;
    let hash = |text: String| -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if algorithm == "MD5" { hex(&md5::Md5::digest(text)) } else { hex(&sha2::Sha256::digest(text)) }
    };
    let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let (ha1, ha2) = (hash(format!("pbx:gate:{password}")), hash(format!("INVITE:{uri}")));
    let response = hash(format!("{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"pbx\", realm=\"gate\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"0a4f113b\"\r\n"
    )
}

/// The final answer to an INVITE with these further header lines, acknowledged where it is a refusal.
fn invited(from: &UdpSocket, to: SocketAddr, call: &str, cseq: u32, lines: &str) -> (usize, String) {
    let local = from.local_addr().unwrap();
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 96\r\n\
        a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=sendrecv\r\na=ptime:20\r\n",
        local.ip()
    );
    let head = |method: &str, to_tag: &str| {
        format!(
            "{method} sip:{NUMBER}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{call}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:pbx@gate>;tag=1\r\nTo: <sip:{NUMBER}@{to}>{to_tag}\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:pbx@{local}>\r\n"
        )
    };
    let invite = format!(
        "{}{lines}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        head("INVITE", ""),
        body.len()
    );
    from.set_read_timeout(Some(PATIENCE)).unwrap();
    from.send_to(invite.as_bytes(), to).unwrap();
    loop {
        let mut buffer = [0; 8192];
        let length = from.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0 1") || !text.contains(&format!("Call-ID: {call}\r\n")) {
            continue;
        }
        let tag = text
            .lines()
            .find(|line| line.starts_with("To:"))
            .unwrap()
            .split(";tag=")
            .nth(1)
            .unwrap()
            .to_owned();
        let ack = format!("{}Content-Length: 0\r\n\r\n", head("ACK", &format!(";tag={tag}")));
        from.send_to(ack.as_bytes(), to).unwrap();
        return (invite.len(), text);
    }
}

#[test]
fn a_trunk_that_roams_proves_itself_by_digest() {
    let node = guarded(&["udp://127.0.0.1:0"], &[]);
    let fields = r#"{"name":"roaming","auth_username":"pbx","auth_password":"s3cret","auth_realm":"gate"}"#;
    let made = node.ask("POST /admin/v1/trunks", "application/json", fields);
    assert_eq!(made.status(), 201, "{made:?}");
    assert!(made.body.contains("\"auth_password\": true") && !made.body.contains("s3cret"), "{}", made.body);
    node.live(&made);
    let (router, uri) = (node.sip[0], format!("sip:{NUMBER}@{}", node.sip[0]));
    let phone = UdpSocket::bind("127.0.0.70:0").unwrap();
    let other = UdpSocket::bind("127.0.0.71:0").unwrap();

    let (asked, challenge) = invited(&phone, router, "first", 1, "");
    assert!(challenge.starts_with("SIP/2.0 401 Unauthorized\r\n"), "{challenge}");
    assert!(challenge.len() <= asked, "no amplification: {asked} {challenge}");
    assert!(challenge.find("algorithm=SHA-256") < challenge.find("algorithm=MD5"), "{challenge}");
    let right = proof(&challenge, "SHA-256", "s3cret", &uri);
    let (_, wrong) = invited(&phone, router, "first", 2, &proof(&challenge, "SHA-256", "guess", &uri));
    assert!(wrong.starts_with("SIP/2.0 401 ") && !wrong.contains("stale"), "{wrong}");
    let (_, moved) = invited(&other, router, "stolen", 1, &right);
    assert!(moved.starts_with("SIP/2.0 401 ") && moved.contains("stale=true"), "another address: {moved}");
    let elsewhere = proof(&challenge, "SHA-256", "s3cret", "sip:+15550001@elsewhere");
    let (_, other_uri) = invited(&phone, router, "first", 3, &elsewhere);
    assert!(other_uri.starts_with("SIP/2.0 401 "), "{other_uri}");
    for (call, algorithm) in [("sha", "SHA-256"), ("md5", "MD5")] {
        let (_, challenge) = invited(&phone, router, call, 1, "");
        let (_, answer) = invited(&phone, router, call, 2, &proof(&challenge, algorithm, "s3cret", &uri));
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }

    let change = r#"{"auth_realm":"other"}"#;
    let refused = node.ask("PATCH /admin/v1/trunks/roaming", "application/json", change);
    assert!(refused.status() == 400 && refused.body.contains("auth_password"), "{refused:?}");
    // The trunk of an address still is one without credentials, and who has none is told nothing else.
    let good = UdpSocket::bind((Ipv4Addr::from(TRUNK), 0)).unwrap();
    assert!(invited(&good, router, "plain", 1, "").1.starts_with("SIP/2.0 200 "));
    other
        .send_to(request("OPTIONS", other.local_addr().unwrap(), router, 9, "softphone").as_bytes(), router)
        .unwrap();
    let told = answers(&other);
    assert!(told.len() == 1 && !told[0].contains("Allow:"), "a stranger until proved: {told:?}");
    let log = node.log();
    assert!(!log.contains("s3cret"), "{log}");
}
