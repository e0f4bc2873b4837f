//! A store that is not there: a first start that has to wait for it, and a start from disk.

use std::sync::mpsc::channel;

use callgate::cli::demo::application;
use callgate::cli::demo::http;
use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use super::node::{Node, PATIENCE, folder};
use super::servers::Cluster;
use super::{NUMBER, caller, loopback, target};

#[test]
fn a_first_start_is_completed_when_the_store_comes() {
    let cluster = Cluster::start();
    let url = cluster.database();
    cluster.down();
    // Generated credentials: nobody asks for particular ones.
    let node =
        Node::start_as(folder(), &["udp://127.0.0.1:0"], &[("CALLGATE__STORE__URL", &url)], |command| {
            command.env_remove("CALLGATE_ADMIN_SID").env_remove("CALLGATE_ADMIN_TOKEN");
        });
    let (status, body) = node.ready();
    assert!(status == 503 && body.contains("\"store\""), "{body}");
    let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(503, _))), "{refused:?}");
    let credentials = node.folder.join("data/admin-credentials");
    assert!(!credentials.exists());

    cluster.up();
    node.until("ready", |node| node.ready().0 == 200);
    let text = std::fs::read_to_string(&credentials).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let (sid, token) = (value("CALLGATE_ADMIN_SID="), value("CALLGATE_ADMIN_TOKEN="));
    let trunk = r#"{"name":"late","sources":["127.0.0.0/8"]}"#;
    let made =
        http::request(node.http, (&sid, &token), "POST /admin/v1/trunks", "application/json", trunk).unwrap();
    assert_eq!(made.status(), 201, "{made:?}");
    node.until("the trunk", |node| {
        let unknown = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE);
        matches!(unknown, Err(PhoneError::Refused(404, _)))
    });
}

#[test]
fn a_start_without_the_store_routes_by_the_last_good_directory_and_heals() {
    let cluster = Cluster::start();
    let url = cluster.database();
    let settings = [("CALLGATE__STORE__URL", url.as_str())];
    let (told, _exchanges) = channel();
    let application = application::start(target(), told).unwrap();
    let mut node = Node::start(&["udp://127.0.0.1:0"], &settings);
    node.provision(NUMBER, application);
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0));
    let place = node.kill();

    cluster.down();
    let node = Node::start_in(place, &["udp://127.0.0.1:0"], &settings);
    let routed = |node: &Node, number: &str| {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        let mut dialog = phone.call(node.sip[0], number, PATIENCE).unwrap();
        assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    };
    routed(&node, NUMBER);
    let (status, body) = node.ready();
    assert!(status == 200 && body.contains("degraded") && body.contains("last good directory"), "{body}");
    assert!(node.log().contains("last good directory"), "{}", node.log());

    cluster.up();
    node.until("health", |node| !node.ready().1.contains("degraded"));
    let sql = "UPDATE numbers SET number = '+442071838750'";
    let edited =
        std::process::Command::new("psql").args(["-X", "-q", "-d", &url, "-c", sql]).status().unwrap();
    assert!(edited.success());
    node.until("the edit", |node| {
        let gone = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE);
        matches!(gone, Err(PhoneError::Refused(404, _)))
    });
    routed(&node, "+442071838750");
}
