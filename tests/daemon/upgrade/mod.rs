//! `callgate upgrade`: one process takes another's place under calls, and neither a new process that fails nor
//! one of both that is killed costs a call.
//!
//! - `load`: under calls of sipp. `between`: the moment itself. `half_way`: one of both killed while both have calls; `points`: at any other moment.
//! - `refused`: what does not follow. `signals`: TERM to one of both. `systemd`: what it is told.
//! - `streams`: connections, TLS and who its peers are. `store`: PostgreSQL, and what is live where.

mod between;
mod half_way;
mod load;
mod points;
mod refused;
mod signals;
mod store;
mod streams;
mod systemd;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callgate::cli::demo::phone::{Phone, PhoneError};
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::node::{self, Node, PATIENCE, folder};
use crate::receiver::Receiver;
use crate::{caller, loopback};

const NUMBERS: [&str; 3] = ["+16508260001", "+16508260002", "+16508260003"];

/// So long the call rings that keeps an upgrade half-way: less than a Dial waits.
const RINGS: Duration = Duration::from_secs(15);

/// A node whose program is a file of its own, so that a test can put something else there.
fn node(shards: &str) -> Node {
    node_on(&["udp://127.0.0.1:0"], shards)
}

fn node_on(listen: &[&str], shards: &str) -> Node {
    node_with(listen, &[("CALLGATE__NODE__SHARDS", shards)])
}

fn node_with(listen: &[&str], settings: &[(&str, &str)]) -> Node {
    node_in(folder(), listen, settings)
}

fn node_in(folder: PathBuf, listen: &[&str], settings: &[(&str, &str)]) -> Node {
    let program = folder.join("callgate");
    let built = node::program();
    if std::fs::hard_link(&built, &program).is_err() {
        std::fs::copy(&built, &program).unwrap();
    }
    Node::start_program(&program, folder, listen, settings)
}

