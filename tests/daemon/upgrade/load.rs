//! Upgrades under calls of sipp: none fails, and nobody has to say anything again.
//!
//! With `CALLGATE_PROOF` set the runs are long ones, and no message may be sent again because of an upgrade.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Follower, NUMBERS, node_with, upgraded};
use crate::free_port::free_port;
use crate::killed::setting;
use crate::node::Node;
use crate::receiver::Receiver;
use crate::side::Side;

/// The journal's reserve as it is unless configured: it has to hold what some thousand calls at once may still need.
const SETTINGS: [(&str, &str); 3] = [
    ("CALLGATE__NODE__SHARDS", "3"),
    ("CALLGATE__JOURNAL__RESERVE_BYTES", "67108864"),
    ("CALLGATE__JOURNAL__SEGMENT_BYTES", "16777216"),
];

/// How many calls there are, how many a second, and how long they talk, in milliseconds.
///
/// The proof's rate is half of what two cores take on which callgate, sipp and the application run together;
/// `CALLGATE_RATE` sets another.
fn measure() -> (u32, u32, [u32; 2]) {
    if std::env::var_os("CALLGATE_PROOF").is_none() {
        return (80, 10, [1_000, 4_000]);
    }
    let rate = u32::try_from(setting("CALLGATE_RATE", 500)).unwrap();
    (rate * 20, rate, [3_000, 9_000])
}

/// What went on in one run: its calls and their ends, what was sent again, and how long messages waited.
struct Run {
    repeated: u64,
    shown: String,
}

/// One run of calls under which so many upgrades are made, one after the other.
fn run(node: &mut Node, callee: u16, upgrades: usize, followers: &mut Vec<Follower>) -> Run {
    let (calls, rate, talk) = measure();
    let side = Side::new("callee", callee, node.sip[0]);
    let callee = Side { number: NUMBERS[0], calls, rate, ring: 300, talk, ..side };
    let caller = Side { scenario: "caller", port: free_port(), ..callee.clone() };
    let callees = callee.start(&node.folder);
    std::thread::sleep(Duration::from_millis(300));
    let callers = caller.start(&node.folder);
    std::thread::sleep(Duration::from_secs(u64::from(calls / rate / 4)));
    for upgrade in 0..upgrades {
        std::thread::sleep(Duration::from_secs(u64::from(calls / rate / 4)));
        let go_on = upgraded(node, followers);
        print!("{go_on}");
        // With few calls none may be left for the second.
        let carries = upgrade == 0 || std::env::var_os("CALLGATE_PROOF").is_some();
        assert!(!carries || !go_on.contains("\n0 calls of the former process go on"), "{go_on}");
        println!("upgrade {} of {upgrades} is done", upgrade + 1);
    }
    let (callers, callees) = (callers.end(), callees.end());
    let (made, failed, repeated) = (callers.good, callers.failed, callers.repeated);
    let (taken, lost, answered_again) = (callees.good, callees.failed, callees.repeated);
    let (absorbed, late) = counted(node);
    let shown = format!(
        "{upgrades} upgrades under {rate} calls/s: {made} calls, {failed} failed, sent again {repeated} by callers and \
         {answered_again} by callees; the last process absorbed {absorbed} and read {late} messages after 50 ms or more"
    );
    println!("{shown}");
    let wanted = u64::from(calls);
    assert!(callers.ended && callees.ended, "{callers:?} {callees:?}");
    assert_eq!((made, failed, taken, lost), (wanted, 0, wanted, 0), "{}", node.log());
    Run { repeated: repeated + answered_again, shown }
}

/// Repetitions that callgate absorbed, and batches of messages that had waited over 50 ms in its sockets and queues:
/// what is late elsewhere is not its own.
fn counted(node: &Node) -> (u64, u64) {
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    let of = |name: &str| -> u64 {
        let line = metrics
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name}: {metrics}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let within = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("callgate_sip_queue_seconds_bucket{le=\""))
        .filter_map(|line| line.split_once("\"} "))
        .filter(|(limit, _)| limit.parse::<f64>().is_ok_and(|limit| limit <= 0.05));
    let within: u64 = within.filter_map(|(_, count)| count.parse().ok()).max().unwrap_or(0);
    (of("callgate_sip_retransmissions_total"), of("callgate_sip_queue_seconds_count") - within)
}

#[test]
fn under_steady_calls_none_fails_and_every_callback_comes_once_and_in_order() {
    let is_proof = std::env::var_os("CALLGATE_PROOF").is_some();
    let (calls, ..) = measure();
    let callee = free_port();
    let receiver = Receiver::start(&[(NUMBERS[0], format!("127.0.0.1:{callee}").parse().unwrap())]);
    let mut node = node_with(&["udp://127.0.0.1:0"], &SETTINGS);
    node.provision(NUMBERS[0], receiver.at);
    let mut followers = Vec::new();
    let upgrades: &[usize] = if is_proof { &[0, 1, 2] } else { &[0, 2] };
    let runs: Vec<Run> =
        upgrades.iter().map(|upgrades| run(&mut node, callee, *upgrades, &mut followers)).collect();
    let expected = calls as usize * 3 * runs.len();
    // Where calls take all the CPU there is, callbacks come after them.
    let (began, patience) = (Instant::now(), Duration::from_secs(if is_proof { 180 } else { 30 }));
    while receiver.counts().1 < expected && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{} callbacks, the last {:?} after the calls", receiver.counts().1, began.elapsed());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((receiver.counts().0, receiver.counts().1), (calls as usize * runs.len(), expected));
    let mut by_call: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for heard in receiver.heard().into_iter().filter(|heard| !heard.voice) {
        by_call.entry(heard.call).or_default().push(heard.status);
    }
    for (call, statuses) in by_call {
        assert_eq!(statuses, ["ringing", "in-progress", "completed"], "{call}");
    }
    // Every call stands in the list, ended.
    let total = || -> usize {
        let listed = node.ask("GET /admin/v1/calls?limit=1000", "text/plain", "").body;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["calls"].as_array().unwrap().iter().filter(|call| call["status"] == "completed").count()
    };
    let wanted = (calls as usize * runs.len()).min(1_000);
    node.until("every call in the store", |_| total() == wanted);
    if is_proof {
        for with in &runs[1..] {
            assert!(with.repeated <= runs[0].repeated, "{}; {}", runs[0].shown, with.shown);
        }
    }
}
