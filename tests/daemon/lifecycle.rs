//! From the start to the end: the drain of a quiet node, and what HUP applies.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use callgate::cli::demo::application;
use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use super::node::{Node, PATIENCE, folder};
use super::{NUMBER, caller, loopback, target};

#[test]
fn a_quiet_node_stops_within_two_seconds_of_a_finished_call() {
    let (told, _exchanges) = channel();
    let application = application::start(target(), told).unwrap();
    let mut node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, application);
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(node.sip[0], NUMBER, PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    let took = began.elapsed();
    println!("TERM to the end of a quiet node: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}: {}", node.log());
    assert!(node.log().contains("drained"), "{}", node.log());
}

#[test]
fn an_answered_call_does_not_hold_the_drain() {
    let (told, _exchanges) = channel();
    let application = application::start(target(), told).unwrap();
    let mut node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, application);
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let _dialog = phone.call(node.sip[0], NUMBER, PATIENCE).unwrap();
    // The ACK has to be on its way through before nothing waits any more.
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// The file of [`hup_applies_what_it_says`].
fn configuration(level: &str, unanswered: u32, budget: u64, allow: bool) -> String {
    format!(
        "[log]\nlevel = \"{level}\"\nshow-numbers = {}\n[limits]\nunanswered-calls = {unanswered}\n\
         [webhook]\nbudget-ms = {budget}\nallow-private-addresses = {allow}\n",
        level == "debug"
    )
}

#[test]
fn hup_applies_the_log_the_limits_the_budget_and_the_allowed_addresses() {
    // It takes the question and never answers.
    let application = TcpListener::bind(loopback()).unwrap();
    let folder = folder();
    let file = folder.join("callgate.toml");
    std::fs::write(&file, configuration("info", 100, 400, true)).unwrap();
    let node = Node::start_as(folder, &["udp://127.0.0.1:0"], &[], |command| {
        command.args(["--config", "callgate.toml"]).env_remove("CALLGATE__WEBHOOK__ALLOW_PRIVATE_ADDRESSES");
    });
    node.provision(NUMBER, application.local_addr().unwrap());
    let call = || {
        let began = Instant::now();
        match caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE) {
            Err(PhoneError::Refused(code, _)) => (code, began.elapsed()),
            other => panic!("{other:?}"),
        }
    };
    let hups = std::cell::Cell::new(0);
    let hup = |text: String| {
        std::fs::write(&file, text).unwrap();
        hups.set(hups.get() + 1);
        node.signal(Signal::SIGHUP);
        node.until("a reload", |node| node.log().matches("reloaded").count() == hups.get());
    };
    let (code, took) = call();
    assert!(code == 500 && took >= Duration::from_millis(400), "{code} {took:?}");
    assert!(!node.log().contains("a generation is live"), "nothing was said at debug so far");

    hup(configuration("debug", 0, 400, true));
    assert_eq!(call().0, 503, "no unanswered call is allowed any more");

    hup(configuration("debug", 100, 1_500, true));
    let (code, took) = call();
    assert!(code == 500 && took >= Duration::from_millis(1_500), "{code} {took:?}");
    node.until("a line at debug", |node| node.log().contains("a generation is live"));
    node.until("a number shown whole", |node| node.log().contains("16508251255"));

    hup(configuration("info", 100, 5_000, false));
    let (code, took) = call();
    assert!(code == 500 && took < Duration::from_secs(2), "refused before it is asked: {code} {took:?}");

    // What cannot be read changes nothing.
    hup("[limits]\nunanswered = 0\n".into());
    assert_eq!(call().0, 500);
    assert!(node.log().contains("the configuration stays as it was"), "{}", node.log());
}
