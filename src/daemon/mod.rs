//! Start, run, reload, drain, stop.
