//! Connections that are slow on purpose: a third never says anything, a third says one byte a second, a
//! third asks and never reads.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::caller::Tally;
use crate::world::{GOOD, World, plain};
use crate::{full, turn};

/// They come from so many addresses.
const SOURCES: usize = 8;

#[test]
fn slow_connections_leave_the_calls_of_datagrams_as_they_are() {
    let _turn = turn();
    let (how_many, pairs, seconds) = if full() { (2_000, 8, 5) } else { (300, 3, 1) };
    let files = 2 * how_many + 1_000;
    raise_files(std::process::id(), files);
    // Long enough that all of them last through their part of the pair.
    let settings = [
        ("CALLGATE__SIP__TCP_MESSAGE_MS", "60000"),
        ("CALLGATE__SIP__TCP_IDLE_SECONDS", "60"),
        ("CALLGATE__SIP__TCP_CONNECTIONS", "4000"),
        ("CALLGATE__EDGE__BAN_SECONDS", "0"),
    ];
    let world = World::unconfined(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], &settings);
    raise_files(world.node.child.id(), files);
    let rate = if cfg!(debug_assertions) { 40.0 } else { 100.0 };
    let calls = || {
        let stream = plain(GOOD, rate, Duration::ZERO, Duration::from_secs(seconds));
        let tally = world.caller.run(world.router(), &[stream]).remove(0);
        assert_eq!(tally.whole, tally.placed, "{:?}", tally.others);
        tally.answers
    };
    calls();
    let (mut without, mut with, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        world.node.until("the end of the slow ones", |_| open(&world) == 0);
        let alone = calls();
        let slow = Slow::start(world.node.sip[1], how_many);
        let before = open(&world);
        let beside = calls();
        let after = open(&world);
        drop(slow);
        println!(
            "p99 {:?} without, {:?} beside {before} slow connections, {after} at its end",
            p99(&alone),
            p99(&beside)
        );
        assert!(before == how_many as u64 && after >= before * 9 / 10, "they are open throughout");
        differences.push(p99(&beside).as_secs_f64() - p99(&alone).as_secs_f64());
        without.extend(alone);
        with.extend(beside);
    }
    differences.sort_by(f64::total_cmp);
    let median = differences[differences.len() / 2] * 1e3;
    println!(
        "p99 of {} calls each: {:?} without, {:?} beside {how_many} slow connections; of the pairs' differences \
         the median is {median:.2} ms",
        with.len(),
        p99(&without),
        p99(&with)
    );
    if full() {
        assert!(p99(&with) <= p99(&without) + Duration::from_millis(5), "p99 of all");
        assert!(median <= 5.0, "the median of the pairs");
    } else {
        // A few calls beside whatever else the machine does.
        assert!(median <= 50.0, "{median} ms");
    }
}

fn p99(waits: &[Duration]) -> Duration {
    Tally::percentile(waits, 0.99)
}

/// Connections that are open at the router.
fn open(world: &World) -> u64 {
    let metrics = world.node.ask("GET /metrics", "text/plain", "").body;
    let line = metrics.lines().find(|line| line.starts_with("callgate_sip_connections ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Lets a process have so many open files, where it may not already.
fn raise_files(process: u32, files: usize) {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft = line.split_whitespace().nth(3).unwrap();
    if soft == "unlimited" || soft.parse::<usize>().unwrap() >= files {
        return;
    }
    let (process, limit) = (process.to_string(), format!("--nofile={files}"));
    let done = std::process::Command::new("prlimit").args(["--pid", &process, &limit]).status();
    assert!(done.is_ok_and(|status| status.success()), "{files} open files cannot be had: ulimit -n");
}

/// The connections; they end when it is dropped.
struct Slow {
    on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Slow {
    /// Returns when all are open.
    fn start(to: SocketAddr, how_many: usize) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let going = on.clone();
        let mut held: Vec<TcpStream> = (0..how_many).map(|at| connection(at, to)).collect();
        std::thread::sleep(Duration::from_millis(500));
        let thread = std::thread::spawn(move || {
            let mut waited = 0;
            while going.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                waited += 1;
                // Each twentieth of them at another time.
                for stream in held.iter_mut().skip(1).step_by(3).skip(waited % 20).step_by(20) {
                    let sent = stream.write(b"I");
                    assert!(sent.is_ok() || sent.is_err_and(|error| error.kind() != ErrorKind::NotConnected));
                }
            }
        });
        Self { on, thread: Some(thread) }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn connection(at: usize, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let source = u8::try_from(1 + at % SOURCES).unwrap();
    let from = SocketAddr::from(([127, 0, 1, source], 0));
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_nonblocking(true).unwrap();
    if at % 3 == 2 {
        let ask = format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/TCP {from};branch=z9hG4bK{at}\r\nMax-Forwards: 70\r\n\
             From: <sip:x@{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: {at}@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        // What the router does not take is what is shown.
        let _refused = (0..20).map(|_| stream.write(ask.as_bytes())).filter(Result::is_err).count();
    }
    stream
}
