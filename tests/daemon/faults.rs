//! The store away, silent or locked: calls go on, and nothing that was to be told is lost.
//!
//! Five seconds of each, a minute in `make proof`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;

use crate::killed::faults;
use crate::node::{Node, PATIENCE, folder};
use crate::receiver::Receiver;
use crate::servers::Cluster;
use crate::{NUMBER, caller, loopback, target};

const LISTEN: [&str; 1] = ["udp://127.0.0.1:0"];

fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("CALLGATE_PROOF").is_some() { 60 } else { 5 })
}

/// Callers that call until it is ended; what became of each call, 0 for one that nobody refused.
pub struct Load {
    stop: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<Result<(), (u16, String)>>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn on(router: SocketAddr) -> Self {
        Self::of(4, router)
    }

    fn of(callers: usize, router: SocketAddr) -> Self {
        let (stop, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let threads = (0..callers).map(|_| {
            let (stop, ends): (_, Arc<Mutex<Vec<_>>>) = (stop.clone(), ends.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let end = one(router);
                    ends.lock().unwrap().push(end);
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        });
        Self { threads: threads.collect(), stop, ends }
    }

    fn ends(&self) -> Vec<Result<(), (u16, String)>> {
        self.ends.lock().unwrap().clone()
    }

    /// Waits until so many more calls went well.
    pub fn goes_on(&self, node: &Node, more: usize) {
        let whole = || self.ends().iter().filter(|end| end.is_ok()).count();
        let before = whole();
        node.until("calls that go well", |_| whole() >= before + more);
    }

    pub fn end(self) -> Vec<Result<(), (u16, String)>> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        Arc::try_unwrap(self.ends).unwrap().into_inner().unwrap()
    }
}

/// One whole call.
fn one(router: SocketAddr) -> Result<(), (u16, String)> {
    let told = |error: PhoneError| match error {
        PhoneError::Refused(code, phrase) => (code, phrase),
        other => (0, other.to_string()),
    };
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(router, NUMBER, PATIENCE).map_err(told)?;
    match phone.hang_up(&mut dialog, PATIENCE).map_err(told)? {
        200 => Ok(()),
        code => Err((code, "to BYE".to_owned())),
    }
}

/// A store that goes away under calls and comes back: no call fails, every event is delivered in its order, and
/// every call stands in the store at last. `count` says how many do.
fn without_the_store(
    node: &Node,
    receiver: &Receiver,
    take_away: impl FnOnce(),
    bring_back: impl FnOnce(),
    count: impl Fn() -> usize,
) {
    let load = Load::on(node.sip[0]);
    load.goes_on(node, 5);
    take_away();
    std::thread::sleep(away());
    load.goes_on(node, 5);
    bring_back();
    load.goes_on(node, 5);
    let ends = load.end();
    let failed: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
    println!("{} calls, {} failed, the store away for {:?}", ends.len(), failed.len(), away());
    assert!(failed.is_empty(), "{failed:?}: {}", node.log());
    assert_eq!(receiver.counts().0, ends.len(), "one question for each call");
    let back = Instant::now();
    node.until("every event", |_| faults(&receiver.heard()).is_empty());
    let told = back.elapsed();
    node.until("every call in the store", |_| count() == ends.len());
    let kept = back.elapsed();
    node.until("health", |node| !node.ready().1.contains("degraded"));
    println!("all told after {told:?}, all in the store after {kept:?}, healthy after {:?}", back.elapsed());
}

/// The node, its number and its application, in this folder.
fn serving(folder: PathBuf, settings: &[(&str, &str)]) -> (Node, Receiver) {
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start_in(folder, &LISTEN, settings);
    node.provision(NUMBER, receiver.at);
    (node, receiver)
}

const COUNT: &str = "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL";

fn counted(command: &mut Command) -> usize {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

fn psql(url: &str) -> usize {
    counted(Command::new("psql").args(["-X", "-q", "-t", "-A", "-d", url, "-c", COUNT]))
}

#[test]
fn no_call_fails_while_postgres_is_stopped() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let (node, receiver) = serving(folder(), &[("CALLGATE__STORE__URL", &url)]);
    let degraded = || node.until("degraded", |node| node.ready().1.contains("degraded"));
    let down = || {
        cluster.down();
        degraded();
    };
    without_the_store(&node, &receiver, down, || cluster.up(), || psql(&url));
}

#[test]
fn no_call_fails_while_postgres_is_silent() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let (node, receiver) = serving(folder(), &[("CALLGATE__STORE__URL", &url)]);
    let (stop, go_on) = (|| cluster.signal("STOP"), || cluster.signal("CONT"));
    without_the_store(&node, &receiver, stop, go_on, || psql(&url));
}

#[test]
fn no_call_fails_while_somebody_holds_sqlites_locks() {
    let (node, receiver) = serving(folder(), &[]);
    let files = ["callgate.db", "callgate-calls.db"].map(|name| node.folder.join("data").join(name));
    let held = Mutex::new(Vec::new());
    let lock = || held.lock().unwrap().extend(files.iter().map(|file| Held::over(file)));
    let release = || held.lock().unwrap().drain(..).for_each(Held::release);
    let count = || counted(Command::new("sqlite3").arg("-readonly").arg(&files[1]).arg(COUNT));
    without_the_store(&node, &receiver, lock, release, count);
}

/// Somebody at `sqlite3` who has begun a transaction and gone to lunch.
struct Held(Child);

impl Held {
    fn over(file: &Path) -> Self {
        let mut child = Command::new("sqlite3")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is installed");
        let words = b".timeout 10000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n";
        child.stdin.as_mut().unwrap().write_all(words).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "locked");
        Self(child)
    }

    fn release(mut self) {
        self.0.stdin.take().unwrap().write_all(b"COMMIT;\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}
