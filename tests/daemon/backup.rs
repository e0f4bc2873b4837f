//! `backup` while calls and edits go on; `restore` where everything is gone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use super::faults::Load;
use super::node::{Node, SID, folder};
use super::observed::call;
use super::receiver::Receiver;
use super::{NUMBER, loopback, target};

/// Calls that stand finished in the store's file.
fn projected(folder: &Path) -> usize {
    let sql = "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL";
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(folder.join("data/callgate-calls.db"))
        .arg(sql)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callgate")).args(words).current_dir(folder).output().unwrap()
}

fn fails(folder: &Path, words: &[&str], code: i32, sentence: &str) {
    let output = run(folder, words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {told}");
    assert!(told.contains(sentence), "{words:?}: {told}");
}

fn succeeds(folder: &Path, words: &[&str]) {
    let output = run(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_was_backed_up_routes_again_on_another_machine() {
    let (away, listen) = (loopback(), ["udp://127.0.0.1:0"]);
    let receiver = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start(&listen, &[]);
    node.provision(NUMBER, receiver.at);
    node.number_of("+15550100", away);
    let call = call(&node, &receiver);
    let shown = |node: &Node| node.ask(&format!("GET /admin/v1/calls/{call}"), "text/plain", "").body;
    node.until("the call in the store", |_| projected(&node.folder) > 0);
    // Calls go on, each with its events.
    let load = Load::on(node.sip[0]);
    load.goes_on(&node, 5);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Somebody goes on changing numbers meanwhile.
        scope.spawn(|| {
            let mut count = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                count += 1;
                node.number(
                    &format!("+15550{:03}", 200 + count % 700),
                    &[("VoiceUrl", "http://127.0.0.1:1/")],
                );
            }
        });
        for name in ["first.tar", "second.tar"] {
            succeeds(&node.folder, &["backup", name]);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    load.goes_on(&node, 5);
    let ends = load.end();
    assert!(ends.iter().all(Result::is_ok), "a backup fails no call: {ends:?}");
    let made = node.folder.join("second.tar");
    assert_eq!(made.metadata().unwrap().permissions().mode() & 0o077, 0, "the key is in it");
    fails(&node.folder, &["backup", "second.tar"], 64, "is there already");
    fails(&node.folder, &["restore", "second.tar", "--force"], 69, "the daemon runs");

    let other = folder();
    std::fs::copy(&made, other.join("backup.tar")).unwrap();
    succeeds(&other, &["restore", "backup.tar"]);
    let restored = Node::start_in(other, &listen, &[]);
    let listed = restored.ask("GET /admin/v1/numbers?number=%2B15550100", "text/plain", "");
    assert!(listed.status() == 200 && listed.body.contains("+15550100"), "{SID}'s token opens: {listed:?}");
    assert!(shown(&restored).contains("completed"), "the calls are there: {}", shown(&restored));

    // Over what is there: put aside, not lost.
    let folder = restored.stop(Signal::SIGTERM);
    fails(&folder, &["restore", "backup.tar"], 64, "--force");
    succeeds(&folder, &["restore", "backup.tar", "--force"]);
    assert!(folder.join("data/callgate.db.before-restore").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_backup_replaces_nothing() {
    let folder = folder();
    fails(&folder, &["restore", "none.tar"], 70, "none.tar");
    std::fs::write(folder.join("bad.tar"), b"not a tar file at all, but long enough to be read".repeat(40))
        .unwrap();
    fails(&folder, &["restore", "bad.tar"], 65, "no backup");
    // Whole as a tar file, but with another's files in it.
    std::fs::write(folder.join("notes"), "x").unwrap();
    let packed =
        Command::new("tar").args(["-cf", "other.tar", "notes"]).current_dir(&folder).status().unwrap();
    assert!(packed.success());
    fails(&folder, &["restore", "other.tar"], 65, "`notes` is in it");
    assert!(!folder.join("data/callgate.db").exists());
    let there: Vec<_> =
        std::fs::read_dir(folder.join("data")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(there.is_empty(), "{there:?} stay behind");
    let output = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["backup", "x.tar"])
        .env("CALLGATE__STORE__URL", "postgres://u@127.0.0.1:1/none")
        .current_dir(&folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(64) && told.contains("pg_dump"), "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}
