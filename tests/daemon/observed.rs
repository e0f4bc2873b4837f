//! What operators see of the real binary: metrics, traces that outlive it, receivers that are gone.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use crate::node::{Node, PATIENCE, SID};
use crate::receiver::Receiver;
use crate::{NUMBER, caller, loopback, target};

/// Looks until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    until_right(what, || if so() { Ok(()) } else { Err(String::new()) });
}

/// Looks until it is right; says what was not.
pub fn until_right(what: &str, mut so: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(wrong) = so() {
        assert!(Instant::now() < end, "{what}: {wrong}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The command line in the node's folder: standard output and error, and the exit code.
pub fn cli(node: &Node, words: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    let output = command.args(words).current_dir(&node.folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.code())
}

/// A whole call; its CallSid.
pub fn call(node: &Node, receiver: &Receiver) -> String {
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(node.sip[0], NUMBER, PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    receiver.asked().pop().unwrap()
}

/// `/metrics`, the values of one family's series added up.
fn metrics(node: &Node) -> BTreeMap<String, f64> {
    let text = node.ask("GET /metrics", "text/plain", "").body;
    let mut families = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let family = series.split('{').next().unwrap();
        *families.entry(family.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap();
    }
    families
}

/// Families that move with a call that is answered, one that is refused, and a broken application.
const MOVED: &[&str] = &[
    "api_requests_total",
    "api_seconds_count",
    "callback_attempts_total",
    "callback_delivered_total",
    "callback_lag_seconds_count",
    "callback_oldest_ms",
    "callback_pending",
    "callback_seconds_count",
    "calls_admitted_total",
    "calls_answered_total",
    "calls_ended_total",
    "calls_refused_total",
    "calls_setup_seconds_count",
    "calls_trunk_total",
    "directory_generation",
    "directory_load_seconds_count",
    "directory_loads_total",
    "directory_numbers",
    "journal_bytes_total",
    "journal_records_total",
    "journal_segments",
    "journal_sync_seconds_count",
    "journal_write_seconds_count",
    "sip_connections",
    "sip_received_total",
    "sip_sent_total",
    "sip_unknown_source_total",
    "store_projected_total",
    "store_projection_seconds_count",
    "store_up",
    "webhook_breakers_open",
    "webhook_fallbacks_total",
    "webhook_requests_total",
    "webhook_seconds_count",
];

#[test]
fn every_family_moves_that_must() {
    const BROKEN: &str = "5550001";
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], &[]);
    let foreign = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE);
    assert!(matches!(foreign, Err(PhoneError::Refused(403, _))), "no trunk yet: {foreign:?}");
    node.provision(NUMBER, receiver.at);
    let nobody = std::net::TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    node.number(
        BROKEN,
        &[
            ("VoiceUrl", &format!("http://{nobody}/voice")),
            ("VoiceFallbackUrl", &format!("http://{}/voice", receiver.at)),
            ("StatusCallback", &format!("http://{nobody}/status")),
            ("isSIP", "true"),
        ],
    );
    let before = metrics(&node);
    assert_eq!(before["callgate_store_up"], 1.0);
    let silent = std::net::TcpStream::connect(node.sip[1]).unwrap();
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(node.sip[0], NUMBER, PATIENCE).unwrap();
    assert_eq!(metrics(&node)["callgate_calls_active"], 1.0);
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    // As many failures in a row as open a breaker.
    for _ in 0..10 {
        let broken = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], BROKEN, PATIENCE);
        assert!(matches!(broken, Err(PhoneError::Refused(603, _))), "the fallback rejects: {broken:?}");
    }
    let unknown = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], "5551", PATIENCE);
    assert!(matches!(unknown, Err(PhoneError::Refused(404, _))), "{unknown:?}");
    let still = |now: &BTreeMap<String, f64>| -> Vec<&str> {
        let moved = |name: &&&str| now.get(&format!("callgate_{name}")).is_none_or(|value| *value <= 0.0);
        MOVED.iter().filter(moved).copied().collect()
    };
    until_right("these do not move", || {
        let now = metrics(&node);
        let delivered = now["callgate_callback_delivered_total"] >= 3.0;
        if still(&now).is_empty() && delivered { Ok(()) } else { Err(format!("{:?} {now:#?}", still(&now))) }
    });
    let now = metrics(&node);
    assert_eq!(still(&now), [""; 0]);
    assert_eq!(now["callgate_calls_active"], 0.0, "the call is over");
    assert_eq!(now["callgate_calls_setup_seconds_count"], 1.0, "one call reached a target");
    assert_eq!(now["callgate_webhook_fallbacks_total"], 10.0);
    let (sent, received) = (now["callgate_sip_sent_total"], now["callgate_sip_received_total"]);
    assert!(sent < 2.0 * received, "each message is counted once: {sent} sent, {received} received");
    for histogram in ["journal_write_seconds", "journal_sync_seconds", "callback_lag_seconds"] {
        let mean = now[&format!("callgate_{histogram}_sum")] / now[&format!("callgate_{histogram}_count")];
        println!("{histogram}: {:.3} ms on average", mean * 1000.0);
        assert!(mean > 0.0);
    }
    drop(silent);
}

