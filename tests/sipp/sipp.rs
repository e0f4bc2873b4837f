//! sipp as caller and callee, by the scenarios of this folder.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub use crate::free_port::free_port;
use crate::router::Router;

/// One sipp to be run.
pub struct Sipp<'a> {
    router: &'a Router,
    scenario: &'static str,
    fill: Vec<(String, String)>,
    calls: u32,
    rate: u32,
    tcp: bool,
    port: u16,
    timeout: u32,
    remote: Option<SocketAddr>,
}

impl<'a> Sipp<'a> {
    /// `scenario` against `router`, once, over UDP, from a free port.
    pub fn new(router: &'a Router, scenario: &'static str) -> Self {
        let fill = [("TALK", "200"), ("RING", "100"), ("CODE", "404"), ("EXTRA", ""), ("OWN", "")];
        let fill = [&fill[..], &[("SEEN", "X-Test: unchanged")]].concat();
        let fill = fill.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self {
            router,
            scenario,
            fill,
            calls: 1,
            rate: 10,
            tcp: false,
            port: free_port(),
            timeout: 40,
            remote: None,
        }
    }

    /// What `@NAME@` in the scenario stands for.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.fill.retain(|(known, _)| known != name);
        self.fill.push((name.to_owned(), value.to_string()));
        self
    }

    /// What is dialled: the user part, escapes included.
    pub fn dials(self, user: &str) -> Self {
        let host = format!("sip:{user}@[remote_ip]:[remote_port]");
        self.with("URI", host)
    }

    /// How many calls, and how many each second.
    pub fn calls(mut self, calls: u32, rate: u32) -> Self {
        (self.calls, self.rate) = (calls, rate);
        self
    }

    /// Over TCP, one connection for all calls.
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// From this port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Toward another address than the router's first.
    pub fn toward(mut self, remote: SocketAddr) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Gives up after so many seconds.
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = seconds;
        self
    }

    /// Starts it; [`Running::success`] waits for its end.
    pub fn start(self) -> Running {
        let name = format!("{}-{}", self.scenario, self.port);
        let file = self.router.folder().join(format!("{name}.xml"));
        let mut text = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/sipp/scenarios")
                .join(format!("{}.xml", self.scenario)),
        )
        .expect("the scenario");
        for (name, value) in &self.fill {
            text = text.replace(&format!("@{name}@"), value);
        }
        fs::write(&file, text).expect("written");
        let errors = self.router.folder().join(format!("{name}.errors"));
        let remote = self.remote.unwrap_or(if self.tcp { self.router.tcp } else { self.router.udp });
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-t", if self.tcp { "t1" } else { "u1" }, "-i", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string(), "-l", "2000"])
            .args([
                "-timeout",
                &self.timeout.to_string(),
                "-timeout_error",
                "-nostdin",
                "-buff_size",
                "4194304",
            ])
            .args(["-trace_err", "-error_file"])
            .arg(&errors)
            .arg(remote.to_string())
            .current_dir(self.router.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed");
        Running { child, name, errors }
    }

    /// Runs it to its end.
    pub fn run(self) {
        self.start().success();
    }
}

/// A started sipp.
pub struct Running {
    child: Child,
    name: String,
    errors: std::path::PathBuf,
}

impl Running {
    /// Waits; fails unless every call went as the scenario says.
    pub fn success(mut self) {
        let status = self.child.wait().expect("a child");
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        // The telling lines are the last ones.
        let tail = errors.len().saturating_sub(6000);
        let told = String::from_utf8_lossy(&errors.as_bytes()[tail..]);
        assert!(status.success(), "sipp {}: {status}\n{told}", self.name);
        assert!(!errors.contains("Unexpected message"), "sipp {}:\n{errors}", self.name);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where `success` waited; else the test failed and it must not outlive it.
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("sipp {} could not be stopped: {error}", self.name);
        }
    }
}
