//! Applications and DNS as small scripts: they answer soon, late, twice or never.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callgate::call::instructions::{Dial, Document, Noun, NounCallback, Reply, Target, Verb};
use callgate::engine::door::{Answer, Ask, Purpose, Question};
use callgate::flow::{Destination, Transport};
use callgate::reason::Reason;
use callgate::routing::model::{Follow, Hook, Method};
use callgate::transport::next_hop::Unresolved;

use crate::evidence::Dialled;
use crate::people::{MUTE, SICK};
use crate::phone::MS;
use crate::proxy::FAR;
use crate::rng::Rng;
use crate::world::{Options, TARGETS};

/// Nothing has this address.
const NOBODY: u8 = 200;

pub struct Application {
    pub rng: Rng,
    pub plain: bool,
    wide: bool,
    pub follow: Follow,
    pub dials: Vec<Dialled>,
    pub count: usize,
    documents: u32,
    /// It answers a refer question.
    pub transfer: bool,
}

impl Application {
    pub fn new(rng: Rng, options: &Options, follow: Follow) -> Self {
        let (plain, wide) = (options.plain, options.wide);
        Self { rng, plain, wide, follow, dials: Vec::new(), count: 0, documents: 0, transfer: false }
    }

    pub fn take_dials(&mut self) -> Vec<Dialled> {
        std::mem::take(&mut self.dials)
    }

    /// The answers to a question, each with its delay in ns.
    pub fn answers(&mut self, ask: &Ask) -> Vec<(u64, Answer)> {
        let answer = match &ask.question {
            Question::Resolve(wanted) => self.resolve(wanted),
            Question::Webhook(question) => self.document(&question.purpose),
        };
        let slow = !self.plain && self.rng.chance(12);
        let delay = if slow { self.rng.between(2_000, 17_000) } else { self.rng.between(1, 250) } * MS;
        let twice = self.rng.chance(5);
        let mut answers = Vec::new();
        if let Some(answer) = answer {
            if twice {
                answers.push((delay + self.rng.between(1, 4_000) * MS, answer.clone()));
            }
            answers.push((delay, answer));
        }
        answers
    }

    fn resolve(&mut self, wanted: &Unresolved) -> Option<Answer> {
        let transport = wanted.transport.unwrap_or(Transport::Udp);
        if let Some(known) = self.dials.iter().find(|dialled| *dialled.host == *wanted.host) {
            let to = |address: &SocketAddr| Destination { transport, address: *address };
            return Some(Answer::Addresses(known.hops.iter().map(to).collect()));
        }
        let target = wanted
            .host
            .strip_prefix('t')
            .and_then(|rest| rest.split('.').next())
            .and_then(|n| n.parse().ok())
            .unwrap_or(1);
        let address = |last| Destination {
            transport: wanted.transport.unwrap_or(Transport::Udp),
            address: ([203, 0, 113, last], wanted.port.unwrap_or(5060)).into(),
        };
        let target = address(target);
        match self.rng.below(if self.plain { 1 } else { 8 }) {
            7 => Some(Answer::NoAddress),
            6 => None,
            5 => Some(Answer::Addresses(vec![address(SICK), target])),
            4 => Some(Answer::Addresses(vec![address(MUTE), target])),
            3 => Some(Answer::Addresses(vec![address(NOBODY), target])),
            _ => Some(Answer::Addresses(vec![target])),
        }
    }

    fn document(&mut self, purpose: &Purpose) -> Option<Answer> {
        self.documents += 1;
        self.transfer = match purpose {
            Purpose::Refer(..) => true,
            Purpose::Action(hook, _) | Purpose::Redirect(hook) => hook.url.contains("transfer"),
            _ => false,
        };
        let choice = match purpose {
            Purpose::Message(..) => return self.reply(),
            Purpose::Refer(..) if self.wide => self.rng.pick(&[0, 0, 0, 0, 0, 0, 1, 3, 6, 13, 13, 14]),
            Purpose::Refer(..) => {
                self.rng.pick(&[0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 13, 14, 14])
            }
            Purpose::Action(..) => self.rng.pick(&[7, 7, 0, 9, 13]),
            _ if self.plain => self.rng.pick(&[0, 13]),
            _ => self
                .rng
                .pick(&[0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13, 13, 13, 14, 14]),
        };
        let verbs = match choice {
            0 => vec![self.dial(false, false)],
            1 => vec![self.dial(true, false)],
            2 => vec![self.dial(false, true)],
            3 => vec![Verb::Reject { status: 486 }],
            4 => vec![Verb::Redirect(self.hook("next"))],
            5 => return Some(Answer::NoDocument { reason: Reason::WebhookUnreachable, http_status: None }),
            6 => return None,
            7 => vec![Verb::Hangup],
            8 => vec![
                Verb::Pause(Duration::from_millis(self.rng.between(100, 70_000))),
                self.dial(false, false),
            ],
            9 => vec![self.dial(false, false), self.dial(false, false)],
            10 => {
                return Some(Answer::NoDocument { reason: Reason::WebhookNotFound, http_status: Some(404) });
            }
            11 => vec![Verb::Refer { target: "sip:other@203.0.113.50".into() }],
            13 => vec![self.fork(false)],
            14 => vec![self.fork(true)],
            _ => vec![self.spiral()],
        };
        Some(Answer::Document(Box::new(Document { verbs, ..Document::default() })))
    }