#[test]
fn a_trace_outlives_the_process() {
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let listen = ["udp://127.0.0.1:0"];
    let node = Node::start(&listen, &[]);
    node.provision(NUMBER, receiver.at);
    let first = call(&node, &receiver);
    until("all callbacks", || receiver.statuses(&first).len() == 3);
    let node = Node::start_in(node.stop(Signal::SIGTERM), &listen, &[]);
    let shown = |node: &Node, sid: &str, words: &[&str]| {
        let mut text = String::new();
        until_right(&format!("{sid} is shown with {words:?}"), || {
            text = cli(node, &["calls", "show", sid]).0;
            if words.iter().all(|word| text.contains(word)) { Ok(()) } else { Err(text.clone()) }
        });
        text
    };
    let ladder = ["routed: ", "INVITE", "180 Ringing", "200 OK", "BYE", "/voice -> 200", "delivered"];
    let text = shown(&node, &first, &ladder);
    assert!(!text.contains(NUMBER), "numbers are redacted: {text}");
    let (whole, _) = cli(&node, &["calls", "show", &first, "--show-numbers"]);
    assert!(whole.contains(NUMBER), "{whole}");

    // A trace is written within a moment; what was under way at a `kill -9` has its records.
    let second = call(&node, &receiver);
    std::thread::sleep(Duration::from_secs(2));
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    phone.call(node.sip[0], NUMBER, PATIENCE).unwrap();
    let third = receiver.asked().pop().unwrap();
    // Sends do not wait for the journal: the answer's record is in the kernel a moment later.
    std::thread::sleep(Duration::from_millis(300));
    let node = Node::start_in(node.kill(), &listen, &[]);
    shown(&node, &second, &ladder);
    // It goes on, with what it was before, and both sides are asked whether they are still there.
    let whole = ["in-progress", "admitted", "invited", "answered by", "acked", "recovered at 20"];
    shown(&node, &third, &[&whole[..], &["caller  <-", "-> target", "OPTIONS"]].concat());
    let text = shown(&node, &third, &[]);
    let at = |word: &str| text.find(word).expect(word);
    assert!(at("admitted") < at("answered by") && at("answered by") < at("recovered at"), "{text}");
    // A word it does not know is said.
    let odd = node.ask(&format!("GET /admin/v1/calls/{third}/trace?nubmers=1"), "text/plain", "");
    assert!(
        odd.headers.iter().any(|(name, value)| name == "x-callgate-warning" && value.contains("nubmers")),
        "{odd:?}"
    );
    let (text, code) = cli(&node, &["calls", "show", "CA00000000000000000000000000000001"]);
    assert!(code != Some(0) && text.contains("there is no call"), "{text}");
}

