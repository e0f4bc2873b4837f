//! Callers and callees that repeat what may be lost, by RFC 3261's timers, and answer what is
//! repeated: sipp forgets a request once it was answered, and so cannot judge a network that loses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::phone::{Message, Phone};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// 64 * T1.
const EXHAUSTED: Duration = Duration::from_secs(32);
const TALK: Duration = Duration::from_millis(200);
const RING: Duration = Duration::from_millis(100);

/// How each call ended: fine, or why not; by the number in its `X-Call`.
pub type Ends = BTreeMap<u32, (String, Result<(), String>)>;

/// Something that is sent again until it is answered.
struct Repeat {
    text: String,
    to: SocketAddr,
    at: Instant,
    pause: Duration,
    longest: Duration,
    since: Instant,
}

impl Repeat {
    /// Sends it a first time. An INVITE's pause doubles without end, others' up to T2 (17.1).
    fn start(phone: &Phone, text: String, to: SocketAddr, longest: Duration) -> Self {
        phone.send_to(&text, to);
        let now = Instant::now();
        Self { text, to, at: now + T1, pause: T1, longest, since: now }
    }

    /// Sends it again when it is due; false once its timer is exhausted.
    fn tick(&mut self, phone: &Phone) -> bool {
        let now = Instant::now();
        if now >= self.at {
            phone.send_to(&self.text, self.to);
            self.pause = (self.pause * 2).min(self.longest);
            self.at = now + self.pause;
        }
        now < self.since + EXHAUSTED
    }
}

enum Step {
    Inviting,
    Talking(Instant),
    Closing,
    Ended(Result<(), String>),
}

struct Call {
    step: Step,
    repeat: Option<Repeat>,
    answer: Option<Message>,
}

/// `count` calls to `user` through `router`, `rate` each second, each hung up by the caller.
pub fn call(phone: &Phone, router: SocketAddr, user: &str, count: u32, rate: u32) -> Ends {
    let mut calls: BTreeMap<u32, Call> = BTreeMap::new();
    let (began, longest) = (Instant::now(), EXHAUSTED * 3);
    let every = Duration::from_secs(1) / rate;
    loop {
        let started = u32::try_from(calls.len()).expect("few");
        if started < count && began.elapsed() >= every * started {
            let extra = format!("X-Call: {started}\n");
            let invite = phone.invite(user, &call_id(started), &format!("i{started}"), &extra);
            let repeat = Repeat::start(phone, invite, router, EXHAUSTED);
            calls.insert(started, Call { step: Step::Inviting, repeat: Some(repeat), answer: None });
        }
        if let Some((message, from)) = phone.hear(Duration::from_millis(2)) {
            let number = message.header("Call-ID").strip_prefix("patient").and_then(|text| text.parse().ok());
            if let Some(call) = number.and_then(|number: u32| calls.get_mut(&number)) {
                call.hear(phone, &message, from);
            }
        }
        calls.values_mut().for_each(|call| call.tick(phone, router));
        let over = calls.values().all(|call| matches!(call.step, Step::Ended(_)));
        if started == count && over || began.elapsed() > every * count + longest {
            break;
        }
    }
    let end = |call: Call| match call.step {
        Step::Ended(end) => end,
        _ => Err("never ended".to_owned()),
    };
    calls.into_iter().map(|(number, call)| (number, (call_id(number), end(call)))).collect()
}

fn call_id(number: u32) -> String {
    format!("patient{number}")
}

impl Call {
    fn hear(&mut self, phone: &Phone, message: &Message, from: SocketAddr) {
        match (message.status(), message.method()) {
            (0, method) => {
                phone.send_to(&phone.response(message, "200 OK", "", ""), from);
                if method == "BYE" && !matches!(self.step, Step::Ended(_)) {
                    self.end(Err("was hung up".to_owned()));
                }
            }
            (100..200, "INVITE") => {
                // 17.1.1.2: a provisional ends the repeats, not the wait.
                if let Some(repeat) =
                    &mut self.repeat.as_mut().filter(|_| matches!(self.step, Step::Inviting))
                {
                    repeat.at = Instant::now() + EXHAUSTED;
                }
            }
            (200..300, "INVITE") => {
                phone.send(&phone.inside("ACK", 1, message));
                if matches!(self.step, Step::Inviting) {
                    (self.step, self.repeat) = (Step::Talking(Instant::now() + TALK), None);
                    self.answer = Some(message.clone());
                }
            }
            (code, "INVITE") => {
                phone.send(&refusal_ack(phone, message));
                if matches!(self.step, Step::Inviting) {
                    self.end(Err(format!("was answered {code}")));
                }
            }
            (200, "BYE") if matches!(self.step, Step::Closing) => self.end(Ok(())),
            (code, "BYE") if matches!(self.step, Step::Closing) => {
                self.end(Err(format!("its BYE was answered {code}")));
            }
            _ => {}
        }
    }

