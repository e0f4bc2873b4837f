//! Plays a dialogue: one engine, its peers, virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callgate::call::config::{EngineConfig, Listener, UnknownSource};
use callgate::call::instructions::{Credentials, Dial, Document, Noun, NounCallback, Target, Verb};
use callgate::call::messages::MessageStep;
use callgate::call::record::{Change, Record};
use callgate::call::recover::Recovered;
use callgate::engine::Engine;
use callgate::engine::door::{Answer, Ask, Input, Output, Purpose, Question, SendToken};
use callgate::flow::{ConnectionId, Destination, Flow, ListenerId, Transport};
use callgate::ids::{AccountSid, NumberSid, OrganizationSid, TrunkSid};
use callgate::reason::Reason;
use callgate::routing::limits::Limits;
use callgate::routing::model::*;
use callgate::routing::{Builder, Directory};
use callgate::time::Instant;

use crate::peer::{Peer, Text};
use crate::script::{duration, option, options, steps};

pub struct World {
    engine: Option<Engine>,
    config: EngineConfig,
    trunk: Trunk,
    organization: Organization,
    gateways: Vec<Arc<Gateway>>,
    /// The account's group of gateways, and its main number.
    group: Option<Arc<str>>,
    main: Option<Arc<str>>,
    profile: VoiceProfile,
    callback: bool,
    now: Instant,
    peers: BTreeMap<String, Peer>,
    asks: VecDeque<Ask>,
    current: Option<Ask>,
    aborts: usize,
    records: Vec<Record>,
    seen_records: usize,
    tokens: BTreeMap<String, SendToken>,
    wait: Option<Instant>,
    ignored: Vec<String>,
    /// What peers say to OPTIONS, by name, and what they said just now.
    checks: BTreeMap<String, Vec<String>>,
    answers: VecDeque<(String, String)>,
    closed: Vec<String>,
    events: u32,
    terminals: u32,
    to_tags: BTreeMap<String, String>,
    steps: VecDeque<MessageStep>,
}

/// Plays `text` to its end.
pub fn play(text: &str) {
    let mut world = World::new();
    for (line, words) in steps(text) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.step(&words)));
        if let Err(panic) = outcome {
            eprintln!("in line {line}: {}", words.join(" "));
            std::panic::resume_unwind(panic);
        }
    }
    world.nothing_is_left();
}

impl World {
    fn new() -> Self {
        let listener = |id, transport| Listener {
            id: ListenerId(id),
            name: format!("{transport:?}").to_lowercase().into(),
            transport,
            bind: "203.0.113.1:5060".parse().expect("an address"),
            advertise: None,
            local_nets: Vec::new(),
        };
        let config = EngineConfig {
            listeners: vec![listener(0, Transport::Udp), listener(1, Transport::Tcp)],
            ..EngineConfig::default()
        };
        let mut world = Self {
            engine: None,
            config,
            trunk: trunk(),
            organization: organization(),
            gateways: Vec::new(),
            group: None,
            main: None,
            profile: VoiceProfile {
                voice: Some(hook("https://app.example/voice")),
                ..VoiceProfile::default()
            },
            callback: true,
            now: Instant::from_millis(1000),
            peers: BTreeMap::new(),
            asks: VecDeque::new(),
            current: None,
            aborts: 0,
            records: Vec::new(),
            seen_records: 0,
            tokens: BTreeMap::new(),
            wait: None,
            ignored: Vec::new(),
            checks: BTreeMap::new(),
            answers: VecDeque::new(),
            closed: Vec::new(),
            events: 0,
            terminals: 0,
            to_tags: BTreeMap::new(),
            steps: VecDeque::new(),
        };
        for (name, address) in [
            ("trunk", "192.0.2.10:5060"),
            ("bob", "198.51.100.20:5060"),
            ("carol", "198.51.100.30:5060"),
            ("dave", "198.51.100.60:5060"),
            ("erin", "198.51.100.50:5060"),
            ("proxy", "198.51.100.40:5060"),
            ("stranger", "192.0.2.99:5060"),
        ] {
            world.peers.insert(name.into(), Peer::new(name, address.parse().expect("an address"), false));
        }
        world
    }

