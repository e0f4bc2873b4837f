//! The store away, silent or locked, and the disk full: calls go on, and nothing that was to be told is lost.
//!
//! Five seconds of each, a minute in `make proof`.

use std::fs::File;
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

/// What became of a call: the code that refused it, 0 where nobody did, and why.
type End = Result<(), (u16, String)>;

/// Callers that call until it is ended.
pub struct Load {
    stop: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<End>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn on(router: SocketAddr) -> Self {
        Self::of(4, router)
    }

    /// By so many callers.
    pub fn of(callers: usize, router: SocketAddr) -> Self {
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

    fn ends(&self) -> Vec<End> {
        self.ends.lock().unwrap().clone()
    }

    /// Waits until so many more calls went well.
    pub fn goes_on(&self, node: &Node, more: usize) {
        let whole = || self.ends().iter().filter(|end| end.is_ok()).count();
        let before = whole();
        node.until("calls that go well", |_| whole() >= before + more);
    }

    pub fn end(self) -> Vec<End> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        Arc::try_unwrap(self.ends).unwrap().into_inner().unwrap()
    }
}

/// One whole call.
fn one(router: SocketAddr) -> End {
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

/// A reserve of two files: one for new calls, which is filled soon, and one for those that are admitted.
const JOURNAL: [(&str, &str); 2] =
    [("CALLGATE__JOURNAL__RESERVE_BYTES", "2097152"), ("CALLGATE__JOURNAL__SEGMENT_BYTES", "1048576")];

#[test]
fn a_disk_that_was_full_has_lost_nothing_once_it_is_emptied() {
    let place = folder();
    std::fs::create_dir(place.join("data")).unwrap();
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start_as(place.clone(), &LISTEN, &JOURNAL, |command| {
        *command = on_a_small_disk(command, &place)
    });
    node.provision(NUMBER, receiver.at);
    let router = node.sip[0];
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut long = phone.call(router, NUMBER, PATIENCE).unwrap();
    let load = Load::of(16, router);
    load.goes_on(&node, 5);
    // The disk as the node sees it.
    let filler = PathBuf::from(format!("/proc/{}/root{}/data/filler", node.child.id(), place.display()));
    fill(&filler);
    let before = load.ends().len();
    // What was reserved serves for a while, then new calls are refused.
    let began = Instant::now();
    let mut degraded = false;
    while !load.ends()[before..].iter().any(|end| matches!(end, Err((503, _)))) {
        let (status, body) = node.ready();
        degraded |= status == 200 && body.contains("degraded") && body.contains("the journal's reserve");
        assert!(began.elapsed() < 4 * PATIENCE, "the reserve has no end: {} calls", load.ends().len());
        std::thread::sleep(Duration::from_millis(50));
    }
    let whole = load.ends()[before..].iter().filter(|end| end.is_ok()).count();
    assert!(degraded, "operators hear of it while calls still go on");
    let (status, body) = node.ready();
    assert!(status == 503 && body.contains("the disk is full"), "nothing new is to be sent here: {body}");
    std::thread::sleep(away() / 5);
    assert_eq!(phone.hang_up(&mut long, PATIENCE).unwrap(), 200, "what was answered goes on");
    std::fs::remove_file(&filler).unwrap();
    load.goes_on(&node, 20);
    let ends = load.end();
    let refused = ends.iter().filter(|end| end.is_err()).count();
    println!("{} calls; {whole} whole on the full disk, then {refused} refused", ends.len());
    assert!(ends.iter().all(|end| matches!(end, Ok(()) | Err((503, _)))), "{ends:?}");
    assert!(whole > 20, "the reserve served {whole} calls");
    assert_eq!(
        receiver.counts().0,
        ends.len() - refused + 1,
        "no application was asked about a refused call"
    );
    node.until("every event", |_| faults(&receiver.heard()).is_empty());
    let file = place.join("data/callgate-calls.db");
    let count = || {
        counted(
            Command::new("nsenter").args(inside(&node)).args(["sqlite3", "-readonly"]).arg(&file).arg(COUNT),
        )
    };
    node.until("every call in the store", |_| count() == ends.len() - refused + 1);
    node.until("health", |node| node.ready().0 == 200 && !node.ready().1.contains("degraded"));
}

/// The same command, with a file system of 24 MiB over `data` that nobody else sees.
fn on_a_small_disk(command: &Command, folder: &Path) -> Command {
    let mut wrapped = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        wrapped.arg("--map-root-user");
    }
    let script = "mount -t tmpfs -o size=24m tmpfs data && exec \"$0\" serve";
    wrapped.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_callgate")]).current_dir(folder);
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    wrapped.stdout(Stdio::null()).stderr(log);
    wrapped
}

/// What leads a program to where the node is.
fn inside(node: &Node) -> Vec<String> {
    let mut words = vec!["--mount".to_owned(), "--target".to_owned(), node.child.id().to_string()];
    if !nix::unistd::geteuid().is_root() {
        words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
    }
    words
}

/// To the last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let began = Instant::now();
    for size in [1 << 20, 4_096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {
            assert!(began.elapsed() < PATIENCE, "the disk does not fill");
        }
    }
}
