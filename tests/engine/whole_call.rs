//! One whole call in memory, and what it costs the engine alone: INVITE, webhook, Dial, 180, 200, ACK, BYE.
//!
//! The two telephones are as little as answers what the engine sends; nothing of theirs is counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use callgate::call::config::{EngineConfig, Listener, UnknownSource};
use callgate::call::instructions::{Dial, Document, Noun, Target, Verb};
use callgate::engine::Engine;
use callgate::engine::door::{Answer, AskId, Input, Output};
use callgate::flow::{Flow, ListenerId, Transport};
use callgate::ids::{AccountSid, NumberSid, OrganizationSid};
use callgate::routing::Builder;
use callgate::routing::model::{Account, Frame, Hook, Method, Number, Organization, VoiceProfile};
use callgate::time::Instant;

const CALLER: &str = "192.0.2.10:5060";
const CALLEE: &str = "198.51.100.20:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
                   m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

const EMPTY: &str = "Content-Length: 0\r\n\r\n";

/// An engine, its clock, and what it has cost so far.
pub struct Line {
    engine: Engine,
    now: Instant,
    next: u64,
    /// How many allocations there have been, whoever made them.
    count: fn() -> usize,
    /// Spent inside the engine.
    pub spent: Duration,
    /// Made inside the engine.
    pub allocations: usize,
}

/// What one input led to.
#[derive(Default)]
struct Heard {
    to_caller: Vec<String>,
    to_callee: Vec<String>,
    ask: Option<AskId>,
}

impl Line {
    /// A line with one number, `100`.
    pub fn new(count: fn() -> usize) -> Self {
        let listener = Listener {
            id: ListenerId(0),
            name: "udp".into(),
            transport: Transport::Udp,
            bind: "203.0.113.1:5060".parse().expect("an address"),
            advertise: None,
            local_nets: Vec::new(),
        };
        let config = EngineConfig {
            listeners: vec![listener],
            unknown_source: UnknownSource::DefaultOrganization,
            ..EngineConfig::default()
        };
        let engine = Engine::new(Arc::new(config), [7; 32]);
        let now = Instant::from_millis(1000);
        let mut line = Self { engine, now, next: 0, count, spent: Duration::ZERO, allocations: 0 };
        line.turn(Input::Directory(Arc::new(Builder::new(frame()).number(number()).build(1))));
        line.forget();
        line
    }

    /// Begins the account of costs anew.
    pub fn forget(&mut self) {
        (self.spent, self.allocations) = (Duration::ZERO, 0);
    }

    /// A whole call, from INVITE to the answer to BYE.
    pub fn call(&mut self) {
        let (uri, to) = self.answered();
        let bye = self.head("BYE", &uri, &to, 2);
        let bye = self.receive(CALLER, &format!("{bye}{EMPTY}"));
        self.receive(CALLEE, &format!("{}{EMPTY}", response(&bye.to_callee[0], "200 OK")));
    }

    /// A call that stands: from INVITE to ACK.
    #[allow(dead_code, reason = "the bench of many calls needs it")]
    pub fn hold(&mut self) {
        self.answered();
    }

    /// Everything waits, for as long as it takes until calls are refused.
    #[allow(dead_code, reason = "the benches need it")]
    pub fn flood(&mut self) {
        self.turn(Input::OverloadDelay(Duration::from_millis(100)));
        for _ in 0..100 {
            self.now += Duration::from_millis(10);
            self.turn(Input::Waited(Duration::from_millis(300)));
            self.refusable();
        }
    }

    /// A call that is refused, and the ACK of it.
    #[allow(dead_code, reason = "the benches need it")]
    pub fn refused(&mut self) {
        let heard = self.refusable();
        let refusal = heard.to_caller.first().filter(|said| said.starts_with("SIP/2.0 503 "));
        let to = line_of(refusal.expect("everything waits"), "To").to_owned();
        let ack = self.head("ACK", "sip:100@203.0.113.1", &(to + "\r\n"), 1);
        self.receive(CALLER, &format!("{ack}{EMPTY}"));
    }

    fn refusable(&mut self) -> Heard {
        self.next += 1;
        let invite = self.head("INVITE", "sip:100@203.0.113.1", "To: <sip:100@203.0.113.1>\r\n", 1);
        self.receive(CALLER, &with_sdp(invite))
    }