    fn step(&mut self, words: &[String]) {
        let rest = &words[1..];
        let first = words[0].as_str();
        if let Some(name) = first.strip_suffix('>') {
            return self.peer_sends(name, rest);
        }
        if let Some(name) = first.strip_suffix('<') {
            return self.peer_got(name, rest);
        }
        match first {
            "set" => self.set(rest),
            "peer" => {
                let tcp = rest.iter().any(|word| word == "tcp");
                let peer = Peer::new(&rest[0], rest[1].parse().expect("an address"), tcp);
                self.peers.insert(rest[0].clone(), peer);
            }
            "wait" => self.pass(duration(&rest[0])),
            "ask" => self.expect_ask(rest),
            "answer" => self.answer(rest),
            "aborted" => {
                assert_eq!(self.aborts, 1, "asks that were aborted");
                self.aborts = 0;
            }
            "nothing" => self.expect_nothing(),
            "ignore" => self.ignored.extend(rest.iter().cloned()),
            "record" => self.expect_record(rest),
            "step" => self.expect_step(rest),
            "drain" => self.input(Input::Drain(true)),
            "checks" => drop(self.checks.insert(rest[0].clone(), rest[1..].to_vec())),
            "close" => self.close(&rest[0]),
            "unreachable" => {
                let token = self.tokens[&rest[0]];
                self.input(Input::SendFailed(token));
            }
            "panic" => {
                let call = self.records.last().expect("a record").call;
                self.engine().panic_inside(call);
                self.drain();
            }
            "hangup" => {
                let call = self.records.last().expect("a record").call;
                self.input(Input::Hangup { call });
            }
            "go-on" => {
                let call = self.records.last().expect("a record").call;
                self.input(Input::GoOn { call, hook: hook(&rest[0]) });
            }
            "restart" => self.restart(rest),
            // What the engine sent to itself comes in.
            "loop" => {
                let text =
                    self.peers.get_mut(&rest[0]).expect("a peer").inbox.pop_front().expect("a message");
                self.deliver(&rest[0], &text.whole);
            }
            "again" => {
                let bytes = self.peers[&rest[0]].last_sent.clone();
                self.deliver(&rest[0], &bytes);
            }
            other => panic!("no step: {other}"),
        }
    }

    fn set(&mut self, words: &[String]) {
        assert!(self.engine.is_none(), "settings come first");
        let on = |value: &str| value == "on";
        for word in words {
            let (name, value) = word.split_once('=').expect("name=value");
            match name {
                "ring-at-once" => self.trunk.ring_at_once = on(value),
                "single" => self.trunk.single_early_dialog = on(value),
                "force-rport" => self.trunk.force_rport = on(value),
                "trusted" => self.trunk.trusted = on(value),
                "redirect" => self.trunk.mode = if on(value) { TrunkMode::Redirect } else { TrunkMode::Call },
                "max-calls" => self.trunk.max_calls = Some(value.parse().expect("a number")),
                "limit-code" => self.trunk.limit_code = value.parse().expect("a code"),
                "local-net" => {
                    let (address, length) = value.split_once('/').expect("a prefix");
                    let net = Prefix {
                        address: address.parse().expect("an address"),
                        length: length.parse().expect("a length"),
                    };
                    self.config.listeners.iter_mut().for_each(|listener| listener.local_nets.push(net));
                }
                "failure-status" => {
                    self.trunk.webhook_failure_status = Some(value.parse().expect("a number"))
                }
                "source" => {
                    self.trunk
                        .sources
                        .push(Prefix { address: value.parse().expect("an address"), length: 32 });
                }
                "emergency" => self.trunk.emergency_numbers.push(value.into()),
                "nat" => {
                    self.trunk.nat = match value {
                        "on" => Nat::On,
                        "off" => Nat::Off,
                        _ => Nat::Auto,
                    }
                }
                "unknown" => {
                    self.config.unknown_source = match value {
                        "drop" => UnknownSource::Drop,
                        "default" => UnknownSource::DefaultOrganization,
                        _ => UnknownSource::Reject,
                    }
                }
                "callback" => self.callback = on(value),
                "sms" => self.profile.sms = Some(hook(value)),
                "refer" => self.profile.refer = on(value).then(|| hook("https://app.example/refer")),
                "fallback" => self.profile.fallback_target = Some(value.into()),
                "registrar" => self.organization.registrar = Some(value.into()),
                "skip-media" => self.organization.skip_media_verbs = on(value),
                "gateway" => self.gateways.push(Arc::new(gateway(value, self.gateways.len()))),
                "watch" => self.config.check_interval = duration(value),
                "group" => self.group = Some(value.into()),
                "main" => self.main = Some(value.into()),
                // Of the gateway named last.
                "gateway-trusted" => self.last_gateway().trusted = on(value),
                "gateway-follow" => self.last_gateway().follow_redirects = follow(value),
                "gateway-rules" => self.last_gateway().header_rules = rules(value),
                "told" => {
                    self.last_gateway().forwarded_as =
                        if value == "diversion" { ForwardedAs::Diversion } else { ForwardedAs::HistoryInfo }
                }
                "follow" => self.config.follow_redirects = follow(value),
                "rules" => self.trunk.header_rules = rules(value),
                "advertise" => {
                    for listener in &mut self.config.listeners {
                        listener.advertise = Some((value.into(), 5060));
                    }
                }
                "listener" => {
                    let id = ListenerId(u16::try_from(self.config.listeners.len()).expect("few"));
                    let bind = value.parse().expect("an address");
                    let like = self.config.listeners[0].clone();
                    self.config.listeners.push(Listener { id, bind, name: value.into(), ..like });
                }
                other => panic!("no setting: {other}"),
            }
        }
    }

