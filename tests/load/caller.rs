//! Who calls: any number of streams of calls, each at its own steady rate, from one thread. Requests are
//! repeated as RFC 3261 says (17.1), and each call is followed to its end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::wire::{self, Request};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// 64*T1: then a request is given up.
const GIVEN_UP: Duration = Duration::from_secs(32);

/// Calls of one kind, placed evenly.
#[derive(Clone)]
pub struct Stream {
    /// Which of the caller's sockets.
    pub source: usize,
    pub number: String,
    /// Calls a second.
    pub rate: f64,
    /// When they are placed.
    pub from: Duration,
    pub until: Duration,
    /// How long each lasts, or rings before it is cancelled.
    pub hold: Duration,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answered, acknowledged, hung up.
    Plain,
    /// The same, and says something inside the dialog each two seconds.
    Talkative,
    /// Cancelled while it rings.
    Cancelled,
}

/// What became of a stream.
#[derive(Clone, Default)]
pub struct Tally {
    pub placed: u32,
    /// Answered 200.
    pub answered: u32,
    /// Those that came to their proper end: hung up and answered 200, or cancelled and answered 487.
    pub whole: u32,
    /// Answered 503, and those of them that bore Retry-After.
    pub refused: u32,
    pub retry_after: u32,
    /// Other refusals by their code; 0: no answer at all.
    pub others: HashMap<u16, u32>,
    /// Requests inside dialogs and CANCELs, and those of them that were answered 200.
    pub inside: u32,
    pub inside_fine: u32,
    /// From the INVITE to its 200, and to its 503.
    pub answers: Vec<Duration>,
    pub refusals: Vec<Duration>,
    /// When each call that was not served had been placed.
    pub unserved: Vec<Duration>,
    /// INVITEs sent again.
    pub repeated: u32,
}

impl Tally {
    /// The `part` (0 to 1) of sorted waits that is shorter than the result.
    pub fn percentile(waits: &[Duration], part: f64) -> Duration {
        let mut sorted = waits.to_vec();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * part) as usize;
        sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Inviting,
    /// Something provisional has come: it is not repeated any more.
    Ringing,
    Cancelling,
    Talking,
    Telling,
    Leaving,
}

struct Call {
    stream: usize,
    begun: Instant,
    stage: Stage,
    /// What happens next, and when; nothing where it is `None`.
    due: Option<Instant>,
    wait: Duration,
    give_up: Instant,
    /// When it is hung up.
    end: Instant,
    last: String,
    ack: String,
    to: String,
    target: String,
    cseq: u32,
    /// CANCEL and INVITE have both been answered.
    halves: u8,
}

/// The sockets calls come from.
pub struct Caller {
    sockets: Vec<(UdpSocket, SocketAddr)>,
}

impl Caller {
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let open = |address: &SocketAddr| {
            let socket = wire::socket(*address);
            let local = socket.local_addr().expect("bound");
            (socket, local)
        };
        Self { sockets: addresses.iter().map(open).collect() }
    }

    /// Places all calls toward `router`, and waits for the end of each.
    pub fn run(&self, router: SocketAddr, streams: &[Stream]) -> Vec<Tally> {
        static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let mut run = Run {
            sockets: &self.sockets,
            router,
            streams,
            number: RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            began: Instant::now(),
            tallies: vec![Tally::default(); streams.len()],
            calls: HashMap::new(),
            timers: BinaryHeap::new(),
            next: 0,
        };
        while run.turn() {}
        run.tallies
    }
}

struct Run<'a> {
    sockets: &'a [(UdpSocket, SocketAddr)],
    router: SocketAddr,
    streams: &'a [Stream],
    number: u32,
    began: Instant,
    tallies: Vec<Tally>,
    calls: HashMap<u64, Call>,
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    next: u64,
}

