//! What systemd is told, and when: the unit is `Type=notify` with `NotifyAccess=all`.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::half_way::half_way_with;
use super::{Follower, begin, node_in, said, until_step};
use crate::node::{Node, PATIENCE, folder};

/// The socket of a service manager, and each message with whether `process` ran when it came.
struct Manager {
    path: String,
    heard: Arc<Mutex<Vec<(String, bool)>>>,
    process: Arc<Mutex<Option<Pid>>>,
}

impl Manager {
    fn start() -> Self {
        let folder = folder();
        let path = folder.join("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let process = Arc::new(Mutex::new(None));
        let (told, of) = (heard.clone(), process.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let ran = of.lock().unwrap().is_some_and(|pid| kill(pid, None).is_ok());
                let text = String::from_utf8_lossy(&buffer[..length]).trim().to_owned();
                told.lock().unwrap().push((text, ran));
            }
        });
        Self { path, heard, process }
    }

    /// Every assignment in the order in which it came.
    fn words(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().flat_map(|(text, _)| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// Forgets what was heard so far.
    fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    /// Waits for these names, in this order and no others.
    fn hears(&self, names: &[&str], node: &Node) {
        let until = Instant::now() + PATIENCE;
        let heard = || -> Vec<String> {
            self.words().iter().map(|word| word.split('=').next().unwrap_or_default().to_owned()).collect()
        };
        while heard().len() < names.len() {
            assert!(Instant::now() < until, "{:?} {}", self.words(), node.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(heard(), names, "{:?}", self.words());
    }
}

#[test]
fn systemd_hears_of_the_new_main_process_while_the_old_one_runs_and_of_no_end() {
    let manager = Manager::start();
    let mut node = node_in(folder(), &["udp://127.0.0.1:0"], &[("NOTIFY_SOCKET", &manager.path)]);
    manager.hears(&["READY"], &node);
    node.signal(Signal::SIGHUP);
    manager.hears(&["READY", "RELOADING", "MONOTONIC_USEC", "READY"], &node);
    manager.forget();
    let old = Pid::from_raw(i32::try_from(node.child.id()).unwrap());
    *manager.process.lock().unwrap() = Some(old);
    let command = begin(&node.folder);
    let follower = Follower::of(&node);
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    // Nobody says that anything stops: the service goes on.
    manager.hears(&["MAINPID", "READY"], &node);
    let (first, ran) = manager.heard.lock().unwrap()[0].clone();
    assert_eq!(first.lines().next(), Some(&*format!("MAINPID={}", follower.0)));
    assert!(ran, "a main process that ends before it is replaced ends the service");
    manager.forget();
    follower.signal(Signal::SIGTERM);
    follower.ended();
    let words = manager.words();
    assert!(!words.is_empty() && words.iter().all(|word| word == "STOPPING=1"), "{words:?}");
}

#[test]
fn systemd_hears_nothing_of_an_upgrade_that_comes_to_nothing() {
    let manager = Manager::start();
    let mut half = half_way_with(&[("NOTIFY_SOCKET", &manager.path), ("CALLGATE__NODE__SHARDS", "2")]);
    manager.hears(&["READY"], &half.node);
    until_step(&half.node, "takes new calls");
    half.follower.signal(Signal::SIGTERM);
    half.follower.ended();
    assert!(!half.command.wait().unwrap().success());
    manager.hears(&["READY"], &half.node);
    assert!(matches!(half.ringing.join().unwrap(), Ok(200)), "{}", half.node.log());
    half.node.signal(Signal::SIGTERM);
    assert_eq!(half.node.ended(), Some(0));
    let words = manager.words();
    assert!(words.len() > 1 && words[1..].iter().all(|word| word == "STOPPING=1"), "{words:?}");
}
