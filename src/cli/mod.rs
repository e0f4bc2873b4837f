//! Words from the command line.
//!
//! - `args`, `args_rows`: the words. `run`: from them to the exit code.
//! - `commands`: those that speak to the daemon; `rows`: those about tables that are edited row by row. `client`: HTTP over its socket. `generations`: who changed what, and the way back.
//! - `upgrade`: the daemon is replaced, step by step.
//! - `stock`, `csv`: many numbers in and out, streamed.
//! - `local`: those that need no daemon. `backup`: the store in one file, and back. `demo/`: the demo's application and telephones.
//! - `print`: answers as people read them. `exit`: exit codes of sysexits.

mod args;
mod args_rows;
mod backup;
mod client;
mod commands;
pub mod csv;
pub mod demo;
mod exit;
mod generations;
mod local;
mod print;
mod rows;
mod run;
mod stock;
mod upgrade;

pub use run::run;
