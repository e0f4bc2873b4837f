//! What one side does that the other must not suffer from, by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::phone::{Message, Phone};
use crate::router::Router;

struct World {
    router: Router,
    app: App,
    alice: Phone,
    bob: Phone,
}

impl World {
    fn new() -> Self {
        let (router, app) = (Router::start(), App::start());
        let (alice, bob) = (Phone::new(router.udp), Phone::new(router.udp));
        Self { router, app, alice, bob }
    }

    fn number(&self, text: &str, path: &str) {
        self.router.number(text, &self.app.url(path), &self.app.url("/status"));
    }

    /// Waits for the terminal callback of the only call.
    fn ended(&self) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let last = self.app.told().pop().map(|one| one.get("CallStatus").to_owned()).unwrap_or_default();
            if !["", "ringing", "in-progress"].contains(&last.as_str()) {
                return last;
            }
            assert!(Instant::now() < until, "no terminal callback after `{last}`");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The next whole message of a stream.
fn message(stream: &mut TcpStream) -> Message {
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut text = String::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a message");
        text.push(char::from(byte[0]));
        if text.ends_with("\r\n\r\n") {
            let message = Message(text);
            let mut body = vec![0; message.header("Content-Length").parse().expect("a length")];
            stream.read_exact(&mut body).expect("a body");
            return message;
        }
    }
}

/// The next message that `wanted` wants.
fn wanted(stream: &mut TcpStream, wanted: impl Fn(&Message) -> bool) -> Message {
    loop {
        let message = message(stream);
        if wanted(&message) {
            return message;
        }
    }
}

fn lines(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[test]
fn a_connection_closed_in_mid_call_ends_nothing() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.bob.port()));
    let home = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let contact = format!("sip:alice@127.0.0.1:{};transport=tcp", home.local_addr().expect("bound").port());
    let to_router = world.router.tcp;
    let over_tcp = |text: String| lines(&text.replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
    let invite = world.alice.invite("1", "cut", "cut", "");
    let own = format!("sip:alice@127.0.0.1:{}", world.alice.port());
    let mut line = TcpStream::connect(to_router).expect("the TCP port");
    line.write_all(over_tcp(invite.replace(&own, &contact)).as_bytes()).expect("sent");
    let asked = world.bob.request("INVITE");
    world.bob.respond(&asked, "200 OK", "bob", "");
    let answer = wanted(&mut line, |message| message.status() == 200);
    line.write_all(over_tcp(world.alice.inside("ACK", 1, &answer)).as_bytes()).expect("sent");
    let ack = world.bob.request("ACK");
    drop(line);
    std::thread::sleep(Duration::from_millis(200));
    assert!(world.app.told().iter().all(|one| one.get("CallStatus") != "failed"), "the call goes on");

    // The other side hangs up: a new connection carries it to the Contact.
    let bye = format!(
        "BYE {} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKcutbye\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: 9 BYE\n\
         Max-Forwards: 70\nContent-Length: 0\n\n",
        asked.contact(),
        world.bob.port(),
        ack.header("To"),
        ack.header("From"),
        ack.header("Call-ID")
    );
    world.bob.send(&bye);
    let (mut line, _) = home.accept().expect("a connection to the Contact");
    let bye = wanted(&mut line, |message| message.method() == "BYE");
    let ok = format!(
        "SIP/2.0 200 OK\n{}From: {}\nTo: {}\nCall-ID: {}\nCSeq: {}\nContent-Length: 0\n\n",
        bye.lines("Via").replace("\r\n", "\n"),
        bye.header("From"),
        bye.header("To"),
        bye.header("Call-ID"),
        bye.header("CSeq")
    );
    line.write_all(lines(&ok).as_bytes()).expect("sent");
    assert_eq!(world.bob.status(200).method(), "BYE");
    assert_eq!(world.ended(), "completed");
}

