//! `callgate upgrade`: asks for it, and tells each step until one process is left.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use super::client::{ClientError, request};
use super::exit;

const PATH: &str = "/admin/v1/upgrade";

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);
/// How long nobody may answer: the socket changes hands.
const AWAY: Duration = Duration::from_secs(60);

/// Why nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("not upgraded, the daemon goes on as it was: {0}")]
    Failed(String),
    #[error("the daemon was started anew meanwhile")]
    Restarted,
    #[error("both processes have ended: start callgate anew, which takes their calls over")]
    Ended,
    #[error("the progress cannot be printed; the upgrade goes on")]
    Print(#[from] io::Error),
}

impl UpgradeError {
    /// The exit code (sysexits.h).
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_code(),
            Self::Failed(_) | Self::Restarted | Self::Ended => exit::UNAVAILABLE,
            Self::Print(_) => exit::SOFTWARE,
        }
    }
}

/// Asks the daemon on `socket`, and follows until the new process is alone.
pub(crate) fn upgrade(socket: &Path, json: bool) -> Result<(), UpgradeError> {
    let mut note = request(socket, Method::POST, PATH, None)?.body;
    let former = note["pid"].clone();
    let (mut printed, mut teller, mut heard) = (0, former.clone(), Instant::now());
    let mut both = [former.clone(), Value::Null];
    loop {
        if !note["successor"].is_null() {
            both[1] = note["successor"].clone();
        }
        if note["pid"] != teller {
            // The new process tells its own steps.
            (teller, printed) = (note["pid"].clone(), 0);
        }
        let steps = note["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        for step in &steps[printed.min(steps.len())..] {
            tell(json, step)?;
        }
        printed = steps.len();
        match note["state"].as_str() {
            Some("failed") => return Err(UpgradeError::Failed(text(&note["error"]))),
            Some("complete") if note["pid"] != former => {
                return Ok(tell(json, &Value::String(format!("process {} goes on alone", note["pid"])))?);
            }
            Some("idle") => return Err(UpgradeError::Restarted),
            _ => std::thread::sleep(LOOK),
        }
        note = match request(socket, Method::GET, PATH, None) {
            Ok(reply) => {
                heard = Instant::now();
                reply.body
            }
            Err(ClientError::NoDaemon { .. } | ClientError::Broken(_)) if !both.iter().any(runs) => {
                return Err(UpgradeError::Ended);
            }
            Err(ClientError::NoDaemon { .. } | ClientError::Broken(_)) if heard.elapsed() < AWAY => {
                std::thread::sleep(LOOK);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
    }
}

/// Whether this process is there, and not only because nobody has looked how it ended.
fn runs(pid: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn tell(json: bool, step: &Value) -> io::Result<()> {
    let mut out = io::stdout();
    if json {
        writeln!(out, "{}", serde_json::json!({ "step": step }))?;
    } else {
        writeln!(out, "{}", text(step))?;
    }
    out.flush()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