    fn last_gateway(&mut self) -> &mut Gateway {
        Arc::make_mut(self.gateways.last_mut().expect("a gateway comes first"))
    }

    fn directory(&self) -> Directory {
        let account =
            Account { gateway_group: self.group.clone(), ..Account::of(OrganizationSid(1), AccountSid(1)) };
        let frame = Frame {
            organizations: vec![Arc::new(self.organization.clone())],
            accounts: vec![Arc::new(account)],
            applications: Vec::new(),
            trunks: vec![Arc::new(self.trunk.clone())],
            gateways: self.gateways.clone(),
        };
        let mut profile = self.profile.clone();
        if self.callback {
            profile.status_callback = Some(hook("https://app.example/status"));
        }
        let profile = Arc::new(profile);
        let number = |sid: u128, text: &str| Number {
            sid: NumberSid(sid),
            text: text.into(),
            account: AccountSid(1),
            organization: OrganizationSid(1),
            is_sip: true,
            in_service: true,
            main: false,
            profile: profile.clone(),
        };
        let main = self.main.as_deref().map(|text| Number { main: true, ..number(5, text) });
        main.into_iter()
            .fold(Builder::new(frame), Builder::number)
            .number(number(1, "100"))
            .number(number(2, "200"))
            .number(number(3, "mms:+12345678"))
            .number(number(4, "55*"))
            .build(1)
    }

    fn engine(&mut self) -> &mut Engine {
        if self.engine.is_none() {
            let directory = self.directory();
            let mut engine =
                Engine::new(Arc::new(self.config.clone()), [7; 32]).sharing(Limits::default()).watching(true);
            engine.handle(self.now, Input::Directory(Arc::new(directory)));
            self.engine = Some(engine);
        }
        self.engine.as_mut().expect("just made")
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.now;
        self.engine().handle(now, input);
        self.drain();
        while let Some((name, answer)) = self.answers.pop_front() {
            self.deliver(&name, &answer);
        }
    }

    fn drain(&mut self) {
        loop {
            let output = self.engine.as_mut().expect("running").poll();
            match output {
                Output::Send { flow, bytes, token } => {
                    let text = Text::read(bytes);
                    callgate::sip::Message::scan(bytes)
                        .unwrap_or_else(|fault| panic!("{fault} in\n{}", text.whole));
                    self.sent(flow, text, token);
                }
                Output::Ask(ask) => self.asks.push_back(*ask),
                Output::Abort(_) => self.aborts += 1,
                Output::Record(record) => self.check_record(*record),
                Output::Message { step, .. } => self.steps.push_back(step),
                Output::Trace { .. } | Output::Count(_) | Output::Named { .. } | Output::Gateway { .. } => {}
                Output::Wait(moment) => {
                    self.wait = moment;
                    return;
                }
            }
        }
    }

