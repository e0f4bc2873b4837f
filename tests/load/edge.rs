//! One source that floods while a good trunk calls.

mod slow;

use std::net::SocketAddr;
use std::time::Duration;

use crate::caller::Tally;
use crate::flood::Flood;
use crate::world::{GOOD, NOISY, NUMBER, World, plain};
use crate::{full, turn};

/// A good trunk's calls a second.
const FEW: f64 = 20.0;

#[test]
fn one_source_that_floods_at_five_times_the_capacity_costs_a_good_trunk_no_call() {
    let _turn = turn();
    let Some(world) = World::start(&["udp://127.0.0.1:0"], &[]) else { return };
    let Some(capacity) = world.capacity() else { return };
    let seconds = Duration::from_secs(if full() { 60 } else { 4 });
    let good = plain(GOOD, FEW, Duration::ZERO, seconds);
    let alone = world.caller.run(world.router(), std::slice::from_ref(&good)).remove(0);
    tell("alone", 0.0, capacity, &alone);

    let to = world.router();
    let flood =
        Flood::of([127, 0, 0, 66], to, Some(capacity * 5.0), move |from, count| stranger(from, to, count));
    let flooded = world.caller.run(to, std::slice::from_ref(&good)).remove(0);
    tell("beside a stranger", flood.sent() as f64 / seconds.as_secs_f64(), capacity, &flooded);
    drop(flood);
    let metrics = world.node.ask("GET /metrics", "text/plain", "").body;
    assert!(metrics.contains("callgate_edge_banned 1"), "{metrics}");

    let noisy = plain(NOISY, capacity * 5.0, Duration::ZERO, seconds);
    let beside = world.caller.run(to, &[good, noisy]);
    tell("beside a trunk", f64::from(beside[1].placed) / seconds.as_secs_f64(), capacity, &beside[0]);
    println!("  of the trunk that floods {} of {} were served", beside[1].whole, beside[1].placed);
    for shown in [&alone, &flooded, &beside[0]] {
        // A few seconds hold hardly more than the moment in which the flood is noticed.
        let least = if full() { shown.placed } else { shown.placed / 2 };
        assert!(shown.whole >= least, "{} refused, others {:?}", shown.refused, shown.others);
    }
}

fn tell(what: &str, flood: f64, capacity: f64, tally: &Tally) {
    println!(
        "{what}: {} of {} calls whole, p99 {:?}; flood {flood:.0}/s, {:.1} times the capacity",
        tally.whole,
        tally.placed,
        Tally::percentile(&tally.answers, 0.99),
        flood / capacity
    );
}

/// An INVITE of nobody we know.
fn stranger(from: SocketAddr, to: SocketAddr, count: u64) -> String {
    format!(
        "INVITE sip:{NUMBER}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{count};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:x@{from}>;tag={count}\r\nTo: <sip:{NUMBER}@{to}>\r\nCall-ID: {count}@x\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:x@{from}>\r\nUser-Agent: softphone\r\nContent-Length: 0\r\n\r\n"
    )
}