    /// A request of the present call's caller, without its end.
    fn head(&self, method: &str, uri: &str, to: &str, cseq: u32) -> String {
        let nth = self.next;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{nth}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Alice\" <sip:+14155550100@192.0.2.10>;tag=a{nth}\r\n{to}\
             Call-ID: whole-{nth}@192.0.2.10\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@192.0.2.10:5060>\r\nUser-Agent: ExampleSBC/7.2\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO\r\n"
        )
    }

    /// A call up to its ACK; where its caller reaches us, and its To line.
    fn answered(&mut self) -> (String, String) {
        self.next += 1;
        let invite = self.head("INVITE", "sip:100@203.0.113.1", "To: <sip:100@203.0.113.1>\r\n", 1);
        let asked = self.receive(CALLER, &with_sdp(invite));
        let answer = Answer::Document(Box::new(dial()));
        let invited = self.turn(Input::Answered { ask: asked.ask.expect("the webhook is asked"), answer });
        let invite = &invited.to_callee[0];
        self.receive(CALLEE, &format!("{}{EMPTY}", response(invite, "180 Ringing")));
        let answered = self.receive(CALLEE, &with_sdp(response(invite, "200 OK")));
        let ok = answered.to_caller.last().expect("a 200");
        let contact = line_of(ok, "Contact").trim_start_matches("Contact: <");
        let uri = contact.split('>').next().expect("an address").to_owned();
        let to = format!("{}\r\n", line_of(ok, "To"));
        let ack = self.head("ACK", &uri, &to, 1);
        self.receive(CALLER, &format!("{ack}{EMPTY}"));
        (uri, to)
    }

    /// Lets time pass until all is quiet: the transactions' ends are part of a call's cost.
    pub fn rest(&mut self, time: Duration) {
        self.now += time;
        self.turn(Input::Timeout);
    }

    fn receive(&mut self, from: &str, text: &str) -> Heard {
        let peer = from.parse().expect("an address");
        let local = "203.0.113.1".parse().expect("an address");
        let flow = Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local,
            peer,
            connection: None,
            domain: None,
        };
        self.turn(Input::Received { flow, bytes: text.as_bytes() })
    }

    fn turn(&mut self, input: Input<'_>) -> Heard {
        let caller: SocketAddr = CALLER.parse().expect("an address");
        let mut heard = Heard::default();
        let mut meter = (Clock::now(), (self.count)());
        self.engine.handle(self.now, input);
        loop {
            let output = self.engine.poll();
            self.spent += meter.0.elapsed();
            self.allocations += (self.count)() - meter.1;
            match output {
                Output::Send { flow, bytes, .. } => {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    let side = if flow.peer == caller { &mut heard.to_caller } else { &mut heard.to_callee };
                    side.push(text);
                }
                Output::Ask(ask) => heard.ask = Some(ask.id),
                Output::Wait(_) => return heard,
                _ => {}
            }
            meter = (Clock::now(), (self.count)());
        }
    }
}

fn with_sdp(head: String) -> String {
    format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len())
}

fn line_of<'t>(text: &'t str, name: &str) -> &'t str {
    let is_it = |line: &&str| line.split(':').next() == Some(name);
    text.split("\r\n").find(is_it).expect("every message has it")
}

/// A response of the callee, without its end.
fn response(request: &str, status: &str) -> String {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        out = out + line_of(request, name) + "\r\n";
    }
    let to = line_of(request, "To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=callee" };
    out + to + tag + "\r\nContact: <sip:bob@198.51.100.20:5060>\r\n"
}

fn dial() -> Document {
    let noun = Noun {
        target: Target::Sip("sip:bob@198.51.100.20".into()),
        headers: Vec::new(),
        credentials: None,
        group: None,
        callback: None,
    };
    let (timeout, time_limit) = (Duration::from_secs(30), Duration::from_secs(14_400));
    let dial = Dial { nouns: vec![noun], timeout, time_limit, caller_id: None, action: None };
    Document { verbs: vec![Verb::Dial(dial)], ..Document::default() }
}

fn hook(url: &str) -> Hook {
    Hook { url: url.into(), method: Method::Post }
}

fn frame() -> Frame {
    let organization =
        Organization { is_default: true, ..Organization::at(OrganizationSid(1), "gate.example") };
    let account = Account::of(OrganizationSid(1), AccountSid(1));
    Frame {
        organizations: vec![Arc::new(organization)],
        accounts: vec![Arc::new(account)],
        applications: Vec::new(),
        trunks: Vec::new(),
        gateways: Vec::new(),
    }
}

fn number() -> Number {
    let profile = VoiceProfile {
        voice: Some(hook("https://app.example/voice")),
        status_callback: Some(hook("https://app.example/status")),
        ..VoiceProfile::default()
    };
    Number::of(OrganizationSid(1), AccountSid(1), NumberSid(1), "100", &Arc::new(profile))
}