    fn sent(&mut self, flow: Flow, text: Text, token: SendToken) {
        let tcp = flow.transport == Transport::Tcp;
        let by_connection = flow.connection.map(|connection| connection.0);
        let peer = self.peers.values_mut().enumerate().find(|(at, peer)| {
            by_connection
                .map_or(peer.address == flow.peer && peer.tcp == tcp, |connection| connection == *at as u64)
        });
        let Some((_, peer)) = peer else { panic!("sent to nobody, {flow:?}:\n{}", text.whole) };
        peer.note(&text);
        if text.is_request()
            && text.method() == "OPTIONS"
            && let Some(words) = self.checks.get(&peer.name)
        {
            if words[0] != "silent" {
                let answer = peer.respond(&words[0], &[&words[1..], &["OPTIONS".to_owned()]].concat());
                self.answers.push_back((peer.name.clone(), answer));
            }
            return;
        }
        peer.inbox.push_back(text);
        let name = peer.name.clone();
        self.tokens.insert(name, token);
    }

    /// Seqs without gap, sequence numbers without gap, one terminal event, nothing behind it.
    fn check_record(&mut self, record: Record) {
        let of_call: Vec<&Record> = self.records.iter().filter(|known| known.call == record.call).collect();
        assert_eq!(record.seq as usize, of_call.len(), "seq of {:?}", record.change);
        let ended = of_call.iter().any(|known| matches!(known.change, Change::Ended(_)));
        assert!(!ended, "{:?} behind the terminal record", record.change);
        if let Some(event) = record.event {
            let before = of_call.iter().filter(|known| known.event.is_some()).count();
            assert_eq!(event.sequence as usize, before, "SequenceNumber");
            self.events += 1;
        }
        self.check_leg(&record);
        self.terminals += u32::from(matches!(record.change, Change::Ended(_)));
        self.records.push(record);
    }

    /// A leg that somebody is told of begins once, ends once, and ends before its call does.
    fn check_leg(&self, record: &Record) {
        let steps = |leg| {
            self.records.iter().filter_map(move |known| match &known.change {
                Change::Leg(event) if event.leg.leg == leg => Some(event.sequence()),
                _ => None,
            })
        };
        match &record.change {
            Change::Leg(event) => {
                let last = steps(event.leg.leg).next_back();
                let next = if event.sequence() == 0 { last.is_none() } else { last < Some(event.sequence()) };
                assert!(next, "{event:?} behind {last:?}");
            }
            Change::Ended(_) => {
                for known in &self.records {
                    if let Change::Leg(event) = &known.change
                        && known.call == record.call
                    {
                        assert_eq!(steps(event.leg.leg).next_back(), Some(3), "a leg without its end");
                    }
                }
            }
            _ => {}
        }
    }

    fn flow(&self, name: &str) -> Flow {
        let (at, (_, peer)) =
            self.peers.iter().enumerate().find(|(_, (known, _))| *known == name).expect("a peer");
        let transport = if peer.tcp { Transport::Tcp } else { Transport::Udp };
        let fits = |listener: &&Listener| {
            listener.transport == transport && listener.bind.is_ipv4() == peer.address.is_ipv4()
        };
        let listener = self.config.listeners.iter().find(fits).expect("a listener");
        Flow {
            transport,
            listener: listener.id,
            local: listener.bind.ip(),
            peer: peer.address,
            connection: (peer.tcp && !self.closed.contains(&peer.name)).then_some(ConnectionId(at as u64)),
        }
    }

    fn deliver(&mut self, name: &str, text: &str) {
        let flow = self.flow(name);
        self.input(Input::Received { flow, bytes: text.as_bytes() });
    }