    fn tick(&mut self, phone: &Phone, router: SocketAddr) {
        if let Step::Talking(until) = self.step
            && Instant::now() >= until
            && let Some(answer) = &self.answer
        {
            self.repeat = Some(Repeat::start(phone, phone.inside("BYE", 2, answer), router, T2));
            self.step = Step::Closing;
        }
        if self.repeat.as_mut().is_some_and(|repeat| !repeat.tick(phone)) {
            let what = if matches!(self.step, Step::Closing) { "BYE" } else { "INVITE" };
            self.end(Err(format!("its {what} was never answered")));
        }
    }

    fn end(&mut self, end: Result<(), String>) {
        (self.step, self.repeat) = (Step::Ended(end), None);
    }
}

/// The ACK of a refusal repeats the INVITE's branch (17.1.1.3).
fn refusal_ack(phone: &Phone, refusal: &Message) -> String {
    let uri = refusal.header("To").split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    format!(
        "ACK {uri} SIP/2.0\n{}From: {}\nTo: {}\nCall-ID: {}\nCSeq: 1 ACK\nMax-Forwards: 70\nContent-Length: 0\n\n",
        refusal.lines("Via"),
        refusal.header("From"),
        refusal.header("To"),
        refusal.header("Call-ID"),
    )
    .replace(&format!(";received=127.0.0.1;rport={}", phone.port()), ";rport")
}

struct Answered {
    number: u32,
    invite: Message,
    from: SocketAddr,
    last: String,
    answers: Option<Instant>,
    repeat: Option<Repeat>,
    end: Result<(), String>,
}

/// Rings, answers, and is hung up, until `stop` and two seconds more for what is repeated.
pub fn answer(phone: &Phone, stop: &AtomicBool) -> Ends {
    let mut calls: BTreeMap<String, Answered> = BTreeMap::new();
    let mut until = None;
    while until.is_none_or(|until| Instant::now() < until) {
        if until.is_none() && stop.load(Ordering::Relaxed) {
            until = Some(Instant::now() + Duration::from_secs(2));
        }
        if let Some((message, from)) = phone.hear(Duration::from_millis(2))
            && message.status() == 0
        {
            let id = message.header("Call-ID").to_owned();
            match calls.get_mut(&id) {
                Some(call) => call.hear(phone, &message, from),
                None if message.method() == "INVITE" => {
                    calls.insert(id, Answered::ring(phone, message, from));
                }
                None => phone.send_to(&phone.response(&message, "481 No Call", "none", ""), from),
            }
        }
        calls.values_mut().for_each(|call| call.tick(phone));
    }
    calls.into_iter().map(|(id, call)| (call.number, (id, call.end))).collect()
}

impl Answered {
    fn ring(phone: &Phone, invite: Message, from: SocketAddr) -> Self {
        let number = invite.header("X-Call").parse().expect("X-Call passes unchanged");
        let last = phone.response(&invite, "180 Ringing", &format!("b{number}"), "");
        phone.send_to(&last, from);
        let (answers, end) = (Some(Instant::now() + RING), Err("was never hung up".to_owned()));
        Self { number, invite, from, last, answers, repeat: None, end }
    }

    fn hear(&mut self, phone: &Phone, message: &Message, from: SocketAddr) {
        match message.method() {
            "INVITE" => phone.send_to(&self.last, from),
            "ACK" => self.repeat = None,
            "CANCEL" => {
                phone.send_to(&phone.response(message, "200 OK", "", ""), from);
                if self.answers.take().is_some() {
                    self.end = Err("was cancelled".to_owned());
                    self.last = phone.response(
                        &self.invite,
                        "487 Request Terminated",
                        &format!("b{}", self.number),
                        "",
                    );
                    self.repeat = Some(Repeat::start(phone, self.last.clone(), from, T2));
                }
            }
            method => {
                phone.send_to(&phone.response(message, "200 OK", "", ""), from);
                // It may come before the ACK that was lost: then nothing is left to acknowledge.
                if method == "BYE" {
                    (self.repeat, self.end) = (None, Ok(()));
                }
            }
        }
    }

    fn tick(&mut self, phone: &Phone) {
        if self.answers.is_some_and(|at| Instant::now() >= at) {
            self.answers = None;
            self.last = phone.response(&self.invite, "200 OK", &format!("b{}", self.number), "");
            self.repeat = Some(Repeat::start(phone, self.last.clone(), self.from, T2));
        }
        if self.repeat.as_mut().is_some_and(|repeat| !repeat.tick(phone)) {
            self.repeat = None;
            self.end = Err("its 2xx was never acknowledged".to_owned());
        }
    }
}
