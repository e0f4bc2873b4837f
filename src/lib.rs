//! callgate: a SIP-side inbound call router.

// Floor 0: words everybody uses.
pub mod e164;
pub mod flow;
pub mod ids;
pub mod pii;
pub mod reason;
pub mod time;
pub mod timers;

// Floor 1: bytes <-> messages.
pub mod sip;

// Floor 2: RFC 3261's layers, as pure machines.
pub mod dialog;
pub mod transaction;
pub mod transport;

// Floor 3: calls and routing.
pub mod call;
pub mod routing;

// Floor 4: the one door.
pub mod engine;

// ===== the line: below it no clock, no socket, no file, no task =====

// Floor 5: what several of the outside rooms share.
pub mod dns;
pub mod journal;
pub mod outbound;
pub mod store;
pub mod telemetry;

// Floor 6: one outside world each.
pub mod api;
pub mod callback;
pub mod net;
pub mod webhook;

// Floor 7: the process.
pub mod config;
pub mod daemon;

// Floor 8: words from the command line.
pub mod cli;