    /// `kill -9`, and another engine with what was written: all records but the `unwritten` last.
    fn restart(&mut self, words: &[String]) {
        let unwritten = option(words, "unwritten").map_or(0, |count| count.parse().expect("a number"));
        for record in self.records.split_off(self.records.len() - unwritten) {
            self.events -= u32::from(record.event.is_some());
            self.terminals -= u32::from(matches!(record.change, Change::Ended(_)));
        }
        self.seen_records = self.seen_records.min(self.records.len());
        self.closed.extend(self.peers.values().filter(|peer| peer.tcp).map(|peer| peer.name.clone()));
        self.asks.clear();
        self.now += option(words, "down").map_or(Duration::from_secs(1), duration);
        let directory = Arc::new(self.directory());
        let mut engine = Engine::new(Arc::new(self.config.clone()), [8; 32]).sharing(Limits::default());
        engine.handle(self.now, Input::Directory(directory));
        self.engine = Some(engine);
        let mut calls: BTreeMap<_, Vec<Record>> = BTreeMap::new();
        for record in &self.records {
            calls.entry(record.call).or_default().push(record.clone());
        }
        for recovered in calls.values().filter_map(Recovered::of) {
            self.input(Input::Recovered(Box::new(recovered)));
        }
    }

    fn close(&mut self, name: &str) {
        let flow = self.flow(name);
        self.closed.push(name.into());
        self.input(Input::FlowClosed(flow));
    }

    fn peer_sends(&mut self, name: &str, words: &[String]) {
        let peer = self.peers.get_mut(name).expect("a peer");
        let first = words[0].as_str();
        let text = match first.chars().next() {
            Some('1'..='6') => peer.respond(first, &words[1..]),
            _ => peer.request(first, &words[1..]),
        };
        self.deliver(name, &text);
    }

    fn peer_got(&mut self, name: &str, words: &[String]) {
        let peer = self.peers.get_mut(name).unwrap_or_else(|| panic!("no peer {name}"));
        let Some(text) = peer.inbox.pop_front() else { panic!("nothing came to {name}") };
        let first = words[0].as_str();
        let fits = match first.chars().next() {
            Some('1'..='6') => text.code() == first,
            _ => text.is_request() && text.method() == first,
        };
        assert!(fits, "{name} got instead\n{}", text.whole);
        if let Some(method) = words.get(1).filter(|word| !word.contains('=')) {
            assert_eq!(text.method(), method);
        }
        for wanted in options(words, "has") {
            assert!(text.whole.contains(wanted), "no `{wanted}` in\n{}", text.whole);
        }
        for unwanted in options(words, "lacks") {
            assert!(!text.whole.contains(unwanted), "`{unwanted}` in\n{}", text.whole);
        }
        if let Some(body) = option(words, "body") {
            assert_eq!(text.body, body, "the body");
        }
        if let Some(label) = option(words, "to-tag") {
            let tag = text.get("To").split(";tag=").nth(1).expect("a To tag").to_owned();
            let known = self.to_tags.entry(label.to_owned()).or_insert_with(|| tag.clone());
            assert_eq!(*known, tag, "the To tag called {label}");
            let same = self.to_tags.values().filter(|known| **known == tag).count();
            assert_eq!(same, 1, "{label} has another's To tag");
        }
        // Headers that must be as in the message that came before this one.
        for name in options(words, "same") {
            assert_eq!(
                text.get(name),
                peer.last_got.as_ref().expect("an earlier message").get(name),
                "{name}"
            );
        }
        peer.last_got = Some(text);
    }

