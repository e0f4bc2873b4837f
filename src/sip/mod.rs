//! Bytes <-> messages: no state, no time.
