//! The target of all calls: rings, answers at once (`sip:ring@`: never), and repeats its 200 until it is
//! acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::wire;

/// What it has seen.
#[derive(Default)]
pub struct Seen {
    /// INVITEs answered 200, each once.
    pub answered: AtomicU64,
    /// Those that were acknowledged.
    pub acknowledged: AtomicU64,
}

/// The target; ends when it is dropped.
pub struct Callee {
    pub at: SocketAddr,
    pub seen: Arc<Seen>,
    on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Callee {
    pub fn start(address: SocketAddr) -> Self {
        let socket = wire::socket(address);
        let (at, seen, on) = (socket.local_addr().unwrap(), Arc::default(), Arc::new(AtomicBool::new(true)));
        let mut work = Work {
            socket,
            at,
            seen: Arc::clone(&seen),
            calls: HashMap::new(),
            timers: BTreeMap::new(),
            next: 0,
        };
        let going = on.clone();
        let thread = std::thread::spawn(move || {
            while going.load(Ordering::Relaxed) {
                if !work.turn() {
                    std::thread::sleep(Duration::from_micros(300));
                }
            }
        });
        Self { at, seen, on, thread: Some(thread) }
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A call here.
enum State {
    /// Its 200 waits for the ACK.
    Answered {
        answer: String,
        peer: SocketAddr,
        wait: Duration,
        since: Instant,
    },
    /// It rings for ever; the answer to its INVITE once it is cancelled.
    Rings(String),
    Known,
}

struct Work {
    socket: UdpSocket,
    at: SocketAddr,
    seen: Arc<Seen>,
    calls: HashMap<String, State>,
    timers: BTreeMap<(Instant, u64), String>,
    next: u64,
}

impl Work {
    /// Takes what is there; whether there was anything.
    fn turn(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let mut any = false;
        for _ in 0..64 {
            let Ok((length, peer)) = self.socket.recv_from(&mut buffer) else { break };
            any = true;
            if let Some(message) = wire::read(&buffer[..length]).filter(|message| message.status == 0) {
                self.request(&message, peer);
            }
        }
        self.repeat();
        any
    }

    fn request(&mut self, message: &wire::Read<'_>, peer: SocketAddr) {
        match message.method {
            "INVITE" => self.invite(message, peer),
            "ACK" => {
                if let Some(state @ State::Answered { .. }) = self.calls.get_mut(message.call_id) {
                    *state = State::Known;
                    self.seen.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            }
            "CANCEL" => {
                self.send(&message.answer("200 OK", self.at), peer);
                if let Some(state @ State::Rings(_)) = self.calls.get_mut(message.call_id)
                    && let State::Rings(answer) = std::mem::replace(state, State::Known)
                {
                    self.send(&answer, peer);
                }
            }
            _ => self.send(&message.answer("200 OK", self.at), peer),
        }
    }

    fn invite(&mut self, message: &wire::Read<'_>, peer: SocketAddr) {
        if let Some(known) = self.calls.get(message.call_id) {
            if let State::Answered { answer, .. } = known {
                self.send(answer, peer);
            }
            return;
        }
        self.send(&message.answer("180 Ringing", self.at), peer);
        let call = message.call_id.to_owned();
        if message.uri.starts_with("sip:ring@") {
            let answer = message.answer("487 Request Terminated", self.at);
            self.calls.insert(call, State::Rings(answer));
            return;
        }
        let answer = message.answer("200 OK", self.at);
        self.send(&answer, peer);
        self.seen.answered.fetch_add(1, Ordering::Relaxed);
        let (wait, since) = (Duration::from_millis(500), Instant::now());
        self.timers.insert((since + wait, self.next), call.clone());
        self.next += 1;
        self.calls.insert(call, State::Answered { answer, peer, wait, since });
    }

    /// 13.3.1.4: from T1 to T2, for 64*T1.
    fn repeat(&mut self) {
        let now = Instant::now();
        while let Some(due) = self.timers.first_entry().filter(|due| due.key().0 <= now) {
            let call = due.remove();
            let Some(State::Answered { answer, peer, wait, since }) = self.calls.get_mut(&call) else {
                continue;
            };
            if now - *since > Duration::from_secs(32) {
                self.calls.insert(call, State::Known);
                continue;
            }
            *wait = (*wait * 2).min(Duration::from_secs(4));
            let (answer, peer, again) = (answer.clone(), *peer, now + *wait);
            self.send(&answer, peer);
            self.timers.insert((again, self.next), call);
            self.next += 1;
        }
    }

    fn send(&self, message: &str, peer: SocketAddr) {
        // What the network does not take is repeated as if it had been lost.
        let _lost = self.socket.send_to(message.as_bytes(), peer).is_err();
    }
}