    /// What is done about a MESSAGE.
    fn reply(&mut self) -> Option<Answer> {
        self.count += 1;
        let text = format!("reply {}", self.count).into();
        let verbs = match self.rng.below(8) {
            0 => return None,
            1 => return Some(Answer::NoDocument { reason: Reason::WebhookUnreachable, http_status: None }),
            2 => Vec::new(),
            3 => vec![Verb::Redirect(hook("next"))],
            _ => vec![Verb::Message(Reply { to: None, from: None, text })],
        };
        Some(Answer::Document(Box::new(Document { verbs, ..Document::default() })))
    }

    /// Two to four targets that ring together; some may stand behind one address.
    fn fork(&mut self, action: bool) -> Verb {
        let more = self.rng.between(1, 3);
        self.count += 1;
        let mut first = self.single(false, action);
        for _ in 0..more {
            let by_name = !self.plain && self.rng.chance(30);
            first.nouns.extend(self.single(by_name, false).nouns);
        }
        Verb::Dial(first)
    }

    fn dial(&mut self, by_name: bool, action: bool) -> Verb {
        self.count += 1;
        Verb::Dial(self.single(by_name, action))
    }

    fn single(&mut self, by_name: bool, action: bool) -> Dial {
        if self.wide && self.rng.chance(70) {
            return self.special(action);
        }
        let user = format!("d{}", self.dials.len());
        let target = self.rng.between(1, u64::from(TARGETS));
        let (proxied, transport) = match self.rng.below(10) {
            0 | 1 if !by_name => (Some(self.rng.pick(&FAR)), ""),
            2 => (None, ";transport=tcp"),
            _ => (None, ""),
        };
        let host = match proxied {
            Some(proxy) => proxy.ip().to_string(),
            None if by_name => format!("t{target}.example.net"),
            None => format!("203.0.113.{target}"),
        };
        self.dials.push(Dialled {
            user: user.clone(),
            addresses: if by_name { 2 } else { 1 },
            at_once: !by_name,
            host: String::new(),
            hops: Vec::new(),
            trusted: false,
            number: false,
            credentials: None,
            follow: self.follow,
            dial: self.count,
            transfer: self.transfer,
        });
        let mut dial = self.to(format!("sip:{user}@{host}:5060{transport}"));
        dial.action = action.then(|| self.hook("action"));
        dial
    }

    /// Where this document asks next; who asks for a transfer's says so.
    pub fn hook(&self, path: &str) -> Hook {
        hook(&if self.transfer { format!("transfer/{path}") } else { path.to_owned() })
    }

    /// Back to the router itself.
    fn spiral(&mut self) -> Verb {
        Verb::Dial(self.to("sip:1000@192.0.2.1:5060".to_owned()))
    }

    fn to(&mut self, uri: String) -> Dial {
        self.noun(Noun {
            target: Target::Sip(Arc::from(uri)),
            headers: Vec::new(),
            credentials: None,
            group: None,
            callback: Some(Arc::new(NounCallback { hook: hook("leg"), events: 15 })),
        })
    }

    /// A Dial of one noun.
    pub fn noun(&mut self, noun: Noun) -> Dial {
        let short = !self.plain && self.rng.chance(25);
        Dial {
            nouns: vec![noun],
            timeout: Duration::from_millis(if short { self.rng.between(500, 6_000) } else { 30_000 }),
            time_limit: Duration::from_millis(if self.rng.chance(10) { 4_000 } else { 14_400_000 }),
            caller_id: None,
            action: None,
        }
    }
}

pub fn hook(path: &str) -> Hook {
    Hook { url: format!("https://app.example/{path}").into(), method: Method::Post }
}
