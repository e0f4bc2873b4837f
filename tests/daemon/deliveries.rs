//! Dead letters of the real binary: shown, and sent once more.

use crate::node::Node;
use crate::observed::{call, cli, until_right};
use crate::receiver::Receiver;
use crate::{NUMBER, target};

#[test]
fn dead_letters_are_shown_and_sent_once_more_in_order() {
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let listen = ["udp://127.0.0.1:0"];
    let node = Node::start(&listen, &[]);
    node.provision(NUMBER, receiver.at);
    receiver.answer(410);
    let sid = call(&node, &receiver);
    let dead = |node: &Node| {
        let list =
            node.ask(&format!("GET /admin/v1/deliveries?state=dead&call={sid}"), "text/plain", "").body;
        serde_json::from_str::<serde_json::Value>(&list).unwrap()
    };
    until_right("three dead letters", || match dead(&node)["total"] == 3 {
        true => Ok(()),
        false => Err(dead(&node).to_string()),
    });
    // Nobody takes them yet: they stay what they are, with one try more.
    let (text, code) = cli(&node, &["deliveries", "replay", "--call", &sid]);
    assert!(code == Some(0) && text.matches("HTTP 410").count() == 3, "{text}");
    assert_eq!(dead(&node)["total"], 3);
    receiver.answer(200);
    let before = receiver.statuses(&sid).len();
    let (text, code) = cli(&node, &["deliveries", "replay", "--call", &sid]);
    assert!(code == Some(0) && text.matches("true").count() == 3, "{text}");
    assert_eq!(receiver.statuses(&sid)[before..], ["ringing", "in-progress", "completed"]);
    assert_eq!(dead(&node)["total"], 0);
    let id = format!("{sid}-2");
    let (text, code) = cli(&node, &["deliveries", "show", &id]);
    assert!(code == Some(0) && text.contains("delivered") && text.contains("HTTP 410"), "{text}");
    assert!(text.contains("COMPLETED") && !text.contains(NUMBER), "{text}");
    let (text, code) = cli(&node, &["deliveries", "show", "nothing-1"]);
    assert!(code != Some(0) && text.contains("is no delivery"), "{text}");
    // What was asked for outlives the process, and the journal does not undo it.
    let node = Node::start_in(node.kill(), &listen, &[]);
    until_right("none dead", || match dead(&node)["total"] == 0 {
        true => Ok(()),
        false => Err(dead(&node).to_string()),
    });
    assert!(node.ask(&format!("GET /admin/v1/deliveries/{id}"), "text/plain", "").body.contains("delivered"));
}
