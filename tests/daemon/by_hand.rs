//! `UPDATE` by hand, then a call: how soon the next call goes the new way.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use callgate::cli::demo::http::Message;
use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;

use super::node::{Node, PATIENCE};
use super::servers::Cluster;
use super::{NUMBER, caller, loopback};

/// Edits whose delays are measured.
const EDITS: usize = 9;
/// What the median must stay below.
const LIMIT: Duration = Duration::from_millis(200);

/// An application that says busy at `/busy` (486) and hangs up everywhere else (603).
fn application() -> SocketAddr {
    let listener = TcpListener::bind(loopback()).unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                while let Ok(Some(request)) = Message::read(&mut reader) {
                    let busy = request.start.contains("/busy");
                    let verb = if busy { "<Reject reason=\"busy\"/>" } else { "<Hangup/>" };
                    let body = format!("<Response>{verb}</Response>");
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all((head + &body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    at
}

/// Runs statements as a person does; the clock starts when the command has ended.
fn edits_move_the_next_call(node: &Node, server: &str, edit: impl Fn(&str)) {
    let application = application();
    node.provision(NUMBER, application);
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut delays = Vec::new();
    for round in 0..EDITS {
        let (path, wanted) = if round % 2 == 0 { ("busy", 486) } else { ("voice", 603) };
        edit(&format!(
            "UPDATE numbers SET voice_url = 'http://{application}/{path}' WHERE number = '{NUMBER}'"
        ));
        let done = Instant::now();
        delays.push(loop {
            let asked = done.elapsed();
            match phone.call(node.sip[0], NUMBER, PATIENCE) {
                Err(PhoneError::Refused(code, _)) if code == wanted => break asked,
                Err(PhoneError::Refused(486 | 603, _)) => {}
                other => panic!("{other:?}: {}", node.log()),
            }
            assert!(asked < PATIENCE, "the edit never reached a call");
        });
    }
    delays.sort();
    let (median, most) = (delays[EDITS / 2], delays[EDITS - 1]);
    println!(
        "{server}: from the end of the command to a call that goes the new way: median {median:?}, most {most:?}"
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    // A machine with more to do than it can makes everything wait, the edit as well.
    let slack = if load > 2.0 * processors as f64 { 5 } else { 1 };
    assert!(median < LIMIT * slack, "{server}: {delays:?} at a load of {load}");
}

#[test]
fn sqlite_by_hand_changes_the_next_call_within_200_ms() {
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    let file = node.folder.join("data/callgate.db");
    edits_move_the_next_call(&node, "sqlite3", |sql| {
        let output =
            Command::new("sqlite3").args(["-cmd", ".timeout 5000"]).arg(&file).arg(sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

#[test]
fn postgres_by_hand_changes_the_next_call_within_200_ms() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let node = Node::start(&["udp://127.0.0.1:0"], &[("CALLGATE__STORE__URL", &url)]);
    edits_move_the_next_call(&node, "psql", |sql| {
        let output = Command::new("psql").args(["-X", "-q", "-d", &url, "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}
