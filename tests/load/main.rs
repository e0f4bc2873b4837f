//! Under load, on real sockets: more calls than callgate can carry, floods of one source, and connections
//! that are slow on purpose. callgate is held to a part of a CPU, so that the tester can do much more.
//!
//! `CALLGATE_PROOF=1` runs the full counts, which a release build is meant for.
//!
//! - `wire`: SIP as text, by hand. `caller`, `callee`, `application`: who calls, who answers, who decides.
//! - `quota`: a control group that limits the CPU. `world`: all of them with one router; its capacity.
//! - `overload`, `edge`: what is shown.

mod application;
mod callee;
mod caller;
mod edge;
#[allow(dead_code, reason = "tests/daemon uses the rest")]
#[path = "../daemon/flood.rs"]
mod flood;
#[allow(dead_code, reason = "tests/daemon uses the rest")]
#[path = "../daemon/node.rs"]
mod node;
mod overload;
mod quota;
mod wire;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the full counts are asked for (`make proof`).
fn full() -> bool {
    std::env::var_os("CALLGATE_PROOF").is_some()
}

/// One load at a time: held while a test runs.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
