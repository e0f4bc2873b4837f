//! The binary.

use std::process::ExitCode;

use callgate::config::Config;

fn main() -> ExitCode {
    let file = std::env::args().nth(2).map(std::path::PathBuf::from);
    let config = match Config::load(file.as_deref(), std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("callgate: {error}");
            return ExitCode::from(78);
        }
    };
    match callgate::daemon::serve(config, file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.exit_code()),
    }
}
