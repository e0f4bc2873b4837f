//! TERM in the middle of an upgrade, to one of both processes.

use std::time::Duration;

use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use super::half_way::half_way;
use super::{NUMBERS, heard_of, note, said, slow_target, told};
use crate::node::{Node, PATIENCE};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

/// A number that rings so long, and one that is answered, each with an application of its own.
const SLOW: &str = "+16508260004";
const QUICK: &str = "+16508260005";

#[test]
fn a_new_process_that_is_told_to_end_gives_back_what_is_new_and_keeps_what_it_has_until_it_is_settled() {
    let half = half_way();
    let router = half.node.sip[0];
    let (ringing, _hung_up) = slow_target(Duration::from_secs(3));
    let slow = Receiver::start(&[(SLOW, ringing)]);
    let quick = Receiver::start(&[(QUICK, target())]);
    half.node.number_of(SLOW, slow.at);
    half.node.number_of(QUICK, quick.at);
    let calling = std::thread::spawn(move || {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let dialog = phone.call(router, SLOW, PATIENCE).unwrap();
        (phone, dialog)
    });
    half.node.until("it rings in the new process", |_| slow.asked().len() == 1);
    half.follower.signal(Signal::SIGTERM);
    half.node
        .until("it leaves", |node| node.log().contains("the former process goes on with what is settled"));
    // New calls are the old one's again, at once, and none is refused.
    for _ in 0..3 {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let mut dialog = phone.call(router, QUICK, PATIENCE).unwrap();
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    }
    assert!(half.follower.lives(), "a call rings in it");
    let (mut phone, mut dialog) = calling.join().unwrap();
    half.follower.ended();
    let output = half.command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(said(&output).contains("the new process was told to end"), "{}", said(&output));
    // Answered there, hung up here.
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", half.node.log());
    for (mut phone, mut dialog) in half.talks {
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", half.node.log());
    }
    assert!(matches!(half.ringing.join().unwrap(), Ok(200)), "{}", half.node.log());
    for receiver in [&slow, &quick, &half.receiver] {
        half.node.until("an end of each call", |_| heard_of(receiver, "completed") == told(receiver).len());
    }
    assert_eq!((quick.asked().len(), told(&half.receiver).len()), (3, 3));
    assert_eq!(note(&half.node)["state"], "failed");
}

#[test]
fn a_term_to_the_old_process_ends_both_without_a_call_lost() {
    let mut half = half_way();
    let router = half.node.sip[0];
    half.node.signal(Signal::SIGTERM);
    half.node.until("no new calls", |node| node.log().contains("shutting down: no new calls"));
    std::thread::sleep(Duration::from_millis(500));
    let refused = caller(Wire::udp(loopback()).unwrap()).call(router, NUMBERS[1], PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(503, _))), "{refused:?}");
    let output = half.command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(said(&output).contains("the daemon has been told to end"), "{}", said(&output));
    // What rang is answered, and keeps the process until then.
    half.follower.ended();
    assert!(matches!(half.ringing.join().unwrap(), Ok(200)), "{}", half.node.log());
    assert_eq!(half.node.ended(), Some(0), "{}", half.node.log());
    let folder = half.node.keep();
    let there = format!("udp://{router}");
    let again = Node::start_in(folder, &[&there], &[("CALLGATE__NODE__SHARDS", "2")]);
    for (mut phone, mut dialog) in half.talks {
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", again.log());
    }
    again.until("an end of each call", |_| heard_of(&half.receiver, "completed") == 3);
}
