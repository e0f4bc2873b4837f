//! The README and the demo taken literally: their commands, run as they stand, with other ports only.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::node::{PATIENCE, folder};
use super::servers::Cluster;

const README: &str = include_str!("../../README.md");

/// The `sh` blocks between two headings.
fn blocks(heading: &str) -> Vec<String> {
    let from = README.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    let section = &README[from + 4..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let fenced = section.split("```sh\n").skip(1);
    fenced.map(|rest| rest[..rest.find("```").unwrap()].to_owned()).collect()
}

/// The block that has `what` in it.
fn with<'a>(blocks: &'a [String], what: &str) -> &'a str {
    blocks.iter().find(|block| block.contains(what)).unwrap_or_else(|| panic!("no block with `{what}`"))
}

/// A terminal in a folder where `callgate` is on the PATH, with ports of its own.
struct Shell {
    folder: PathBuf,
    ports: Vec<(&'static str, String)>,
    /// What runs until the test ends, each a process group.
    running: Vec<Child>,
}

impl Shell {
    fn new(wanted: &[&'static str]) -> Self {
        let folder = folder();
        std::fs::create_dir(folder.join("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_callgate"), folder.join("bin/callgate")).unwrap();
        // Held until all are known, so that none comes twice.
        let held: Vec<_> = wanted.iter().map(|_| free_port()).collect();
        let ports = wanted.iter().zip(&held).map(|(port, (_, _, free))| (*port, free.to_string())).collect();
        Self { folder, ports, running: Vec::new() }
    }

    fn own(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (port, free)| text.replace(port, free))
    }

    fn port(&self, port: &str) -> u16 {
        self.own(port).parse().unwrap()
    }

    fn bash(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CALLGATE")) {
            command.env_remove(name);
        }
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        command
            .args(["-euo", "pipefail", "-c", &self.own(script)])
            .current_dir(&self.folder)
            .env("PATH", path)
            .stdin(Stdio::null());
        command
    }

    /// To its end; what it printed.
    fn runs(&self, script: &str) -> String {
        let output = self.bash(script).output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (said(&output.stdout), said(&output.stderr));
        assert!(output.status.success(), "$ {script}\n{out}{err}\n--- serve:\n{}", self.log("serve"));
        out
    }

