//! Strangers: garbage, damaged copies of what was said, answers to nothing, requests for dialogs that
//! are not theirs. None of it may change anything.

use std::net::{IpAddr, SocketAddr};

use callgate::engine::door::Input;
use callgate::flow::{Flow, ListenerId, Transport};

use crate::phone::MS;
use crate::rng::Rng;
use crate::world::{Event, ROUTER, World};

/// Their own generator, so that the world without them is the same world.
pub struct Strays {
    rng: Rng,
    /// Something is being thrown just now.
    pub thrown: bool,
}

/// A stranger within the trunk's network, and one without.
const INSIDE: [u8; 4] = [198, 51, 100, 99];
const OUTSIDE: [u8; 4] = [192, 0, 2, 66];

pub fn is_stranger(peer: SocketAddr) -> bool {
    [INSIDE, OUTSIDE].iter().any(|host| peer.ip() == IpAddr::from(*host))
}

impl Strays {
    pub fn new(rng: Rng) -> Self {
        Self { rng, thrown: false }
    }
}

impl World {
    pub fn strangers(&mut self) {
        if self.options.strays {
            for _ in 0..60 {
                // Never at the moment of a timer, which would then go off under a stranger's name.
                let at = self.strays.rng.between(1, 40_000) * MS + 7;
                self.at(at, Event::Stray);
            }
        }
    }

    pub fn stray(&mut self) {
        let bytes = self.thing();
        let known = self.strays.rng.chance(50);
        let peer = SocketAddr::from((if known { INSIDE } else { OUTSIDE }, 5060));
        let (transport, listener) = (Transport::Udp, ListenerId(0));
        let flow = Flow { transport, listener, local: ROUTER.ip(), peer, connection: None, domain: None };
        let shard = self.owner(&bytes);
        self.strays.thrown = true;
        self.drive(shard, Input::Received { flow, bytes: &bytes });
        self.strays.thrown = false;
    }

    fn thing(&mut self) -> Vec<u8> {
        let rng = &mut self.strays.rng;
        let wires = &self.evidence.wires;
        let number = rng.below(1_000_000);
        let choice = if wires.is_empty() { 0 } else { rng.below(10) };
        let any = if wires.is_empty() {
            String::new()
        } else {
            let at = usize::try_from(rng.below(wires.len() as u64)).expect("an index");
            String::from_utf8_lossy(&wires[at].bytes).into_owned()
        };
        let text = match choice {
            0 => {
                let length = rng.between(0, 300);
                return (0..length).map(|_| rng.below(256).to_be_bytes()[7]).collect();
            }
            1 => "\r\n\r\n".to_owned(),
            // A piece of a real message, cut within a line: whole lines of a head are a message.
            2 => {
                any.chars().take(any.len() / 2).collect::<String>().trim_end_matches(['\r', '\n']).to_owned()
            }
            3 => response(number),
            4 => request("ACK", number),
            5 => request("BYE", number),
            6 => request("CANCEL", number),
            7 => request("OPTIONS", number),
            8 => request("REGISTER", number),
            // A real message under a branch and tags that nobody knows, a call never begun by it.
            _ => {
                let any = any.replace(";branch=", ";branch=z9hG4bKelse").replace(";tag=", ";tag=else");
                any.replace("sip:1000@", "sip:4041@")
            }
        };
        text.into_bytes()
    }
}

fn head(number: u64, method: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bKs{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:stranger@192.0.2.66>;tag=s{number}\r\nTo: <sip:1000@192.0.2.1>;tag=nobody{number}\r\n\
         Call-ID: stray{number}\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn request(method: &str, number: u64) -> String {
    format!("{method} sip:1000@192.0.2.1:5060 SIP/2.0\r\n{}", head(number, method))
}

fn response(number: u64) -> String {
    format!("SIP/2.0 200 OK\r\n{}", head(number, "INVITE"))
}
