//! The router of the demo: this same program as a child process, on embedded defaults in `data/`.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where the child writes what it has bound.
const READY: &str = "data/demo-ready.json";
/// Where a first start writes the credentials.
const CREDENTIALS: &str = "data/admin-credentials";

/// What went wrong with the demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file, a socket or a process.
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    /// The child ended.
    #[error("callgate did not start; its log above says why")]
    NotStarted,
    /// No credentials.
    #[error(
        "no credentials: set CALLGATE_ADMIN_SID and CALLGATE_ADMIN_TOKEN, or remove data/ for a first start"
    )]
    Credentials,
    /// The API refused.
    #[error("{what} was refused: {status} {body}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: String,
    },
    /// The call itself.
    #[error("the call failed")]
    Call(#[from] super::phone::PhoneError),
    /// It went otherwise than it should.
    #[error("{0}")]
    Unexpected(String),
}

/// A running router.
pub struct Router {
    child: Child,
    /// Where SIP is spoken, over UDP and over TCP alike.
    pub sip: SocketAddr,
    /// Where the API listens.
    pub http: SocketAddr,
    /// The administrator's account.
    pub sid: String,
    /// Its token.
    pub token: String,
}

impl Router {
    /// Starts it and waits until it takes calls.
    ///
    /// # Errors
    /// [`DemoError`].
    pub fn start() -> Result<Self, DemoError> {
        std::fs::create_dir_all("data").map_err(|error| DemoError::Io("data/ cannot be made", error))?;
        if Path::new(READY).exists() {
            std::fs::remove_file(READY).map_err(|error| DemoError::Io("an old ready file stays", error))?;
        }
        match Self::launch(free_sip_port(5060), free_port(8080)) {
            // Somebody was quicker with a port that was free a moment ago: now whatever the system gives.
            Err(DemoError::NotStarted) => Self::launch(free_sip_port(0), 0),
            other => other,
        }
    }

    fn launch(sip: u16, http: u16) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|error| DemoError::Io("where am I?", error))?;
        let sip = format!("127.0.0.1:{sip}");
        let child = Command::new(program)
            .arg("serve")
            .env("CALLGATE__SIP__LISTEN", format!("[\"udp://{sip}\", \"tcp://{sip}\"]"))
            .env("CALLGATE__HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("CALLGATE__WEBHOOK__ALLOW_PRIVATE_ADDRESSES", "true")
            .env("CALLGATE__NODE__READY_FILE", READY)
            .env("CALLGATE__LOG__LEVEL", std::env::var("CALLGATE__LOG__LEVEL").unwrap_or("warn".into()))
            .spawn()
            .map_err(|error| DemoError::Io("callgate cannot be started", error))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (sid, token) = Default::default();
        let mut router = Self { child, sip: nowhere, http: nowhere, sid, token };
        router.wait_ready()?;
        (router.sid, router.token) = credentials()?;
        Ok(router)
    }

    fn wait_ready(&mut self) -> Result<(), DemoError> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let ended = self.child.try_wait().map_err(|error| DemoError::Io("the child is lost", error))?;
            if ended.is_some() {
                return Err(DemoError::NotStarted);
            }
            if let Ok(text) = std::fs::read_to_string(READY)
                && let Ok(ready) = serde_json::from_str::<Value>(&text)
            {
                let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
                if let (Some(sip), Some(http)) =
                    (address(&ready["listeners"][0]["address"]), address(&ready["http"]))
                {
                    (self.sip, self.http) = (sip, http);
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(DemoError::NotStarted)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self) -> io::Result<()> {
        self.child.wait().map(drop)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        // The second TERM says that nothing is to be waited for: this was a demo.
        for _ in 0..2 {
            let lives = matches!(self.child.try_wait(), Ok(None));
            if lives && let Err(error) = kill(pid, Signal::SIGTERM) {
                eprintln!("callgate could not be stopped: {error}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        if let Err(error) = self.child.wait() {
            eprintln!("callgate could not be waited for: {error}");
        }
    }
}

fn credentials() -> Result<(String, String), DemoError> {
    let given = |name| std::env::var(name).ok();
    if let (Some(sid), Some(token)) = (given("CALLGATE_ADMIN_SID"), given("CALLGATE_ADMIN_TOKEN")) {
        return Ok((sid, token));
    }
    let text = std::fs::read_to_string(CREDENTIALS).map_err(|_| DemoError::Credentials)?;
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    match (value("CALLGATE_ADMIN_SID="), value("CALLGATE_ADMIN_TOKEN=")) {
        (Some(sid), Some(token)) => Ok((sid, token)),
        _ => Err(DemoError::Credentials),
    }
}

/// The wanted port where it is free, over both transports; else one the system gives.
fn free_sip_port(wanted: u16) -> u16 {
    let both = |port| {
        let udp = UdpSocket::bind(("127.0.0.1", port)).ok()?;
        let at = udp.local_addr().ok()?.port();
        TcpListener::bind(("127.0.0.1", at)).ok().map(|_| at)
    };
    both(wanted).or_else(|| (0..20).find_map(|_| both(0))).unwrap_or(wanted)
}

fn free_port(wanted: u16) -> u16 {
    TcpListener::bind(("127.0.0.1", wanted)).map_or(0, |_| wanted)
}
