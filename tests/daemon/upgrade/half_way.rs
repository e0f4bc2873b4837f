//! One of both processes killed while both have calls, and a second upgrade in the middle of one.

use std::collections::BTreeSet;
use std::process::Child;
use std::thread::JoinHandle;

use callgate::cli::demo::phone::{Dialog, Phone, PhoneError};
use callgate::cli::demo::wire::Wire;

use super::{
    Follower, NUMBERS, RINGS, begin, heard_of, node_with, said, slow_call, slow_target, told, until_step,
};
use crate::node::{Node, PATIENCE};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

/// A node half-way: a call rings in the old process, one is answered in it, one in the new.
pub(super) struct HalfWay {
    pub(super) node: Node,
    pub(super) receiver: Receiver,
    pub(super) command: Child,
    pub(super) follower: Follower,
    pub(super) ringing: JoinHandle<Result<u16, PhoneError>>,
    pub(super) talks: Vec<(Phone, Dialog)>,
}

pub(super) fn half_way() -> HalfWay {
    half_way_with(&[("CALLGATE__NODE__SHARDS", "2")])
}

/// The same with these settings.
pub(super) fn half_way_with(settings: &[(&str, &str)]) -> HalfWay {
    let (ringing, _hung_up) = slow_target(RINGS);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], target())]);
    let node = node_with(&["udp://127.0.0.1:0"], settings);
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
