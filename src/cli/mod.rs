//! Words from the command line.
