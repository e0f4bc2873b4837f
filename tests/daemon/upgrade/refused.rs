//! What does not follow leaves the old process serving, and the command says why.

use std::net::SocketAddr;

use callgate::cli::demo::wire::Wire;

use super::{NUMBERS, begin, node, note, said};
use crate::node::{Node, PATIENCE, folder};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

/// One whole call.
fn a_call_goes_well(node: &Node, router: SocketAddr) {
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(router, NUMBERS[0], PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{}", node.log());
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
        a_call_goes_well(&node, node.sip[0]);
    }
    assert_eq!(note(&node)["state"], "failed");
}

#[test]
fn a_configuration_that_cannot_be_followed_is_named_to_whoever_asked_for_the_upgrade() {
    let receiver = Receiver::start(&[(NUMBERS[0], target())]);
    let folder = folder();
    let file = folder.join("callgate.toml");
    std::fs::write(&file, "").unwrap();
    let node = Node::start_as(folder, &["udp://127.0.0.1:0"], &[], |command| {
        command.args(["--config", "callgate.toml"]);
    });
    node.provision(NUMBERS[0], receiver.at);
    let attempts = [
        // Before anything is opened.
        ("[sip]\nlistne = []\n", "`sip.listne`: unknown field"),
        // In the start.
        ("[secrets]\nkey-file = \"/dev/null/key\"\n", "/dev/null/key"),
    ];
    for (text, why) in attempts {
        std::fs::write(&file, text).unwrap();
        let output = begin(&node.folder).wait_with_output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(69), "{text}: {said}");
        assert!(said.contains("the daemon goes on as it was") && said.contains(why), "{text}: {said}");
        assert_eq!(note(&node)["state"], "failed");
        a_call_goes_well(&node, node.sip[0]);
    }
}
