//! The words one can type about rows: numbers, trunks, gateways, accounts and the like.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Gateways {
    #[command(flatten)]
    Rows(Rows),
    /// Give one no new calls; those it has go on (`list` counts them under `active`)
    Drain {
        /// Its sid or name
        id: String,
    },
    /// Give one calls again
    Resume {
        /// Its sid or name
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rows {
    /// All of them
    List,
    /// Add one: NAME and fields as key=value
    Add {
        /// Its name; an organization's is its domain
        name: String,
        /// Fields, as a trunk's `sources=192.0.2.0/24` or a gateway's `host=192.0.2.1`; a wrong one is answered with
        /// the names of all
        #[arg(value_name = "KEY=VALUE")]
        fields: Vec<String>,
    },
    /// All that one has
    Show {
        /// Its sid or name
        id: String,
    },
    /// Change fields of one; an empty value clears
    Set {
        /// Its sid or name
        id: String,
        /// Fields, as `max_calls=30`; `show` has all
        #[arg(value_name = "KEY=VALUE", required = true)]
        fields: Vec<String>,
    },
    /// Remove one
    Rm {
        /// Its sid or name
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    #[command(flatten)]
    Rows(Rows),
    /// Make a fresh auth token, or webhook secret, and print it, this once
    Rotate {
        /// Its sid or name
        id: String,
        /// The secret that signs webhooks; the one before goes on signing beside it until the next change
        #[arg(long)]
        webhook_secret: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Numbers {
    /// Those that match, by number
    List {
        /// A part of the number, `*` for any digit
        number: Option<String>,
        /// Of this account only
        #[arg(long, value_name = "AC…")]
        account: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Add one: the number or pattern, and fields as key=value
    Add {
        /// The number or pattern
        number: String,
        /// Fields, as `voice_url=https://example.org/voice`
        #[arg(value_name = "KEY=VALUE")]
        fields: Vec<String>,
    },
    /// Change fields of one, or with --where of all that match; an empty value clears
    Set {
        /// Its sid or number (not with --where), then fields, as `voice_url=https://example.org/voice`
        #[arg(value_name = "ID|KEY=VALUE", required = true)]
        words: Vec<String>,
        /// All that match: `number=+1650*`, `state=available`, `account=AC…`, several of them parted by commas
        #[arg(long = "where", value_name = "FILTER")]
        filter: Option<String>,
        /// Say what would change, change nothing
        #[arg(long, requires = "filter")]
        dry_run: bool,
    },
    /// Bring back one that was given back, as it was
    Restore {
        /// Its sid or number
        id: String,
    },
    /// Remove one
    Rm {
        /// Its sid or number
        id: String,
    },
    /// Patterns that are shadowed, unreachable, doubtful or catch everything
    Lint,
    /// Add many from a file: one number a line, blocks as +1650825xxxx, ranges as +16508250000-+16508259999, or CSV
    /// whose header names fields (number, friendly_name, voice_url, …)
    Import(Import),
    /// Write them as CSV that `import` reads again
    Export(Export),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; - for standard input
    pub(crate) file: PathBuf,
    /// Fields that hold for every number (default: state=available, which is the inventory)
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) fields: Vec<String>,
    /// Whose they are (default: the default account's)
    #[arg(long, value_name = "AC…")]
    pub(crate) account: Option<String>,
    /// Change numbers that are there already, instead of refusing them
    #[arg(long)]
    pub(crate) update: bool,
    /// Write every refused line into this file: line, number, why
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file (default: standard output)
    pub(crate) file: Option<PathBuf>,
    /// A part of the number, `*` for any digit
    #[arg(long)]
    pub(crate) number: Option<String>,
    /// Of this account only
    #[arg(long, value_name = "AC…")]
    pub(crate) account: Option<String>,
    /// In this state only, as available
    #[arg(long)]
    pub(crate) state: Option<String>,
}