/// `callgate upgrade`, begun.
fn begin(folder: &Path) -> Child {
    Command::new(node::program())
        .arg("upgrade")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// The process that follows, ended with the test.
struct Follower(Pid);

impl Follower {
    /// Once there is one.
    fn of(node: &Node) -> Self {
        let until = Instant::now() + PATIENCE;
        loop {
            let note = note(node);
            if let Some(pid) = note["successor"].as_i64() {
                return Self(Pid::from_raw(i32::try_from(pid).unwrap()));
            }
            assert!(Instant::now() < until, "{note} {}", node.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it runs.
    fn lives(&self) -> bool {
        kill(self.0, None).is_ok() && !is_zombie(self.0)
    }

    fn signal(&self, signal: Signal) {
        kill(self.0, signal).unwrap();
    }

    /// Until it has ended by itself.
    fn ended(&self) {
        let until = Instant::now() + PATIENCE;
        while self.lives() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&self) {
        if kill(self.0, Signal::SIGKILL).is_ok() {
            while self.lives() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// One upgrade, whole: what the command said. The new process is the last of `followers`.
fn upgraded(node: &mut Node, followers: &mut Vec<Follower>) -> String {
    let command = begin(&node.folder);
    let follower = Follower::of(node);
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    match followers.last() {
        None => assert_eq!(node.ended(), Some(0), "{}", node.log()),
        Some(former) => former.ended(),
    }
    followers.push(follower);
    said(&output)
}

/// It ended, and whoever should look does not.
fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How far it is.
fn note(node: &Node) -> Value {
    serde_json::from_str(&node.ask("GET /admin/v1/upgrade", "text/plain", "").body).unwrap()
}

/// Until a step says this.
fn until_step(node: &Node, step: &str) {
    node.until(step, |node| note(node)["steps"].to_string().contains(step));
}

/// A target that rings so long, answers one call, and says when it is hung up.
fn slow_target(ring: Duration) -> (SocketAddr, std::sync::mpsc::Receiver<bool>) {
    let mut phone = Phone::new(Wire::udp(loopback()).unwrap(), "demo", Box::new(|_| {}));
    let at = phone.local().unwrap();
    let (told, hung_up) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if let Ok(bye) = phone.answer(ring, PATIENCE * 3)
            && told.send(bye).is_err()
        {
            println!("the test has ended");
        }
    });
    (at, hung_up)
}

/// A call to the slow target, which has one line, and its end.
fn slow_call(router: SocketAddr) -> JoinHandle<Result<u16, PhoneError>> {
    slow_call_from(loopback(), router)
}

fn slow_call_from(from: SocketAddr, router: SocketAddr) -> JoinHandle<Result<u16, PhoneError>> {
    std::thread::spawn(move || {
        let mut phone = caller(Wire::udp(from).unwrap());
        let mut dialog = phone.call(router, NUMBERS[0], PATIENCE)?;
        phone.hang_up(&mut dialog, PATIENCE)
    })
}

/// How many calls this is told of.
fn heard_of(receiver: &Receiver, status: &str) -> usize {
    told(receiver).values().filter(|events| events.iter().any(|(_, told)| told == status)).count()
}

/// What is told of each call: its events, each once though a crash may repeat one.
fn told(receiver: &Receiver) -> BTreeMap<String, BTreeSet<(u32, String)>> {
    let mut calls: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for heard in receiver.heard().into_iter().filter(|heard| !heard.voice) {
        calls.entry(heard.call).or_default().insert((heard.sequence, heard.status));
    }
    calls
}

fn whole(receiver: &Receiver, call: &str) -> bool {
    receiver.statuses(call) == ["ringing", "in-progress", "completed"]
}

#[test]
fn a_call_that_rings_is_ended_by_the_old_process_and_an_answered_one_by_the_new() {
    let (ringing, hung_up) = slow_target(Duration::from_secs(3));
    let (answered, over) = slow_target(Duration::ZERO);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], answered)]);
    let mut node = node("3");
    let router = node.sip[0];
    node.provision(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    let mut before = caller(Wire::udp(loopback()).unwrap());
    let mut talk = before.call(router, NUMBERS[1], PATIENCE).unwrap();
    let slow = std::thread::spawn(move || {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let dialog = phone.call(router, NUMBERS[0], PATIENCE).unwrap();
        (phone, dialog)
    });
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let follower = Follower::of(&node);
    let output = command.wait_with_output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}{}", node.log());
    assert!(told.contains("2 calls of the former process go on") && told.contains("goes on alone"), "{told}");
    assert_eq!(node.ended(), Some(0), "the old process: {}", node.log());
    let (mut phone, mut dialog) = slow.join().unwrap();
    assert_eq!(dialog.responses.last(), Some(&200));
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    assert_eq!(before.hang_up(&mut talk, PATIENCE).unwrap(), 200);
    assert!(
        hung_up.recv_timeout(PATIENCE).unwrap() && over.recv_timeout(PATIENCE).unwrap(),
        "{}",
        node.log()
    );
    for call in receiver.asked() {
        node.until("its callbacks", |_| whole(&receiver, &call));
    }
    // The new one is what the old was: it can be followed in turn, and its journal is where it should be.
    let ready: Value =
        serde_json::from_str(&std::fs::read_to_string(node.folder.join("ready.json")).unwrap()).unwrap();
    assert_eq!(ready["pid"].as_i64(), Some(follower.0.as_raw().into()));
    let beside = std::fs::read_dir(node.folder.join("data/journal")).unwrap();
    assert!(!beside.flatten().any(|entry| entry.path().is_dir()));
    let command = begin(&node.folder);
    let _third = Follower::of(&node);
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    let code = caller(Wire::udp(loopback()).unwrap()).call(router, "5551", PATIENCE);
    assert!(matches!(code, Err(PhoneError::Refused(404, _))), "{code:?}");
}
