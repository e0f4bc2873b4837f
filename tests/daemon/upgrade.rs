//! `callgate upgrade`: one process takes another's place under calls, and neither a new process that fails nor
//! one of both that is killed costs a call.
//!
//! With `CALLGATE_PROOF` set the run under sipp is a long one, and no message may be sent again because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callgate::cli::demo::phone::{Phone, PhoneError};
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::node::{Node, PATIENCE, folder};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

const NUMBERS: [&str; 3] = ["+16508260001", "+16508260002", "+16508260003"];

/// So long the call rings that keeps an upgrade half-way: less than a Dial waits.
const RINGS: Duration = Duration::from_secs(15);

/// A node whose program is a file of its own, so that a test can put something else there.
fn node(shards: &str) -> Node {
    node_on(&["udp://127.0.0.1:0"], shards)
}

fn node_on(listen: &[&str], shards: &str) -> Node {
    let folder = folder();
    let program = folder.join("callgate");
    let built = env!("CARGO_BIN_EXE_callgate");
    if std::fs::hard_link(built, &program).is_err() {
        std::fs::copy(built, &program).unwrap();
    }
    Node::start_program(&program, folder, listen, &[("CALLGATE__NODE__SHARDS", shards)])
}

/// `callgate upgrade`, begun.
fn begin(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_callgate"))
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

    fn kill(&self) {
        if kill(self.0, Signal::SIGKILL).is_ok() {
            while kill(self.0, None).is_ok() && !is_zombie(self.0) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
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

#[test]
fn a_new_process_that_does_not_start_leaves_the_old_one_serving() {
    let receiver = Receiver::start(&[(NUMBERS[0], target())]);
    let node = node("1");
    node.provision(NUMBERS[0], receiver.at);
    let program = node.folder.join("callgate");
    std::fs::remove_file(&program).unwrap();
    let attempts: [(Option<&str>, &str); 3] = [
        (None, "cannot be started"),
        (Some("#!/bin/sh\nexit 3\n"), "exit status: 3"),
        // It says nothing, and goes when it is told.
        (Some("#!/bin/sh\necho '\"hello\"' >&0\n"), "of a version that cannot follow"),
    ];
    for (text, expected) in attempts {
        if let Some(text) = text {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(&program, text).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let output = begin(&node.folder).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(69), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let mut dialog = phone.call(node.sip[0], NUMBERS[0], PATIENCE).unwrap();
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    }
    assert_eq!(note(&node)["state"], "failed");
}

/// A node half-way: a call rings in the old process, one is answered in it, one in the new.
struct HalfWay {
    node: Node,
    receiver: Receiver,
    command: Child,
    follower: Follower,
    ringing: JoinHandle<Result<u16, PhoneError>>,
    talks: Vec<(Phone, callgate::cli::demo::phone::Dialog)>,
}

/// A call to the slow target, which has one line, and its end.
fn slow_call(router: SocketAddr) -> JoinHandle<Result<u16, PhoneError>> {
    std::thread::spawn(move || {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let mut dialog = phone.call(router, NUMBERS[0], PATIENCE)?;
        phone.hang_up(&mut dialog, PATIENCE)
    })
}

fn half_way() -> HalfWay {
    let (ringing, _hung_up) = slow_target(RINGS);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], target())]);
    let node = node("2");
    let router = node.sip[0];
    node.provision(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    let _own = own_line(&receiver, &node);
    let talk = |number| {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let dialog = phone.call(router, number, PATIENCE).unwrap();
        (phone, dialog)
    };
    let mut talks = vec![talk(NUMBERS[1])];
    let slow = slow_call(router);
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let follower = Follower::of(&node);
    until_step(&node, "takes new calls");
    // One at a time.
    let second = begin(&node.folder).wait_with_output().unwrap();
    assert!(!second.status.success() && said(&second).contains("under way"), "{}", said(&second));
    talks.push(talk(NUMBERS[2]));
    // Told is written; what was said a moment before may not be.
    node.until("two answers", |_| heard_of(&receiver, "in-progress") == 2);
    HalfWay { node, receiver, command, follower, ringing: slow, talks }
}

/// A number whose target has a line of its own, for a call that the new process answers; whom it asks.
fn own_line(receiver: &Receiver, node: &Node) -> Receiver {
    let own = Receiver::start(&[(NUMBERS[2], target())]);
    node.number(
        NUMBERS[2],
        &[
            ("VoiceUrl", &format!("http://{}/voice", own.at)),
            ("StatusCallback", &format!("http://{}/status", receiver.at)),
        ],
    );
    own
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

#[test]
fn kill_9_of_the_new_process_half_way_leaves_the_old_one_with_all_calls() {
    let half = half_way();
    half.follower.kill();
    let output = half.command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(said(&output).contains("signal: 9"), "{}", said(&output));
    // What rang goes on ringing; what was answered on either side is hung up through the old one.
    assert!(matches!(half.ringing.join().unwrap(), Ok(200)), "{}", half.node.log());
    for (mut phone, mut dialog) in half.talks {
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", half.node.log());
    }
    let ends = ["ringing", "in-progress", "completed"];
    half.node.until("three whole calls", |_| {
        let told = told(&half.receiver);
        let whole =
            |events: &BTreeSet<(u32, String)>| events.iter().map(|(_, status)| status).eq(ends.iter());
        told.len() == 3 && told.values().all(whole)
    });
}

#[test]
fn kill_9_of_the_old_process_half_way_and_of_the_new_one_later_loses_no_answered_call() {
    let mut half = half_way();
    let router = half.node.sip[0];
    half.node.child.kill().unwrap();
    half.node.child.wait().unwrap();
    // The one that rang is ended as after a restart.
    let ringing = half.ringing.join().unwrap();
    assert!(matches!(ringing, Err(PhoneError::Refused(500, _))), "{ringing:?} {}", half.node.log());
    let output = half.command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let (mut phone, mut dialog) = half.talks.remove(0);
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", half.node.log());
    half.node.until("its end", |_| heard_of(&half.receiver, "completed") == 1);
    half.follower.kill();
    let there = format!("udp://{router}");
    let folder = half.node.keep();
    let again = Node::start_in(folder, &[&there], &[("CALLGATE__NODE__SHARDS", "1")]);
    let (mut phone, mut dialog) = half.talks.remove(0);
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", again.log());
    again.until("an end of each call", |_| {
        let told = told(&half.receiver);
        let ends = |events: &BTreeSet<(u32, String)>| {
            events.iter().filter(|(_, status)| !matches!(&**status, "ringing" | "in-progress")).count()
        };
        told.len() == 3 && told.values().all(|events| ends(events) == 1)
    });
}

/// How many calls the process that answers the API has admitted.
fn admitted(node: &Node) -> u64 {
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    let line = metrics.lines().find(|line| line.starts_with("callgate_calls_admitted_total")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn calls_over_a_connection_of_the_old_process_are_the_new_ones_and_peers_connect_again() {
    let (ringing, _hung_up) = slow_target(RINGS);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], target())]);
    let mut node = node_on(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], "2");
    node.provision(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    let mut phone = caller(Wire::connect(node.sip[1]).unwrap());
    let mut call = |node: &Node| {
        let mut dialog = phone.call(node.sip[1], NUMBERS[1], PATIENCE).unwrap();
        phone.hang_up(&mut dialog, PATIENCE).unwrap()
    };
    assert_eq!(call(&node), 200);
    let router = node.sip[0];
    let slow = slow_call(router);
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let _follower = Follower::of(&node);
    until_step(&node, "takes new calls");
    let before = admitted(&node);
    assert_eq!(call(&node), 200);
    assert_eq!(admitted(&node), before, "it is a call of the new process");
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    assert!(matches!(slow.join().unwrap(), Ok(200)), "{}", node.log());
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    let mut again = caller(Wire::connect(node.sip[1]).unwrap());
    let mut dialog = again.call(node.sip[1], NUMBERS[1], PATIENCE).unwrap();
    assert_eq!(again.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    for call in receiver.asked() {
        node.until("its callbacks", |_| whole(&receiver, &call));
    }
}

/// sipp's scenario of this name with what its places stand for, and how it counted at its end.
struct Sipp(Child, std::path::PathBuf);

impl Sipp {
    fn start(folder: &Path, name: &str, run: &str, fill: &[(&str, &str)], more: &[&str]) -> Self {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/scenarios");
        let mut text = std::fs::read_to_string(scenarios.join(format!("{name}.xml"))).unwrap();
        for (place, value) in fill {
            text = text.replace(place, value);
        }
        let file = folder.join(format!("{name}-{run}.xml"));
        std::fs::write(&file, text).unwrap();
        let counted = folder.join(format!("{name}-{run}.csv"));
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-t", "u1", "-i", "127.0.0.1", "-l", "5000", "-nostdin", "-buff_size", "4194304"])
            .args(["-timeout", "300", "-timeout_error", "-trace_stat", "-fd", "1", "-stf"])
            .arg(&counted)
            .args(more)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed");
        Self(child, counted)
    }

    /// Its calls, those that failed, and the messages it sent again.
    fn counted(mut self) -> (u64, u64, u64) {
        let status = self.0.wait().unwrap();
        let text = std::fs::read_to_string(&self.1).unwrap();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(';').collect();
        let last: Vec<&str> = lines.last().unwrap().split(';').collect();
        let of =
            |name: &str| last[names.iter().position(|one| *one == name).unwrap()].parse::<u64>().unwrap();
        let counts = (of("SuccessfulCall(C)"), of("FailedCall(C)"), of("Retransmissions(C)"));
        assert!(status.success(), "{status}: {counts:?}");
        counts
    }
}

fn free_port() -> String {
    UdpSocket::bind(loopback()).unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn under_steady_calls_none_fails_and_every_callback_comes_once_and_in_order() {
    let is_proof = std::env::var_os("CALLGATE_PROOF").is_some();
    let (calls, rate, talk): (u32, u32, _) =
        if is_proof { (1_500, 50, (5_000, 15_000)) } else { (80, 10, (1_000, 4_000)) };
    let pause = format!("<pause distribution=\"uniform\" min=\"{}\" max=\"{}\"/>", talk.0, talk.1);
    let (callee, number) = (free_port(), NUMBERS[0]);
    let receiver = Receiver::start(&[(number, format!("127.0.0.1:{callee}").parse().unwrap())]);
    let mut node = node("3");
    node.provision(number, receiver.at);
    let mut again = Vec::new();
    let mut follower = None;
    for run in ["without", "with"] {
        let uri = format!("sip:{number}@[remote_ip]:[remote_port]");
        let dialled = [("@URI@", &*uri), ("<pause milliseconds=\"@TALK@\"/>", &*pause)];
        let rings = [("@SEEN@", "X-Test: unchanged"), ("@RING@", "300")];
        let (count, rate_text, router) = (calls.to_string(), rate.to_string(), node.sip[0].to_string());
        let callees = Sipp::start(&node.folder, "callee", run, &rings, &["-p", &callee, "-m", &count]);
        std::thread::sleep(Duration::from_millis(300));
        let place = ["-p", &free_port(), "-m", &count, "-r", &rate_text, &router];
        let callers = Sipp::start(&node.folder, "caller", run, &dialled, &place);
        if run == "with" {
            std::thread::sleep(Duration::from_secs(u64::from(calls / rate / 2)));
            let command = begin(&node.folder);
            follower = Some(Follower::of(&node));
            let output = command.wait_with_output().unwrap();
            print!("{}", said(&output));
            assert!(output.status.success(), "{}{}", said(&output), node.log());
            let go_on = said(&output);
            assert!(!go_on.contains("\n0 calls of the former process go on"), "{go_on}");
            assert_eq!(node.ended(), Some(0), "{}", node.log());
        }
        let (made, failed, repeated) = callers.counted();
        let (taken, lost, answered_again) = callees.counted();
        println!(
            "{run} an upgrade: {made} calls, {failed} failed, {repeated} and {answered_again} sent again"
        );
        assert_eq!((made, failed, taken, lost), (calls.into(), 0, calls.into(), 0), "{}", node.log());
        again.push(repeated + answered_again);
    }
    if is_proof {
        assert!(again[1] <= again[0], "{again:?} messages were sent again");
    }
    let expected = calls as usize * 6;
    node.until("all callbacks", |_| receiver.counts().1 >= expected);
    std::thread::sleep(Duration::from_secs(1));
    let asked = receiver.asked();
    assert_eq!((asked.len(), receiver.counts().1), (calls as usize * 2, expected));
    let mut by_call: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for heard in receiver.heard().into_iter().filter(|heard| !heard.voice) {
        by_call.entry(heard.call).or_default().push(heard.status);
    }
    for (call, statuses) in by_call {
        assert_eq!(statuses, ["ringing", "in-progress", "completed"], "{call}");
    }
    // Every call stands in the list, ended.
    let total = || -> u64 {
        let listed = node.ask("GET /admin/v1/calls?limit=1000", "text/plain", "").body;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let ended = listed["calls"].as_array().unwrap().iter().filter(|call| call["status"] == "completed");
        ended.count() as u64
    };
    let wanted = u64::from(calls * 2).min(1_000);
    node.until("every call in the store", |_| total() == wanted);
    drop(follower);
}
