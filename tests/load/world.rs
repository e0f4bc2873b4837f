//! One router held to a part of a CPU, with two trunks, an application, a target and an emergency gateway;
//! and how much it can carry.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::application::Application;
use crate::callee::Callee;
use crate::caller::{Caller, Kind, Stream, Tally};
use crate::full;
use crate::node::Node;
use crate::quota::Quota;

/// Answered, and ringing for ever.
pub const NUMBER: &str = "+16508250001";
pub const RINGS: &str = "+16508250002";
/// Which of the caller's sockets.
pub const NOISY: usize = 0;
pub const GOOD: usize = 1;

/// A capacity below this is none, in calls a second.
const LEAST: f64 = 25.0;

/// How long the calls of these tests last.
pub const HOLD: Duration = Duration::from_secs(1);

/// The fields are dropped in this order: the router ends before its control group is removed.
pub struct World {
    pub node: Node,
    pub callee: Callee,
    pub application: Application,
    pub caller: Caller,
    quota: Option<Quota>,
}

impl World {
    /// With these listeners; `None`, and a line that says so, where no CPU can be rationed.
    pub fn start(listen: &[&str], settings: &[(&str, &str)]) -> Option<Self> {
        // So little that this, and not what else the machine does, is what it lacks; an unoptimized build
        // carries some tens of calls a second with more.
        let optimized = !cfg!(debug_assertions) || std::env::var_os("CALLGATE_TEST_BINARY").is_some();
        let percent = if optimized { 10 } else { 80 };
        let quota = match Quota::of(percent) {
            Ok(quota) => quota,
            Err(why) if !full() => {
                println!("SKIPPED: no control group can be made here: {why}");
                return None;
            }
            Err(why) => panic!("no control group can be made here: {why}"),
        };
        println!("callgate is held to {percent} % of one CPU");
        let mut world = Self::unconfined(listen, settings);
        quota.hold(world.node.child.id());
        world.quota = Some(quota);
        Some(world)
    }

    /// The same with all the CPU there is.
    pub fn unconfined(listen: &[&str], settings: &[(&str, &str)]) -> Self {
        let node = Node::start(listen, settings);
        let callee = Callee::start(SocketAddr::from(([127, 0, 0, 4], 0)));
        let application = Application::start(callee.at);
        for (name, source) in [("noisy", "127.0.0.2/32"), ("good", "127.0.0.3/32")] {
            let trunk =
                format!(r#"{{"name":"{name}","sources":["{source}"],"emergency_numbers":["112","911"]}}"#);
            let made = node.ask("POST /admin/v1/trunks", "application/json", &trunk);
            assert_eq!(made.status(), 201, "{made:?}");
        }
        let gateway = format!(
            r#"{{"name":"rescue","host":"127.0.0.4","port":{},"transport":"udp","emergency":true}}"#,
            callee.at.port()
        );
        let made = node.ask("POST /admin/v1/gateways", "application/json", &gateway);
        assert_eq!(made.status(), 201, "{made:?}");
        let url = |path: &str| format!("http://{}/{path}", application.at);
        for (number, voice) in [(NUMBER, "voice"), (RINGS, "ring")] {
            node.number(number, &[("VoiceUrl", &url(voice)), ("StatusCallback", &url("status"))]);
        }
        let sources = [[127, 0, 0, 2], [127, 0, 0, 3]].map(|ip| SocketAddr::from((ip, 0)));
        Self { node, callee, application, caller: Caller::new(&sources), quota: None }
    }

    pub fn router(&self) -> SocketAddr {
        self.node.sip[0]
    }

    /// The largest rate at which every call is answered, none later than half a second but one in a hundred
    /// (the way of RFC 7502 4.10), and every end is told to the application within a second, to a part in
    /// twelve. `None`, and a line that says so, where the machine is so busy with other things that there is
    /// nothing to show in a small run.
    pub fn capacity(&self) -> Option<f64> {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let (seconds, exact) = if full() { (8, 1.08) } else { (2, 1.3) };
        let mut rate = if cfg!(debug_assertions) { 30.0 } else { 150.0 };
        while high / low > exact {
            let spent = self.cpu();
            let tally = self.offered(rate, seconds);
            let spent = (self.cpu() - spent) * 100.0 / (seconds + HOLD.as_secs()) as f64;
            let p99 = Tally::percentile(&tally.answers, 0.99);
            let owed = self.owes();
            let holds = tally.whole == tally.placed && p99 < Duration::from_millis(500) && owed == 0;
            println!(
                "  {rate:.0} calls/s: {} of {} served, p50 {:?}, p99 {p99:?}, {spent:.0} % of a CPU, {owed} ends late",
                tally.whole,
                tally.placed,
                Tally::percentile(&tally.answers, 0.5),
            );
            if holds {
                low = rate;
                rate = if high.is_finite() { (low * high).sqrt() } else { rate * 1.6 };
            } else {
                high = rate;
                rate = if low > 0.0 { (low * high).sqrt() } else { rate / 2.0 };
                // What it still has to do, and the limit it set itself, pass.
                std::thread::sleep(Duration::from_secs(3));
            }
            if rate < LEAST {
                assert!(!full(), "it carries next to nothing: is the machine busy? {}", self.node.log());
                println!("SKIPPED: this machine is too busy to carry {LEAST} calls/s");
                return None;
            }
        }
        Some(low)
    }

    /// How many calls have not been told to be over a second after the last one was: a router that tells ever
    /// later carries more than it can for as long as nobody waits for it.
    fn owes(&self) -> usize {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            let owed = self.application.ends().1;
            if owed == 0 || Instant::now() >= until {
                return owed;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn offered(&self, rate: f64, seconds: u64) -> Tally {
        let stream = plain(NOISY, rate, Duration::ZERO, Duration::from_secs(seconds));
        self.caller.run(self.router(), &[stream]).remove(0)
    }

    /// What the tester itself does without a router between its two sides (RFC 7502 6.1): whether each call
    /// at that rate is whole.
    pub fn tester_does(&self, rate: f64) -> bool {
        let stream = plain(NOISY, rate, Duration::ZERO, Duration::from_secs(3));
        let tally = self.caller.run(self.callee.at, &[stream]).remove(0);
        let placed = f64::from(tally.placed);
        placed >= rate * 2.9 && tally.whole == tally.placed && tally.repeated == 0
    }

    /// Resident memory of the router, in KiB.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.node.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// CPU seconds the router has spent.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.node.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // User and system time; Linux counts 100 ticks a second for user space.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

/// Plain calls to [`NUMBER`].
pub fn plain(source: usize, rate: f64, from: Duration, until: Duration) -> Stream {
    Stream { source, number: NUMBER.to_owned(), rate, from, until, hold: HOLD, kind: Kind::Plain }
}