    /// Goes on, as in a terminal of its own.
    fn goes_on(&mut self, name: &str, script: &str, environment: &[(&str, String)]) {
        let log = File::create(self.folder.join(name)).unwrap();
        let mut command = self.bash(script);
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        self.running.push(command.spawn().unwrap());
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < until, "{what} does not come\n{}", self.log("serve"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for child in &mut self.running {
            interrupt(child, Signal::SIGKILL);
        }
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

fn interrupt(child: &mut Child, signal: Signal) {
    if matches!(child.try_wait(), Ok(None))
        && killpg(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).is_ok()
        && let Err(error) = child.wait()
    {
        eprintln!("a process stays behind: {error}");
    }
}

/// One that is free over both transports, and what holds it.
fn free_port() -> (UdpSocket, TcpListener, u16) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if let Ok(tcp) = TcpListener::bind(("127.0.0.1", port)) {
            return (udp, tcp, port);
        }
    }
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}

#[test]
fn a_first_number_and_sql_by_hand_work_as_written() {
    let steps = blocks("A first number");
    let build = with(&steps, "cargo build --release");
    assert!(
        build.contains("PATH=\"$PWD/target/release:$PATH\""),
        "whoever follows it has `callgate` on the PATH"
    );
    let mut shell = Shell::new(&["5060", "8080", "5080", "9000"]);
    // The ports of `serve` are its defaults, so they are not in the text to be replaced there.
    let listen = shell.own(r#"["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"]"#);
    let http = shell.own("127.0.0.1:8080");
    let ports = [("CALLGATE__SIP__LISTEN", listen), ("CALLGATE__HTTP__LISTEN", http)];
    shell.goes_on("serve", with(&steps, "callgate serve"), &ports);
    shell.until("the API", || listens(shell.port("8080")));
    shell.until("the credentials", || shell.folder.join("data/admin-credentials").exists());
    shell.goes_on("application", with(&steps, "python3"), &[]);
    shell.until("the application", || listens(shell.port("9000")));

    let told = shell.runs(with(&steps, "callgate trunks add"));
    assert!(told.contains("\"sid\""), "{told}");
    // Whoever types is slower than the follower; a test is not.
    shell.until("the number", || !shell.runs("callgate explain +16505550123").contains("unknown_number"));
    let told = shell.runs(with(&steps, "callgate explain"));
    assert!(told.contains("=> ") && told.contains("/voice"), "{told}");
    let target = with(&steps, "sipp -sn uas");
    shell.goes_on("uas", target, &[]);
    std::thread::sleep(Duration::from_millis(500));
    shell.runs(with(&steps, "sipp -sn uac"));
    shell.until("the call", || shell.runs(with(&steps, "callgate calls list")).contains("completed"));
    shell.until("the callbacks", || shell.log("application").contains("CallStatus=completed"));

    let list = shell.runs("callgate calls list --json");
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let sid = list["calls"][0]["sid"].as_str().unwrap();
    let trace = shell.runs(&format!("callgate calls show {sid}"));
    assert!(trace.contains("INVITE") && trace.contains("200"), "{trace}");

    let sql = blocks("Changing numbers in SQL").concat();
    for (line, then) in sql.lines().filter(|line| line.starts_with("sqlite3")).zip(["/voice", "/v2"]) {
        shell.runs(line);
        shell.until("the edit", || {
            let told = shell.runs("callgate explain +442071838750");
            !told.contains("unknown_number") && told.contains(then)
        });
    }
    for line in [
        "callgate reload --check-only",
        "callgate reload",
        "callgate numbers lint",
        "callgate deliveries list",
        "callgate check",
    ] {
        shell.runs(line);
    }
    for path in ["healthz", "ready", "metrics", "openapi.json"] {
        shell.runs(&format!("curl -fsS http://127.0.0.1:8080/{path}"));
    }
}

#[test]
fn the_readmes_psql_line_works_as_written() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let shell = Shell::new(&["5060", "8080"]);
    let node = super::node::Node::start(&["udp://127.0.0.1:0"], &[("CALLGATE__STORE__URL", &url)]);
    let sql = blocks("Changing numbers in SQL").concat();
    let line = sql.lines().find(|line| line.starts_with("psql")).unwrap();
    let output = shell.bash(line).env("URL", &url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    drop(node);
}

#[test]
fn what_the_demo_says_to_try_next_works_as_written() {
    let mut shell = Shell::new(&[]);
    let mut child = shell.bash("exec callgate demo").stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    shell.running.push(child);
    let before: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Try next")).collect();
    assert!(before.iter().any(|line| line.contains("all three callbacks delivered")), "{before:#?}");
    // It ends with the list of calls; a thread goes on reading what the demo prints meanwhile.
    let mut script: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        let last = line.trim().ends_with("calls list");
        script.push(line);
        if last {
            break;
        }
    }
    std::thread::spawn(move || lines.for_each(drop));
    // Each command as it stands, its continuation lines with it.
    let script = script.join("\n").replace("\\\n", " ");
    let commands: Vec<&str> =
        script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(commands.len(), 4, "{commands:#?}");
    let said: Vec<String> = commands.iter().map(|command| shell.runs(command)).collect();
    assert!(said[0].contains("+16505550100"), "{said:#?}");
    assert!(!said[2].contains("unknown_number") && said[2].contains("/voice"), "{said:#?}");
    assert!(said[3].matches("completed").count() >= 10, "eleven calls: {said:#?}");
    let demo = shell.running.last_mut().unwrap();
    interrupt(demo, Signal::SIGINT);
}

/// Named in the README, so it has to be there.
#[test]
fn files_the_readme_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [
        "config/callgate.toml",
        "config/openapi.json",
        "src/store/migrations/common/0001_directory.sql",
        "LICENSE",
    ] {
        assert!(README.contains(path) && root.join(path).exists(), "{path}");
    }
}
