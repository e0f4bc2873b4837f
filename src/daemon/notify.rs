//! What is told to systemd and to whoever waits for the ready file.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use sd_notify::NotifyState;
use serde_json::json;

use crate::net::Bound;

/// Tells systemd; without systemd nothing happens.
pub fn tell(state: &[NotifyState<'_>]) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

/// This process is the service's main one from here on.
pub fn main_process() {
    tell(&[NotifyState::MainPid(std::process::id())]);
}

/// A reload begins (systemd's `notify-reload` wants the moment with it).
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the monotonic clock could not be read"),
    }
}

/// Everything bound, as one machine-readable line: for the log and the ready file.
#[must_use]
pub fn ready_line(bound: &[Bound], http: Option<SocketAddr>) -> String {
    let listeners: Vec<_> = bound
        .iter()
        .map(|one| {
            json!({
                "name": one.plan.name,
                "transport": one.plan.spec.transport.via_token().to_ascii_lowercase(),
                "address": one.address,
            })
        })
        .collect();
    json!({ "pid": std::process::id(), "listeners": listeners, "http": http }).to_string()
}

/// Writes the ready file whole or not at all.
///
/// # Errors
/// What the disk says.
pub fn write_ready_file(path: &Path, line: &str) -> io::Result<()> {
    let half = path.with_extension("half");
    std::fs::write(&half, format!("{line}\n"))?;
    std::fs::rename(half, path)
}