    fn expect_ask(&mut self, words: &[String]) {
        let ask = self.asks.pop_front().expect("an ask");
        match (&ask.question, words[0].as_str()) {
            (Question::Webhook(question), "voice") => {
                assert_eq!(question.purpose, Purpose::Voice);
                for (name, is) in
                    [("from", &question.facts.from), ("forwarded", &question.facts.forwarded_from)]
                {
                    assert_eq!(option(words, name).unwrap_or(is), &**is, "{name}");
                }
            }
            (Question::Webhook(question), "message") => {
                let Purpose::Message(text, hook) = &question.purpose else {
                    panic!("{:?}", question.purpose)
                };
                for (name, is) in [
                    ("text", &**text),
                    ("from", &*question.facts.from),
                    ("to", &*question.facts.to),
                    ("number", &*question.facts.number_text),
                    ("url", hook.as_ref().map_or("", |hook| &hook.url)),
                ] {
                    assert_eq!(option(words, name).unwrap_or(is), is, "{name}");
                }
            }
            (Question::Webhook(question), "redirect") => {
                assert!(matches!(question.purpose, Purpose::Redirect(_)))
            }
            (Question::Webhook(question), "refer") => {
                let Purpose::Refer(_, referral) = &question.purpose else { panic!("{:?}", question.purpose) };
                for (name, is) in [
                    ("target", &referral.target),
                    ("transferor", &referral.transferor),
                    ("transferee", &referral.transferee),
                ] {
                    assert_eq!(option(words, name).unwrap_or(is), &**is);
                }
            }
            (Question::Webhook(question), "action") => {
                let Purpose::Action(_, outcome) = &question.purpose else { panic!("{:?}", question.purpose) };
                if let Some(status) = option(words, "status") {
                    assert_eq!(outcome.status.as_str(), status);
                }
                if let Some(code) = option(words, "code") {
                    assert_eq!(outcome.sip_code, Some(code.parse().expect("a number")));
                }
                for (name, is) in [("ring", outcome.ring_duration), ("duration", outcome.duration)] {
                    assert_eq!(option(words, name).map_or(is, duration), is, "{name}");
                }
                if let Some(name) = option(words, "leg") {
                    let call_id = self.peers[name].call_id();
                    assert_eq!(outcome.sip_call_id.as_deref(), Some(call_id), "the leg of the outcome");
                }
            }
            (Question::Resolve(wanted), "address") => {
                let port = wanted.port.map_or(String::new(), |port| format!(":{port}"));
                let transport = wanted.transport.map_or("", Transport::via_token);
                assert_eq!(format!("{}{port}", wanted.host), words[1]);
                assert_eq!(option(words, "transport").unwrap_or(""), transport);
            }
            (other, _) => panic!("asked instead: {other:?}"),
        }
        self.current = Some(ask);
    }

    fn answer(&mut self, words: &[String]) {
        let ask = self.current.as_ref().expect("an ask").id;
        let answer = match words[0].as_str() {
            "addresses" => Answer::Addresses(words[1..].iter().map(|word| destination(word)).collect()),
            "no-address" => Answer::NoAddress,
            "failure" => Answer::NoDocument {
                reason: Reason::from_code(&words[1]).expect("a reason"),
                http_status: option(words, "http").map(|status| status.parse().expect("a status")),
            },
            _ => Answer::Document(Box::new(document(words))),
        };
        self.input(Input::Answered { ask, answer });
    }

    fn expect_record(&mut self, words: &[String]) {
        let record = self.records.get(self.seen_records).expect("a record");
        self.seen_records += 1;
        let name = match &record.change {
            Change::Admitted { .. } => "admitted",
            Change::Ringing => "ringing",
            Change::Invited(_) => "invited",
            Change::LegEnded { .. } => "leg-ended",
            Change::Answered { .. } => "answered",
            Change::Acked => "acked",
            Change::Recovered => "recovered",
            Change::Transferred { .. } => "transferred",
            Change::DialogChanged { .. } => "dialog-changed",
            Change::Dialled(_) => "dialled",
            Change::Leg(_) => "leg",
            Change::Ended(_) => "ended",
        };
        assert_eq!(name, words[0], "{record:?}");
        if let Change::Leg(event) = &record.change {
            let told = if event.is_wanted() { "" } else { "not:" };
            let what = format!("{told}{}:{}", event.status.as_str(), event.sequence());
            assert_eq!(Some(what.as_str()), option(words, "event"), "{record:?}");
            for (name, is) in [
                ("from", event.leg.from.to_string()),
                ("to", event.leg.to.to_string()),
                ("code", event.sip_code.to_string()),
                ("duration", event.duration.as_millis().to_string()),
            ] {
                assert_eq!(option(words, name).unwrap_or(&is), is, "{record:?}");
            }
            return;
        }
        let event = record.event.map(|event| format!("{}:{}", event.status.as_str(), event.sequence));
        assert_eq!(event.as_deref(), option(words, "event"), "{record:?}");
        if let Change::Ended(terminal) = &record.change {
            for (wanted, is) in [
                ("reason", terminal.reason.code().to_owned()),
                ("code", terminal.sip_code.to_string()),
                ("source", terminal.source.as_str().to_owned()),
                ("duration", terminal.duration.as_millis().to_string()),
            ] {
                if let Some(wanted) = option(words, wanted) {
                    assert_eq!(is, wanted);
                }
            }
        }
    }

