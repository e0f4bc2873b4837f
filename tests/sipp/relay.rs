//! A relay that loses datagrams: between one caller and callgate's port, by a seed, with a log of
//! what was dropped.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One dropped datagram: its direction and its first line and CSeq.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// Toward callgate.
    pub inward: bool,
    /// Its Call-ID.
    pub call_id: String,
    /// `INVITE`, `200 INVITE`: what it was.
    pub what: String,
}

/// The running relay.
pub struct Relay {
    /// Where the near side sends.
    pub near: SocketAddr,
    /// Where the far side sends.
    pub out: SocketAddr,
    dropped: Arc<Mutex<Vec<Dropped>>>,
    heard: Arc<AtomicUsize>,
}

impl Relay {
    /// Between whoever sends to [`Self::near`] and `far`; drops `percent` of the datagrams each way.
    pub fn start(far: SocketAddr, percent: u64, seed: u64) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let out = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let (near_address, out_address) =
            (near.local_addr().expect("bound"), out.local_addr().expect("bound"));
        let relay =
            Self { near: near_address, out: out_address, dropped: Arc::default(), heard: Arc::default() };
        let peer: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let inward = Way {
            dropped: Arc::clone(&relay.dropped),
            heard: Arc::clone(&relay.heard),
            percent,
            state: seed,
            inward: true,
        };
        let outward = Way {
            dropped: Arc::clone(&relay.dropped),
            heard: Arc::clone(&relay.heard),
            percent,
            state: seed ^ 0xabcd,
            inward: false,
        };
        let (near_in, out_in, peer_in) =
            (near.try_clone().expect("a handle"), out.try_clone().expect("a handle"), Arc::clone(&peer));
        thread::spawn(move || {
            inward.run(&near_in, |bytes, from| {
                *peer_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                out_in.send_to(bytes, far).map(drop)
            });
        });
        thread::spawn(move || {
            outward.run(&out, |bytes, _| match *peer.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(peer) => near.send_to(bytes, peer).map(drop),
                None => Ok(()),
            });
        });
        relay
    }

    /// How many datagrams came, the dropped ones with them.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }

    /// What was dropped so far.
    pub fn dropped(&self) -> Vec<Dropped> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Way {
    dropped: Arc<Mutex<Vec<Dropped>>>,
    heard: Arc<AtomicUsize>,
    percent: u64,
    state: u64,
    inward: bool,
}

impl Way {
    fn run(mut self, socket: &UdpSocket, forward: impl Fn(&[u8], SocketAddr) -> std::io::Result<()>) {
        socket.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
        let mut buffer = [0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            self.heard.fetch_add(1, Ordering::Relaxed);
            if self.loses() {
                let entry = describe(&buffer[..length], self.inward);
                self.dropped.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            } else if let Err(error) = forward(&buffer[..length], from) {
                eprintln!("the relay could not pass a datagram on: {error}");
            }
        }
    }

    /// SplitMix64.
    fn loses(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % 100 < self.percent
    }
}

fn describe(bytes: &[u8], inward: bool) -> Dropped {
    let text = String::from_utf8_lossy(bytes);
    let header = |name: &str| {
        let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let first = text.lines().next().unwrap_or_default();
    let method = header("cseq:").split(' ').nth(1).unwrap_or_default().to_owned();
    let what = match first.strip_prefix("SIP/2.0 ") {
        Some(status) => format!("{} {method}", &status[..3.min(status.len())]),
        None => method,
    };
    Dropped { inward, call_id: header("call-id:"), what }
}
