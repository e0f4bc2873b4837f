//! Exit codes, as sysexits.h has them.

/// The command line itself is wrong.
pub(crate) const USAGE: u8 = 64;
/// What was given is refused.
pub(crate) const DATA: u8 = 65;
/// What was named is not there.
pub(crate) const NO_INPUT: u8 = 66;
/// The daemon, or what it needs, is not there.
pub(crate) const UNAVAILABLE: u8 = 69;
/// A fault of callgate's own.
pub(crate) const SOFTWARE: u8 = 70;
/// The other side speaks in another way than expected.
pub(crate) const PROTOCOL: u8 = 76;
/// Not allowed.
pub(crate) const NO_PERMISSION: u8 = 77;
/// The configuration is wrong.
pub(crate) const CONFIG: u8 = 78;
