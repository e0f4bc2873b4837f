//! A receiver that is down while calls go on: what it missed comes once it is back, and no other receiver's
//! callbacks wait for it. Ten minutes of it at 50 events/s pass in virtual time in `callback`.

use std::time::{Duration, Instant};

use callgate::cli::demo::wire::Wire;

use crate::faults::Load;
use crate::node::{Node, PATIENCE};
use crate::receiver::Receiver;
use crate::{NUMBER, caller, loopback, target};

const OTHER: &str = "+16508251256";

/// How many callbacks stand so.
fn total(node: &Node, state: &str) -> u64 {
    let list = node.ask(&format!("GET /admin/v1/deliveries?state={state}"), "text/plain", "").body;
    serde_json::from_str::<serde_json::Value>(&list).unwrap()["total"].as_u64().unwrap()
}

#[test]
fn a_receiver_that_is_down_gets_all_once_it_is_back_and_holds_up_no_other() {
    let (down, other) = (Receiver::start(&[(NUMBER, target())]), Receiver::start(&[(OTHER, target())]));
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, down.at);
    node.number_of(OTHER, other.at);
    down.answer(503);
    let load = Load::on(node.sip[0]);
    let (began, mut waits) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(4) {
        let told = other.counts().1;
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let mut dialog = phone.call(node.sip[0], OTHER, PATIENCE).unwrap();
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
        let ended = Instant::now();
        while other.counts().1 < told + 3 {
            assert!(ended.elapsed() < PATIENCE, "no callbacks: {}", node.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        waits.push(ended.elapsed());
    }
    let ends = load.end();
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    down.answer(200);
    let all = 3 * (ends.len() + waits.len()) as u64;
    // The second tries of what ended last come after five seconds, a superseded one's within the minute.
    let until = Instant::now() + Duration::from_secs(100);
    let settled = || total(&node, "delivered") + total(&node, "superseded");
    while settled() < all {
        assert!(Instant::now() < until, "{} of {all}: {}", settled(), node.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((total(&node, "delivered") + total(&node, "superseded"), total(&node, "pending")), (all, 0));
    let superseded = total(&node, "superseded");
    assert!(superseded < ends.len() as u64 * 2, "terminal events are never superseded");
    waits.sort();
    let (median, slowest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{} calls to the receiver that is down, {superseded} events superseded; the other's last callback after {median:?} \
         in the middle, {slowest:?} at most, in {} calls",
        ends.len(),
        waits.len()
    );
    assert!(slowest < Duration::from_secs(1), "the other receiver waited {slowest:?}");
}
