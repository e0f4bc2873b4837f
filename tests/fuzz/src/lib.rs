//! What reads bytes from outside, as plain functions: a fuzzer calls them with anything, `tests/torture`
//! replays the kept corpus through them with every `make test`. A function panics where a truth does not hold.
//!
//! - `sip`: messages, values, streams. `engine/`: any order of events. `answers`: what applications and peers
//!   say. `dialled`: numbers and patterns. `records`: the journal, and lines of an import.

mod answers;
mod dialled;
mod engine;
mod records;
mod sip;

pub use self::answers::{digest, document, url};
pub use self::dialled::{number, pattern};
pub use self::engine::events;
pub use self::records::{import, journal};
pub use self::sip::{frame, message, value};

/// One target: its name, which is that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 11] = [
    ("message", message),
    ("value", value),
    ("frame", frame),
    ("events", events),
    ("document", document),
    ("url", url),
    ("digest", digest),
    ("number", number),
    ("pattern", pattern),
    ("journal", journal),
    ("import", import),
];
