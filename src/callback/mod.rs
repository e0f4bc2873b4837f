//! The asynchronous report: at least once, in order per call.
