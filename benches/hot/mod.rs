//! The hot paths, each as one piece of fixed work: criterion times them, the report counts their instructions and
//! allocations.

#[path = "../../tests/engine/whole_call.rs"]
pub mod whole_call;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use callgate::flow::{Flow, ListenerId, Transport};
use callgate::ids::{AccountSid, NumberSid, OrganizationSid};
use callgate::outbound::Target;
use callgate::routing::model::{Account, Frame, Hook, Method as Verb, Number, Organization, VoiceProfile};
use callgate::routing::{Address, Builder, Decision, Directory, Inbound, decide};
use callgate::sip::{Kept, Message, Method, Name, Stamp, Writer};
use callgate::time::Instant;
use callgate::timers::Timers;
use callgate::transaction::key::RequestParts;
use callgate::transaction::table::{Due, Table};
use callgate::transaction::timer::Base;
use callgate::webhook::rcml;
use foldhash::fast::FixedState;

/// Sets a piece of work up; what comes back does it once.
pub type Work = fn() -> Box<dyn FnMut()>;

/// All of them by name.
pub const WORK: [(&str, Work); 12] = [
    ("scan INVITE", scan),
    ("scan INVITE, read its keys", scan_keys),
    ("keep INVITE", keep),
    ("print 200", print),
    ("print INVITE, headers passed", relay),
    ("server transaction, 100, 486, ACK, its end", transaction),
    ("exact number of 100,000", exact),
    ("all forms, 1,000 patterns, none matches", patterns),
    ("all forms, 100 patterns without index", unindexable),
    ("RCML, Dial with two nouns", document),
    ("whole call in the engine, its telephones included", whole),
    ("refused call in the engine, its telephone included", refused),
];

/// A carrier's INVITE.
pub const INVITE: &str = "INVITE sip:+16508251255@203.0.113.10:5060;transport=udp SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK776asdhds;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Alice Example\" <sip:+12015550123@192.0.2.17>;tag=1928301774\r\n\
To: <sip:+16508251255@203.0.113.10>\r\n\
Call-ID: a84b4c76e66710@192.0.2.17\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:+12015550123@192.0.2.17:5060>\r\n\
User-Agent: ExampleSBC/7.2\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\n\
Supported: timer, 100rel\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 148\r\n\r\n\
v=0\r\no=- 1 1 IN IP4 192.0.2.17\r\ns=-\r\nc=IN IP4 192.0.2.17\r\nt=0 0\r\nm=audio 49170 RTP/AVP 8 0 101\r\n\
a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=x:1\r\n";

fn message() -> Message<'static> {
    Message::scan(INVITE.as_bytes()).expect("the sample is sound")
}

fn scan() -> Box<dyn FnMut()> {
    Box::new(|| {
        black_box(Message::scan(black_box(INVITE.as_bytes())).is_ok());
    })
}

fn scan_keys() -> Box<dyn FnMut()> {
    Box::new(|| {
        let message = Message::scan(black_box(INVITE.as_bytes())).expect("sound");
        black_box(message.uri().and_then(|uri| uri.user).map_or(0, <[u8]>::len));
        black_box((
            message.top_via().branch(),
            message.call_id(),
            message.cseq(),
            message.from().tag(),
            message.to().tag(),
        ));
    })
}

fn keep() -> Box<dyn FnMut()> {
    let message = message();
    Box::new(move || {
        black_box(Kept::new(black_box(&message)));
    })
}

fn print() -> Box<dyn FnMut()> {
    let (message, mut out) = (message(), Vec::with_capacity(2048));
    let stamp = Stamp { address: "192.0.2.17".parse().expect("an address"), port: 5060 };
    Box::new(move || {
        let mut writer =
            Writer::response(&mut out, black_box(&message), 200, b"OK", Some(b"tag"), Some(stamp));
        writer.header(Name::Contact, &[b"<sip:203.0.113.10:5060>"]);
        writer.body(b"");
        black_box(out.len());
    })
}

fn relay() -> Box<dyn FnMut()> {
    let (message, mut out) = (message(), Vec::with_capacity(2048));
    Box::new(move || {
        let mut writer = Writer::request(&mut out, Method::Invite, b"sip:1000@198.51.100.1:5060");
        writer.header(Name::Via, &[b"SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK1234567890abcdef;rport"]);
        writer.numeric(Name::MaxForwards, 69).cseq(1, Method::Invite);
        for header in message.headers().filter(|header| header.name != Name::ContentLength) {
            writer.bytes(header.line);
        }
        writer.body(message.body());
        black_box(out.len());
    })
}