#[test]
fn a_receiver_that_is_gone_stays_so_until_its_row_is_written_or_it_is_enabled() {
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let listen = ["udp://127.0.0.1:0"];
    let node = Node::start(&listen, &[]);
    node.provision(NUMBER, receiver.at);
    let url = format!("http://{}/status", receiver.at);
    let disabled =
        |node: &Node| node.ask("GET /admin/v1/deliveries/disabled", "text/plain", "").body.contains(&url);
    receiver.answer(410);
    let first = call(&node, &receiver);
    until("410 disables", || disabled(&node));
    assert!(
        node.log().contains("WARN") && node.log().contains("callgate deliveries enable URL"),
        "{}",
        node.log()
    );
    receiver.answer(200);

    // What callbacks came to is written gathered, within 10 ms.
    std::thread::sleep(Duration::from_millis(300));
    let node = Node::start_in(node.kill(), &listen, &[]);
    assert!(disabled(&node), "over a restart");
    let second = call(&node, &receiver);
    until_right("three dead letters", || {
        let dead = node.ask(&format!("GET /admin/v1/deliveries?state=dead&call={second}"), "text/plain", "");
        if dead.body.matches("disabled").count() == 3 { Ok(()) } else { Err(dead.body) }
    });
    assert_eq!(receiver.statuses(&first), ["ringing"]);
    assert!(receiver.statuses(&second).is_empty());

    let (text, code) = cli(&node, &["deliveries", "enable", &url]);
    assert!(code == Some(0) && text.contains(SID), "{text}");
    let (text, code) = cli(&node, &["deliveries", "enable", &url]);
    assert!(code != Some(0) && text.contains("is not disabled"), "{text}");
    assert!(!disabled(&node));
    let third = call(&node, &receiver);
    until("callbacks again", || receiver.statuses(&third) == ["ringing", "in-progress", "completed"]);

    receiver.answer(410);
    call(&node, &receiver);
    until("410 disables again", || disabled(&node));
    receiver.answer(200);
    node.number(NUMBER, &[("StatusCallback", &url)]);
    until("a row that is written again enables", || !disabled(&node));
    std::thread::sleep(Duration::from_millis(300));
    let node = Node::start_in(node.kill(), &listen, &[]);
    assert!(!disabled(&node), "over a restart");
    let last = call(&node, &receiver);
    until("callbacks after all", || receiver.statuses(&last).len() == 3);
}

/// What the journal keeps free for a call, against what calls of the demo's telephones take.
#[test]
fn the_journal_reserves_what_a_call_needs() {
    use callgate::call::record::Change;
    use callgate::journal::{ANSWERED_NEEDS, Config, Entry, Journal, UNANSWERED_NEEDS};
    const REJECTED: &str = "5550002";
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, receiver.at);
    node.number_of(REJECTED, receiver.at);
    let answered = call(&node, &receiver);
    let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], REJECTED, PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(603, _))), "{refused:?}");
    let rejected = receiver.asked().pop().unwrap();
    until("all callbacks", || receiver.statuses(&answered).len() + receiver.statuses(&rejected).len() >= 4);
    std::thread::sleep(Duration::from_secs(1));
    let folder = node.kill();
    let config = Config::new(folder.join("data/journal"), std::time::SystemTime::now());
    let (journal, _) = Journal::open(&config).unwrap();
    let (mut before, mut stage) = (0, BTreeMap::new());
    let mut written = Vec::new();
    journal.feed_from(0).read(usize::MAX, &mut written).unwrap();
    for fed in written {
        // The first entry's size is not known from positions alone; it is a call's begin.
        let size = if before == 0 { 0 } else { fed.position - before };
        before = fed.position;
        let Some(call) = fed.entry.call().map(|call| call.to_string()) else { continue };
        let (begin, unanswered, after, is_answered) = stage.entry(call).or_insert((0, 0, 0, false));
        match &fed.entry {
            Entry::Record(record) if matches!(record.change, Change::Admitted { .. }) => *begin += size,
            // A trace is written only while there is room.
            Entry::Trace { .. } => {}
            entry => {
                *(if *is_answered { after } else { unanswered }) += size;
                *is_answered |= matches!(entry, Entry::Record(record) if matches!(record.change, Change::Answered { .. }));
            }
        }
    }
    drop(journal);
    std::fs::remove_dir_all(folder).unwrap();
    let (_, until_answer, after, _) = stage[&answered];
    let (begin, unanswered, _, _) = stage[&rejected];
    println!(
        "begin {begin}, unanswered to its end {unanswered}; to the answer {until_answer}, from there {after} bytes"
    );
    assert!(unanswered > 0 && after > 0);
    assert!(unanswered < u64::from(UNANSWERED_NEEDS) && until_answer + after < u64::from(UNANSWERED_NEEDS));
    assert!(after < u64::from(ANSWERED_NEEDS), "{after}");
}