    /// What is told of a MESSAGE: `admitted`, `answered 202`, `sent`, `delivered`, `refused`, …
    fn expect_step(&mut self, words: &[String]) {
        let step = self.steps.pop_front().expect("a step");
        let is = match step {
            MessageStep::Admitted(_) => "admitted".to_owned(),
            MessageStep::Answered(code, reason) => {
                format!("answered {code} {}", reason.map_or("", |reason| reason.code()))
            }
            MessageStep::Sent => "sent".to_owned(),
            MessageStep::Reply(end) => end.as_str().to_owned(),
        };
        assert_eq!(is.trim_end(), words.join(" "));
    }

    fn expect_nothing(&self) {
        for peer in self.peers.values() {
            if let Some(text) = peer.inbox.front()
                && !self.ignored.contains(&peer.name)
            {
                panic!("{} got\n{}", peer.name, text.whole);
            }
        }
        assert!(self.asks.is_empty(), "asked {:?}", self.asks);
    }

    /// Time passes; each timer fires at its own moment.
    fn pass(&mut self, time: Duration) {
        self.engine();
        self.drain();
        let until = self.now + time;
        while let Some(next) = self.wait.filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// At the end all is told, and when all is quiet all is forgotten.
    fn nothing_is_left(&mut self) {
        self.expect_nothing();
        self.ignored.extend(self.peers.keys().cloned());
        self.pass(Duration::from_secs(200));
        let admitted =
            self.records.iter().filter(|record| matches!(record.change, Change::Admitted { .. })).count();
        assert_eq!(self.terminals as usize, admitted, "terminal records");
        let footprint = self.engine.as_ref().expect("running").footprint();
        assert_eq!(footprint, callgate::engine::Footprint::default(), "what is left when all is quiet");
    }
}

/// `198.51.100.20`, `198.51.100.20:5070`, `tcp/198.51.100.20:5070`.
fn destination(word: &str) -> Destination {
    let (transport, address) = match word.split_once('/') {
        Some(("tcp", address)) => (Transport::Tcp, address),
        _ => (Transport::Udp, word),
    };
    let address = match address.parse::<IpAddr>() {
        Ok(ip) => (ip, 5060).into(),
        Err(_) => address.parse().expect("an address"),
    };
    Destination { transport, address }
}

/// `dial sip:… [sip:…] [timeout=30s] [limit=…] [action=URL] [caller-id=…]`, `reject 486`, verbs parted by `then`.
fn document(words: &[String]) -> Document {
    let verb = |words: &[String]| match words[0].as_str() {
        "dial" => Verb::Dial(Dial {
            nouns: words[1..].iter().filter_map(|word| noun(word, words)).collect(),
            timeout: option(words, "timeout").map_or(Duration::from_secs(30), duration),
            time_limit: option(words, "limit").map_or(Duration::from_secs(14_400), duration),
            caller_id: option(words, "caller-id").map(Into::into),
            action: option(words, "action").map(hook),
        }),
        "reject" => Verb::Reject { status: words[1].parse().expect("a status") },
        "redirect" => Verb::Redirect(hook(&words[1])),
        "pause" => Verb::Pause(duration(&words[1])),
        "hangup" => Verb::Hangup,
        "refer" => Verb::Refer { target: words[1].as_str().into() },
        "media" => Verb::Media(words[1].as_str().into()),
        "message" => Verb::Message(callgate::call::instructions::Reply {
            to: option(words, "to").map(Into::into),
            from: option(words, "from").map(Into::into),
            text: words[1].as_str().into(),
        }),
        other => panic!("no verb: {other}"),
    };
    if words[0] == "empty" {
        return Document::default();
    }
    let verbs = words.split(|word| word == "then").map(verb).collect();
    Document { verbs, url: "https://app.example/voice".into() }
}

/// `told=initiated,completed`: what the nouns' callback wants.
fn told(words: &[String]) -> Option<Arc<NounCallback>> {
    let bit = |word| match word {
        "initiated" => 1,
        "ringing" => 2,
        "answered" => 4,
        "completed" => 8,
        _ => 15,
    };
    let events = option(words, "told")?.split(',').map(bit).fold(0, |all, one| all | one);
    Some(Arc::new(NounCallback { hook: hook("https://app.example/leg"), events }))
}

/// `auth=USER:PASSWORD[:REALM]` of a Dial, for all its nouns.
fn credentials(words: &[String]) -> Option<Arc<Credentials>> {
    secrets(option(words, "auth")?)
}

fn secrets(parts: &str) -> Option<Arc<Credentials>> {
    let mut parts = parts.split(':').map(ToOwned::to_owned);
    let (username, password) = (parts.next()?, parts.next()?);
    Some(Arc::new(Credentials { username, password, realm: parts.next() }))
}

/// One noun of a Dial; `group=` names the gateways of all its numbers.
fn noun(word: &str, words: &[String]) -> Option<Noun> {
    let (target, header) = word.split_once('?').unwrap_or((word, ""));
    let target = match target.split_once(':')? {
        ("number", number) => Target::Number(number.into()),
        ("client", name) => Target::Client(name.into()),
        ("sip" | "sips" | "tel", _) => Target::Sip(target.into()),
        _ => return None,
    };
    let headers = header.split_once('~').map(|(name, value)| (name.into(), value.into()));
    Some(Noun {
        target,
        headers: headers.into_iter().collect(),
        credentials: credentials(words),
        group: option(words, "group").map(Into::into),
        callback: told(words),
    })
}

fn follow(word: &str) -> Follow {
    match word {
        "known" => Follow::Known,
        "any" => Follow::Any,
        _ => Follow::No,
    }
}

/// `in:drop:Subject,out:set:X-Site:7`.
fn rules(text: &str) -> HeaderRules {
    let rule = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        let way = if parts[0] == "in" { Way::In } else { Way::Out };
        let action = match parts[1] {
            "pass" => HeaderAction::Pass,
            "drop" => HeaderAction::Drop,
            _ => HeaderAction::Set(parts[3].into()),
        };
        HeaderRule::new(parts[2], way, action)
    };
    let rules = HeaderRules::new(text.split(',').map(rule).collect());
    rules.check().expect("rules that may be used");
    rules
}