fn transaction() -> Box<dyn FnMut()> {
    let mut table: Table<u32, FixedState> = Table::new(Base::default(), FixedState::with_seed(7));
    let (mut timers, mut now): (Timers<Due>, Instant) = (Timers::new(), Instant::ZERO);
    let flow = Flow {
        transport: Transport::Udp,
        listener: ListenerId(0),
        local: "192.0.2.1".parse().expect("an address"),
        peer: "192.0.2.2:5060".parse().expect("an address"),
        connection: None,
        domain: None,
    };
    let invite = message();
    let ack = INVITE.replace("INVITE", "ACK");
    Box::new(move || {
        let parts = RequestParts::of(&invite).expect("an INVITE's");
        black_box(table.receive_request(now, &parts, &mut timers));
        let id = table.serve(now, &parts, flow, 1, &mut timers);
        for status in [100, 486] {
            table.respond(now, id, status, &INVITE.as_bytes()[..300], &mut timers).expect("it is open");
        }
        let ack = Message::scan(ack.as_bytes()).expect("sound");
        let parts = RequestParts::of(&ack).expect("an ACK's");
        black_box(table.receive_request(now, &parts, &mut timers));
        now += Duration::from_secs(40);
        while let Some(expired) = timers.pop(now) {
            black_box(table.expired(now, expired.key, &mut timers));
        }
        assert!(table.is_empty(), "it has ended");
    })
}

fn exact() -> Box<dyn FnMut()> {
    let profile = profile();
    let numbers = 100_000_u64;
    let directory = directory((0..numbers).map(|n| number(n, &format!("+{}", nth(n)), &profile)));
    let texts: Vec<String> = (0..4096).map(|n| format!("+{}", nth(n * 2_654_435_761 % numbers))).collect();
    let mut at = 0;
    Box::new(move || {
        at = (at + 1) % texts.len();
        assert!(decided(&directory, black_box(&texts[at])), "it is there");
    })
}

fn patterns() -> Box<dyn FnMut()> {
    let profile = profile();
    let directory = directory((0..1_000).map(|n| number(n, &indexed(n), &profile)));
    Box::new(move || {
        black_box(decided(&directory, black_box("6508251255")));
    })
}

fn unindexable() -> Box<dyn FnMut()> {
    let profile = profile();
    let texts = (0..100).map(|n| format!("[0-9]*{n}[0-9]*[a-f]"));
    let directory = directory(texts.enumerate().map(|(n, text)| number(n as u64, &text, &profile)));
    Box::new(move || {
        black_box(decided(&directory, black_box("6508251255")));
    })
}

fn document() -> Box<dyn FnMut()> {
    const BODY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n  <Dial timeout=\"20\" action=\"/after\">\n    \
        <Sip>sip:alice@198.51.100.7:5060</Sip>\n    <Number>+14155550123</Number>\n  </Dial>\n</Response>";
    let target = Target::parse("https://app.example/voice", None).expect("a URL");
    Box::new(move || {
        let document = rcml::parse(black_box(BODY.as_bytes()), &target).expect("a document");
        black_box(document.verbs.len());
    })
}

fn whole() -> Box<dyn FnMut()> {
    let (mut line, mut calls) = (whole_call::Line::new(|| 0), 0_u32);
    Box::new(move || {
        line.call();
        calls += 1;
        // The transactions of those before end.
        if calls.is_multiple_of(100) {
            line.rest(Duration::from_secs(64));
        }
    })
}

fn refused() -> Box<dyn FnMut()> {
    let mut line = whole_call::Line::new(|| 0);
    line.flood();
    Box::new(move || line.refused())
}

/// A pattern of which half begin and half end with two keys of their own.
pub fn indexed(n: u64) -> String {
    let (key, length) = (10 + n % 90, n / 180 % 60);
    let rest = "[0-9]".repeat(1 + length as usize % 12);
    let text = if n.is_multiple_of(2) {
        format!("{key}{rest}{}?", n % 10)
    } else {
        format!("{}?{rest}{key}", n % 10)
    };
    format!("{text}({n})?")
}

/// Numbers spread over the North American plan, without two alike.
pub fn nth(n: u64) -> u64 {
    12_000_000_000 + n.wrapping_mul(7_919) % 7_999_999_993
}

/// What a number without further wishes does.
pub fn profile() -> Arc<VoiceProfile> {
    let hook = Hook { url: "https://app.test/voice".into(), method: Verb::Post };
    Arc::new(VoiceProfile { voice: Some(hook), ..VoiceProfile::default() })
}

/// A SIP number of the only account.
pub fn number(sid: u64, text: &str, profile: &Arc<VoiceProfile>) -> Number {
    Number::of(OrganizationSid(1), AccountSid(1), NumberSid(u128::from(sid)), text, profile)
}

/// A directory of one organization and account with these numbers.
pub fn directory(numbers: impl Iterator<Item = Number>) -> Directory {
    let organization = Organization { is_default: true, ..Organization::at(OrganizationSid(1), "a.test") };
    let account = Account::of(OrganizationSid(1), AccountSid(1));
    let mut builder = Builder::new(Frame {
        organizations: vec![Arc::new(organization)],
        accounts: vec![Arc::new(account)],
        ..Frame::default()
    });
    for number in numbers {
        builder.add(&number);
    }
    builder.build(1)
}

/// Whether a call to `user` finds an application.
pub fn decided(directory: &Directory, user: &str) -> bool {
    let inbound = Inbound {
        trunk: None,
        unknown_organization: None,
        request: Address { user: user.as_bytes(), host: b"a.test", ..Address::default() },
        to: Address::default(),
        from_host: b"",
        header: None,
    };
    matches!(decide(directory, &inbound), Decision::Application(_))
}