#[test]
fn after_a_183_the_next_target_is_a_dialog_of_its_own() {
    let world = World::new();
    let second = Phone::new(world.router.udp);
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    world.number("1", &format!("/serial/{}/{}", world.bob.port(), second.port()));
    world.alice.send(&world.alice.invite("1", "serial", "serial", ""));
    let first = world.bob.request("INVITE");
    world.bob.respond(&first, "183 Session Progress", "bob", "");
    let early = world.alice.status(183);
    world.bob.respond(&first, "480 Temporarily Unavailable", "bob", "");
    world.bob.request("ACK");
    let next = second.request("INVITE");
    second.respond(&next, "180 Ringing", "second", "");
    let ringing = world.alice.status(180);
    second.respond(&next, "200 OK", "second", "");
    let answer = world.alice.status(200);
    assert_ne!(early.header("To"), answer.header("To"), "two targets are two dialogs");
    assert_eq!(ringing.header("To"), answer.header("To"));
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    second.request("ACK");
    world.alice.send(&world.alice.inside("BYE", 2, &answer));
    let bye = second.request("BYE");
    second.respond(&bye, "200 OK", "second", "");
    assert_eq!(world.alice.status(200).method(), "BYE");
    assert_eq!(world.ended(), "completed");
}

#[test]
fn the_route_set_of_the_callee_is_kept() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.bob.port()));
    let proxy = Phone::new(world.router.udp);
    for (name, parameter) in [("loose", ";lr"), ("strict", "")] {
        let at = format!("sip:127.0.0.1:{}{parameter}", proxy.port());
        world.alice.send(&world.alice.invite("1", name, name, ""));
        let invite = world.bob.request("INVITE");
        world.bob.respond(&invite, "200 OK", "bob", &format!("Record-Route: <{at}>\n"));
        let answer = world.alice.status(200);
        assert_eq!(answer.header("Record-Route"), "", "one side's route set is not the other's");
        let check = |request: &Message| {
            let first = request.0.lines().next().unwrap_or_default().to_owned();
            if parameter.is_empty() {
                assert!(first.contains(&at), "a strict router stands in the Request-URI: {first}");
                assert!(request.header("Route").contains("sip:bob@"), "{}", request.0);
            } else {
                assert!(first.contains("sip:bob@"), "{first}");
                assert_eq!(request.header("Route"), format!("<{at}>"));
            }
        };
        world.alice.send(&world.alice.inside("ACK", 1, &answer));
        check(&proxy.request("ACK"));
        world.alice.send(&world.alice.inside("BYE", 2, &answer));
        let bye = proxy.request("BYE");
        check(&bye);
        proxy.respond(&bye, "200 OK", "", "");
        assert_eq!(world.alice.status(200).method(), "BYE");
    }
}

#[test]
fn a_cancel_goes_through_our_own_spiral() {
    let world = World::new();
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    world.number("1", &format!("/spiral/2/{}", world.router.udp.port()));
    world.number("2", &format!("/dial/{}", world.bob.port()));
    world.alice.send(&world.alice.invite("1", "spiral", "spiral", ""));
    let invite = world.bob.request("INVITE");
    world.bob.respond(&invite, "180 Ringing", "bob", "");
    world.alice.status(180);
    let cancel = world.alice.invite("1", "spiral", "spiral", "").replace("INVITE", "CANCEL");
    world.alice.send(&cancel);
    let cancelled = world.bob.request("CANCEL");
    world.bob.respond(&cancelled, "200 OK", "bob", "");
    world.bob.respond(&invite, "487 Request Terminated", "bob", "");
    world.bob.request("ACK");
    assert_eq!(world.alice.status(487).header("Call-ID"), "spiral");
    let until = Instant::now() + Duration::from_secs(10);
    let canceled = || world.app.told().iter().filter(|one| one.get("CallStatus") == "canceled").count();
    while canceled() < 2 {
        assert!(Instant::now() < until, "both calls of the spiral are canceled: {}", canceled());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(world.app.asked().len(), 2);
}

/// Where something listens on this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
