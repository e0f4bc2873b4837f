//! From the words to the exit code.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use super::args::{Cli, Command, Shared};
use super::commands::{self, CommandError, Printed};
use super::local::{self, LocalError};
use super::{exit, print, upgrade};

/// Reads the command line, does what it says and answers the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(exit::SOFTWARE) };
        }
    };
    let (shared, file) = (&cli.shared, cli.shared.config.as_deref());
    match &cli.command {
        Command::Serve => match local::serve(file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, error.exit_code()),
        },
        Command::Demo(args) => super::demo::run(args.once),
        Command::Check => tell(local::check(file), shared.json),
        Command::Migrate => tell(local::migrate(file), shared.json),
        Command::Backup { file: to } => tell(local::back_up(file, to), shared.json),
        Command::Restore { file: from, force } => tell(local::put_back(file, from, *force), shared.json),
        Command::Explain(args) => finish(shared, |socket| commands::explain(socket, args)),
        Command::Reload(args) => finish(shared, |socket| commands::reload(socket, args)),
        Command::Upgrade => upgraded(shared),
        Command::Messages(args) => finish(shared, |socket| commands::messages(socket, args)),
        Command::Generations(args) => finish(shared, |socket| super::generations::generations(socket, args)),
        Command::Calls(args) => finish(shared, |socket| commands::calls(socket, args)),
        Command::Deliveries(args) => finish(shared, |socket| commands::deliveries(socket, args)),
        Command::Bans(args) => finish(shared, |socket| commands::bans(socket, args)),
        Command::Numbers(args) => finish(shared, |socket| commands::numbers(socket, args)),
        Command::Trunks(args) => finish(shared, |socket| super::rows::trunks(socket, args)),
        Command::Gateways(args) => finish(shared, |socket| super::rows::gateways(socket, args)),
        Command::Organizations(args) => finish(shared, |socket| super::rows::organizations(socket, args)),
        Command::Accounts(args) => finish(shared, |socket| super::rows::accounts(socket, args)),
        Command::Applications(args) => finish(shared, |socket| super::rows::applications(socket, args)),
    }
}

/// `--socket`, else the configuration's.
fn socket(shared: &Shared) -> Result<PathBuf, LocalError> {
    match &shared.socket {
        Some(path) => Ok(path.clone()),
        None => Ok(local::config(shared.config.as_deref())?.http.socket),
    }
}

fn finish(
    shared: &Shared,
    command: impl FnOnce(&std::path::Path) -> Result<Printed, CommandError>,
) -> ExitCode {
    let socket = match socket(shared) {
        Ok(socket) => socket,
        Err(error) => return fail(&error, error.exit_code()),
    };
    match command(&socket) {
        Ok(printed) => {
            for warning in &printed.reply.warnings {
                eprintln!("callgate: warning: {warning}");
            }
            if let Some(generation) = printed.reply.generation.as_ref().filter(|_| !shared.json) {
                eprintln!("callgate: live with generation {generation}");
            }
            show(if shared.json { format!("{:#}\n", printed.reply.body) } else { printed.text })
        }
        Err(CommandError::Client(error)) => fail(&error, error.exit_code()),
        Err(error @ (CommandError::Field(_) | CommandError::Unasked)) => fail(&error, exit::USAGE),
        Err(error @ CommandError::File(..)) => fail(&error, exit::NO_INPUT),
        Err(error @ CommandError::Refused { .. }) => fail(&error, exit::DATA),
    }
}

fn upgraded(shared: &Shared) -> ExitCode {
    let socket = match socket(shared) {
        Ok(socket) => socket,
        Err(error) => return fail(&error, error.exit_code()),
    };
    match upgrade::upgrade(&socket, shared.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, error.exit_code()),
    }
}

fn tell(outcome: Result<Value, LocalError>, json: bool) -> ExitCode {
    match outcome {
        Ok(value) => show(if json { format!("{value:#}\n") } else { print::fields(&value, 0) }),
        Err(error) => fail(&error, error.exit_code()),
    }
}

fn show(text: String) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, exit::SOFTWARE),
    }
}

/// Prints an error with what lies behind it.
fn fail(error: &dyn Error, code: u8) -> ExitCode {
    let mut text = format!("callgate: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    eprintln!("{text}");
    ExitCode::from(code)
}