fn hook(url: &str) -> Hook {
    Hook { url: url.into(), method: Method::Post }
}

fn organization() -> Organization {
    Organization { is_default: true, ..Organization::at(OrganizationSid(1), "gate.example") }
}

/// `host:port[@priority][;group=NAME][;media][;own][;format=e164|national][;user=NAME:PASSWORD[:REALM]]`.
fn gateway(words: &str, others: usize) -> Gateway {
    let (place, settings) = words.split_once(';').unwrap_or((words, ""));
    let (address, priority) = place.split_once('@').unwrap_or((place, "10"));
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let sid = callgate::ids::GatewaySid(others as u128 + 1);
    let mut gateway = Gateway {
        port: Some(port.parse().expect("a port")),
        emergency: true,
        trusted: true,
        priority: priority.parse().expect("a number"),
        ..Gateway::at(sid, "out", host)
    };
    for setting in settings.split(';').filter(|setting| !setting.is_empty()) {
        match setting.split_once('=').unwrap_or((setting, "")) {
            ("group", name) => gateway.group = name.into(),
            ("media", _) => (gateway.media, gateway.emergency) = (true, false),
            ("own", _) => gateway.own_caller_id = true,
            ("check", seconds) => gateway.options_interval = Some(seconds.parse().expect("seconds")),
            ("format", "e164") => gateway.caller_id_format = CallerIdFormat::E164,
            ("format", "national") => gateway.caller_id_format = CallerIdFormat::National,
            ("user", parts) => gateway.credentials = secrets(parts),
            (other, _) => panic!("no setting of a gateway: {other}"),
        }
    }
    gateway
}

fn trunk() -> Trunk {
    Trunk {
        organization: Some(OrganizationSid(1)),
        sources: vec![Prefix { address: "192.0.2.10".parse().expect("an address"), length: 32 }],
        ring_at_once: false,
        ..Trunk::named(TrunkSid(1), "carrier")
    }
}