impl Run<'_> {
    /// Whether there is more to come.
    fn turn(&mut self) -> bool {
        let now = Instant::now();
        let placing = self.place(now);
        while let Some(Reverse((at, call))) =
            self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            self.timers.pop();
            if self.calls.get(&call).is_some_and(|known| known.due == Some(at)) {
                self.due(call, now);
            }
        }
        let mut heard = false;
        let mut buffer = [0; 8192];
        for at in 0..self.sockets.len() {
            for _ in 0..64 {
                let Ok((length, peer)) = self.sockets[at].0.recv_from(&mut buffer) else { break };
                heard = true;
                if let Some(message) = wire::read(&buffer[..length]) {
                    self.heard(at, peer, &message);
                }
            }
        }
        if !heard {
            std::thread::sleep(Duration::from_micros(300));
        }
        placing || !self.calls.is_empty()
    }

    fn place(&mut self, now: Instant) -> bool {
        let mut more = false;
        let passed = now - self.began;
        for at in 0..self.streams.len() {
            let stream = &self.streams[at];
            more |= passed < stream.until;
            let part = passed.min(stream.until).saturating_sub(stream.from);
            let due = (part.as_secs_f64() * stream.rate) as u32;
            // What is late is placed late, but never all at once.
            for _ in 0..due.saturating_sub(self.tallies[at].placed).min(200) {
                self.invite(at);
            }
        }
        more
    }

    fn call_id(&self, call: u64) -> String {
        format!("{call}-{}-{}@t", self.number, std::process::id())
    }

    fn request(&self, id: u64, call: &Call, method: &str, cseq: u32, branch: &str) -> String {
        let source = self.streams[call.stream].source;
        Request {
            method,
            uri: &call.target,
            local: self.sockets[source].1,
            branch: &format!("z9hG4bK{}x{id}x{branch}", self.number),
            call_id: &self.call_id(id),
            to: &call.to,
            cseq,
        }
        .print()
    }

    fn invite(&mut self, at: usize) {
        let (id, now) = (self.next, Instant::now());
        self.next += 1;
        let uri = format!("sip:{}@{}", self.streams[at].number, self.router);
        let mut call = Call {
            stream: at,
            begun: now,
            stage: Stage::Inviting,
            due: None,
            wait: T1,
            give_up: now + GIVEN_UP,
            end: now,
            last: String::new(),
            ack: String::new(),
            to: format!("<{uri}>"),
            target: uri,
            cseq: 1,
            halves: 0,
        };
        call.last = self.request(id, &call, "INVITE", 1, "i");
        self.tallies[at].placed += 1;
        self.send(at, &call.last);
        call.due = Some(now + T1);
        self.timers.push(Reverse((now + T1, id)));
        self.calls.insert(id, call);
    }

    fn send(&self, stream: usize, message: &str) {
        // What the network does not take is repeated as if it had been lost.
        let _lost =
            self.sockets[self.streams[stream].source].0.send_to(message.as_bytes(), self.router).is_err();
    }

    fn arm(&mut self, id: u64, call: &mut Call, at: Instant) {
        call.due = Some(at);
        self.timers.push(Reverse((at, id)));
    }

    /// Sends a new request inside the dialog, or a CANCEL, and repeats it until it is answered.
    fn ask(&mut self, id: u64, call: &mut Call, message: String, now: Instant) {
        self.send(call.stream, &message);
        self.tallies[call.stream].inside += 1;
        (call.last, call.wait, call.give_up) = (message, T1, now + GIVEN_UP);
        self.arm(id, call, now + T1);
    }

    fn due(&mut self, id: u64, now: Instant) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let kind = self.streams[call.stream].kind;
        match call.stage {
            Stage::Ringing if kind == Kind::Cancelled => {
                call.stage = Stage::Cancelling;
                let cancel = self.request(id, &call, "CANCEL", 1, "i");
                self.ask(id, &mut call, cancel, now);
            }
            Stage::Talking => {
                call.cseq += 1;
                let over = now >= call.end;
                let (stage, method) = if over { (Stage::Leaving, "BYE") } else { (Stage::Telling, "INFO") };
                call.stage = stage;
                let request = self.request(id, &call, method, call.cseq, &call.cseq.to_string());
                self.ask(id, &mut call, request, now);
            }
            _ if now >= call.give_up => {
                // No answer at all: of an INVITE, or of what came later.
                if matches!(call.stage, Stage::Inviting | Stage::Ringing) {
                    self.unserved(&call, 0);
                }
                return;
            }
            Stage::Ringing => self.arm_at_end(id, &mut call),
            Stage::Cancelling if call.halves & 1 != 0 => self.arm_at_end(id, &mut call),
            _ => {
                self.send(call.stream, &call.last);
                self.tallies[call.stream].repeated += u32::from(call.stage == Stage::Inviting);
                let doubled = call.wait * 2;
                call.wait = if call.stage == Stage::Inviting { doubled } else { doubled.min(T2) };
                let again = (now + call.wait).min(call.give_up.max(now + T1));
                self.arm(id, &mut call, again);
            }
        }
        self.calls.insert(id, call);
    }

    fn arm_at_end(&mut self, id: u64, call: &mut Call) {
        let at = call.give_up;
        self.arm(id, call, at);
    }

    fn unserved(&mut self, call: &Call, code: u16) {
        let tally = &mut self.tallies[call.stream];
        if code == 503 {
            tally.refused += 1;
        } else {
            *tally.others.entry(code).or_default() += 1;
        }
        tally.unserved.push(call.begun - self.began);
    }

    fn heard(&mut self, at: usize, peer: SocketAddr, message: &wire::Read<'_>) {
        if message.status == 0 {
            let answer = message.answer("200 OK", self.sockets[at].1);
            if message.method != "ACK" {
                let _lost = self.sockets[at].0.send_to(answer.as_bytes(), peer).is_err();
            }
            return;
        }
        let mut words = message.call_id.split(['-', '@']);
        let id: Option<u64> = words.next().and_then(|word| word.parse().ok());
        let run: Option<u32> = words.next().and_then(|word| word.parse().ok());
        let (Some(id), Some(run)) = (id, run) else { return };
        if run != self.number {
            return;
        }
        let Some(call) = self.calls.remove(&id) else { return };
        let back = match message.method {
            "INVITE" => self.invite_answered(id, call, message),
            _ => self.answered(id, call, message),
        };
        if let Some(call) = back {
            self.calls.insert(id, call);
        }
    }

    /// The call where it goes on.
    fn invite_answered(&mut self, id: u64, mut call: Call, message: &wire::Read<'_>) -> Option<Call> {
        let (now, stream) = (Instant::now(), call.stream);
        let open = matches!(call.stage, Stage::Inviting | Stage::Ringing);
        match message.status {
            100..200 => {
                let first = call.stage == Stage::Inviting;
                if first {
                    (call.stage, call.give_up) = (Stage::Ringing, now + 2 * GIVEN_UP);
                    self.arm_at_end(id, &mut call);
                }
                let stream = &self.streams[stream];
                // The first that is no 100 starts the time until it is cancelled.
                if message.status > 100 && call.stage == Stage::Ringing && stream.kind == Kind::Cancelled {
                    let hold = stream.hold;
                    if call.end == call.begun {
                        call.end = now + hold;
                        self.arm(id, &mut call, now + hold);
                    }
                }
                Some(call)
            }
            200..300 if open || call.stage == Stage::Cancelling => {
                self.tallies[stream].answered += 1;
                self.tallies[stream].answers.push(now - call.begun);
                (call.to, call.target) = (message.to.to_owned(), message.contact.to_owned());
                call.ack = self.request(id, &call, "ACK", 1, "a");
                self.send(stream, &call.ack);
                (call.stage, call.end) = (Stage::Talking, now + self.streams[stream].hold);
                self.go_on(id, &mut call, now);
                Some(call)
            }
            200..300 => {
                self.send(stream, &call.ack);
                Some(call)
            }
            code => {
                // 17.1.1.3: the same branch, the To of the answer.
                call.to = message.to.to_owned();
                call.target = format!("sip:{}@{}", self.streams[stream].number, self.router);
                let ack = self.request(id, &call, "ACK", 1, "i");
                self.send(stream, &ack);
                if call.stage == Stage::Cancelling && code == 487 {
                    return self.half(call, 2);
                }
                if open && code == 503 {
                    self.tallies[stream].refusals.push(now - call.begun);
                    self.tallies[stream].retry_after += u32::from(message.retry_after);
                }
                self.unserved(&call, code);
                None
            }
        }
    }

    /// A half of what a cancelled call is to hear: 1 its CANCEL's 200, 2 its INVITE's 487.
    fn half(&mut self, mut call: Call, which: u8) -> Option<Call> {
        call.halves |= which;
        if call.halves == 3 {
            self.tallies[call.stream].whole += 1;
            return None;
        }
        Some(call)
    }

    fn answered(&mut self, id: u64, mut call: Call, message: &wire::Read<'_>) -> Option<Call> {
        let (fine, now) = (message.status == 200, Instant::now());
        match (call.stage, message.method) {
            (Stage::Cancelling, "CANCEL") if call.halves & 1 == 0 => {
                self.tallies[call.stream].inside_fine += u32::from(fine);
                (call.give_up, call.due) = (now + GIVEN_UP, None);
                self.arm_at_end(id, &mut call);
                self.half(call, 1)
            }
            (Stage::Telling, "INFO") => {
                self.tallies[call.stream].inside_fine += u32::from(fine);
                call.stage = Stage::Talking;
                self.go_on(id, &mut call, now);
                Some(call)
            }
            (Stage::Leaving, "BYE") => {
                self.tallies[call.stream].inside_fine += u32::from(fine);
                self.tallies[call.stream].whole += u32::from(fine);
                None
            }
            _ => Some(call),
        }
    }

    /// When an answered call says something next.
    fn go_on(&mut self, id: u64, call: &mut Call, now: Instant) {
        let next = match self.streams[call.stream].kind {
            Kind::Talkative => (now + Duration::from_secs(2)).min(call.end.max(now)),
            _ => call.end,
        };
        self.arm(id, call, next);
    }
}
