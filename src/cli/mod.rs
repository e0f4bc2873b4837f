//! Words from the command line.

pub mod demo;
