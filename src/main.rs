//! The binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate::cli::run()
}
