//! The words one can type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use super::args_rows::{Accounts, Export, Gateways, Import, Numbers, Rows};

/// A SIP-side inbound call router: trunks in, applications over HTTP decide, nothing lost.
#[derive(Debug, Parser)]
#[command(name = "callgate", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What stands below the list of commands.
const AFTER_HELP: &str = "\
serve, demo, check, migrate, backup and restore work by themselves; the other commands speak to the running daemon over \
its socket, so run them in its folder, or with its --config or --socket.

The HTTP API is described by GET /openapi.json (OpenAPI 3.1), which needs no credentials.

Exit codes are those of sysexits.h: 0 fine, 64 usage, 65 refused, 66 not there, 69 the daemon or the \
store is away, 70 a fault of callgate's own, 75 try again, 77 not allowed, 78 configuration.";

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shared {
    /// The configuration file
    #[arg(long, short, global = true, env = "CALLGATE_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The daemon's Unix socket (default: the configuration's, data/callgate.sock)
    #[arg(long, global = true, env = "CALLGATE_SOCKET", hide_env_values = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the call, with 0 when everything went as it should
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the router
    Serve,
    /// Run the router with a demo application and telephones, and place one call
    Demo(Demo),
    /// Check the configuration and the store without starting
    Check,
    /// Bring the store's tables up to date and exit
    Migrate,
    /// Write the embedded store and its key into a new file, while the daemon runs or not
    Backup {
        /// The new file; whoever reads it can open the tokens in it
        file: PathBuf,
    },
    /// Put the store and key of a backup where the configuration says; the daemon must not run
    Restore {
        /// The backup
        file: PathBuf,
        /// Put what is there aside, as `….before-restore`
        #[arg(long)]
        force: bool,
    },
    /// Say how a dialled number would be routed: forms, organization, patterns, winner
    Explain(Explain),
    /// Build the directory from the store anew
    Reload(Reload),
    /// Let the program's file as it is now take the running daemon's place, without a call lost
    ///
    /// Each step is told, and why there was none: 69 then, and the daemon goes on as it was. TERM to the new process
    /// takes it back; one upgrade at a time.
    Upgrade,
    /// Who changed what, generation by generation, and the way back
    #[command(subcommand)]
    Generations(Generations),
    /// Calls, live and finished
    #[command(subcommand)]
    Calls(Calls),
    /// Messages outside calls: the latest of this node
    #[command(subcommand)]
    Messages(Messages),
    /// Status callbacks that are pending or were given up
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// Strangers that get no answers for a while, as they were refused too often
    #[command(subcommand)]
    Bans(Bans),
    /// Numbers, exact ones and patterns
    #[command(subcommand)]
    Numbers(Numbers),
    /// SIP peers that may send calls
    #[command(subcommand)]
    Trunks(Rows),
    /// Where Number targets and emergency calls leave
    #[command(subcommand)]
    Gateways(Gateways),
    /// SIP domains and the rules that hold in them
    #[command(subcommand)]
    Organizations(Rows),
    /// Who owns numbers, with limits, secrets and the group of gateways
    #[command(subcommand)]
    Accounts(Accounts),
    /// URLs that many numbers share
    #[command(subcommand)]
    Applications(Rows),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The dialled string, as in the Request-URI's user part
    pub(crate) number: String,
    /// The Request-URI's host (default: the default organization's domain)
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// The source address, as the trunk would send from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<String>,
    /// The From header's host, which tells organizations on a shared trunk apart
    #[arg(long, value_name = "HOST")]
    pub(crate) from_host: Option<String>,
    /// The trunk, by name or sid, instead of --source
    #[arg(long)]
    pub(crate) trunk: Option<String>,
    /// A MESSAGE to the number, instead of a call
    #[arg(long)]
    pub(crate) message: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// Show the difference, change nothing
    #[arg(long)]
    pub(crate) check_only: bool,
    /// Go on even when many numbers would vanish
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generations {
    /// The newest first, as far as the change log reaches
    List {
        /// Only those before this one
        #[arg(long, value_name = "GENERATION")]
        before: Option<u64>,
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// The rows that differ between two generations, each with what it was and is
    Diff {
        /// The one to begin with
        from: u64,
        /// The other one (default: now)
        to: Option<u64>,
        /// Most rows
        #[arg(long, default_value_t = 1000)]
        limit: u64,
    },
    /// Undo everything that came after a generation, in one new generation, or nothing
    Rollback {
        /// The generation that everything is to be as in
        to: u64,
        /// Find out whether it can be, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Calls {
    /// The live calls, then the finished ones, newest first
    List {
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Live calls only
        #[arg(long)]
        live: bool,
        /// Telephone numbers whole
        #[arg(long)]
        show_numbers: bool,
    },
    /// End a live call
    Hangup {
        /// Its CallSid, or its Call-ID toward the trunk
        #[arg(value_name = "CALLSID|CALL-ID")]
        id: String,
    },
    /// One call with its trace
    Show {
        /// Its CallSid, or its Call-ID toward the trunk
        #[arg(value_name = "CALLSID|CALL-ID")]
        id: String,
        /// Telephone numbers whole
        #[arg(long)]
        show_numbers: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Messages {
    /// The latest, the newest first; the daemon remembers 1,000 until it stops
    List {
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Telephone numbers whole
        #[arg(long)]
        show_numbers: bool,
    },
    /// One message with its trace
    Show {
        /// Its SmsSid, or its Call-ID toward the trunk
        #[arg(value_name = "SMSSID|CALL-ID")]
        id: String,
        /// Telephone numbers whole
        #[arg(long)]
        show_numbers: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// Dead letters; with --pending, what is still on its way
    List {
        /// What is still on its way, instead of dead letters
        #[arg(long)]
        pending: bool,
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One delivery with its parameters and its tries
    Show {
        /// Its id, as `list --json` and `calls show` have it
        id: String,
        /// Telephone numbers whole
        #[arg(long)]
        show_numbers: bool,
    },
    /// Send dead letters once more, now, the oldest first
    Replay {
        /// Their ids; none: all that the options leave
        ids: Vec<String>,
        /// Only those of this URL, as its row has it
        #[arg(long)]
        url: Option<String>,
        /// Only those of this call
        #[arg(long, value_name = "CA…")]
        call: Option<String>,
        /// Only those of this account
        #[arg(long, value_name = "AC…")]
        account: Option<String>,
        /// Only those that held up a terminal event (superseded), or only the others (dead)
        #[arg(long, value_parser = ["dead", "superseded"])]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Receivers that answered 410 and get nothing
    Disabled,
    /// Send to a URL again that answered 410
    Enable {
        /// The URL as its row has it
        url: String,
        /// For this account only
        #[arg(long, value_name = "AC…")]
        account: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bans {
    /// All of this node, those that last longest first
    List,
    /// Answer one again
    Lift {
        /// Its address, as `list` has it
        source: std::net::IpAddr,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_are_consistent() {
        Cli::command().debug_assert();
    }
}
