//! PostgreSQL as the store, and what `GET generation?wait` says while two processes have a directory each.

use std::process::Command;
use std::time::Duration;

use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use super::half_way::half_way;
use super::{Follower, NUMBERS, begin, heard_of, node_with, said, slow_call, slow_target, told, until_step};
use crate::node::{PATIENCE, SID};
use crate::receiver::Receiver;
use crate::servers::Cluster;
use crate::{caller, loopback, target};

const ENDED: &str = "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL";

#[test]
fn on_postgres_both_processes_follow_the_store_and_every_call_stands_there_once() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let (ringing, _hung_up) = slow_target(Duration::from_secs(5));
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], target())]);
    let own = Receiver::start(&[(NUMBERS[2], target())]);
    let settings = [("CALLGATE__STORE__URL", &*url), ("CALLGATE__NODE__SHARDS", "2")];
    let mut node = node_with(&["udp://127.0.0.1:0"], &settings);
    let router = node.sip[0];
    node.provision(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut standing = phone.call(router, NUMBERS[1], PATIENCE).unwrap();
    let slow = slow_call(router);
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let _follower = Follower::of(&node);
    until_step(&node, "takes new calls");
    // Written through the old process, and at once a number of the new one's.
    node.number_of(NUMBERS[2], own.at);
    let mut other = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = other.call(router, NUMBERS[2], PATIENCE).unwrap();
    assert_eq!(other.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    assert!(matches!(slow.join().unwrap(), Ok(200)), "{}", node.log());
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert_eq!(phone.hang_up(&mut standing, PATIENCE).unwrap(), 200, "{}", node.log());
    node.until("three ends", |_| heard_of(&receiver, "completed") + heard_of(&own, "completed") == 3);
    assert_eq!(told(&receiver).len() + told(&own).len(), 3);
    let ended = || {
        let output =
            Command::new("psql").args(["-X", "-q", "-t", "-A", "-d", &url, "-c", ENDED]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    node.until("every call in the store", |_| ended() == "3");
}

#[test]
fn a_generation_is_live_when_it_is_in_the_process_that_takes_new_calls() {
    let half = half_way();
    let own = Receiver::start(&[("+16508260009", target())]);
    // The new process does not see what is written for a while.
    half.follower.signal(Signal::SIGSTOP);
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("PhoneNumber", "+16508260009")
        .append_pair("VoiceUrl", &format!("http://{}/voice", own.at))
        .finish();
    let line = format!("POST /restcomm/2012-04-24/Accounts/{SID}/IncomingPhoneNumbers.json");
    let answer = half.node.ask(&line, "application/x-www-form-urlencoded", &body);
    let generation = answer.header("x-callgate-generation").unwrap();
    let wait = |limit: &str| {
        let line = format!("GET /admin/v1/generation?wait={generation}&timeout_ms={limit}");
        half.node.ask(&line, "text/plain", "").status()
    };
    assert_eq!(wait("1000"), 504, "calls do not see it yet");
    half.follower.signal(Signal::SIGCONT);
    assert_eq!(wait("20000"), 200, "{}", half.node.log());
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(half.node.sip[0], "+16508260009", PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    // Without the new process it is this one alone that is asked.
    half.follower.kill();
    half.node.until("the end of the upgrade", |node| super::note(node)["state"] == "failed");
    assert_eq!(wait("1000"), 200);
    assert!(matches!(half.ringing.join().unwrap(), Ok(200)), "{}", half.node.log());
}
