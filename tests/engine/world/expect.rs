//! What must have come of it: messages, questions, records, and nothing left at the end.

use std::time::Duration;

use callgate::call::messages::MessageStep;
use callgate::call::record::{Change, Record};
use callgate::engine::door::{Purpose, Question};
use callgate::flow::Transport;

use super::World;
use crate::script::{duration, option, options};

impl World {
    /// Seqs without gap, sequence numbers without gap, one terminal event, nothing behind it.
    pub(super) fn check_record(&mut self, record: Record) {
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
    pub(super) fn check_leg(&self, record: &Record) {
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

    pub(super) fn peer_got(&mut self, name: &str, words: &[String]) {
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
        if let Some(host) = option(words, "proves") {
            let proven = peer.domain.map(|domain| self.names.get(&domain).map_or("?", AsRef::as_ref));
            assert_eq!(proven.unwrap_or("nobody"), host, "whom {name} must prove to be");
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

    pub(super) fn expect_ask(&mut self, words: &[String]) {
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
                if let Some(header) = option(words, "header") {
                    let told = outcome.sip_headers.iter().map(|(name, value)| format!("{name}:{value}"));
                    assert_eq!(told.collect::<Vec<_>>().join(","), header);
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

    pub(super) fn expect_record(&mut self, words: &[String]) {
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
    pub(super) fn expect_step(&mut self, words: &[String]) {
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

    pub(super) fn expect_nothing(&self) {
        for peer in self.peers.values() {
            if let Some(text) = peer.inbox.front()
                && !self.ignored.contains(&peer.name)
            {
                panic!("{} got\n{}", peer.name, text.whole);
            }
        }
        assert!(self.asks.is_empty(), "asked {:?}", self.asks);
    }

    /// At the end all is told, and when all is quiet all is forgotten.
    pub(super) fn nothing_is_left(&mut self) {
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
