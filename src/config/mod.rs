//! `callgate.toml`: composes what each folder owns of it.
//!
//! A value comes from the environment (`CALLGATE__SECTION__KEY`), else from the file, else it is the
//! default. `${NAME}` in a text stands for a variable of the environment. Unknown keys are errors.
//!
//! - Here: the sections, and what may not be. `sources`: which of the three speaks.

mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Table;

use self::sources::{Overrides, expand, overrides, section};
use crate::api::{HttpConfig, InventoryConfig, KazooConfig};
use crate::daemon::{JournalSection, LimitsConfig, NodeConfig, check_listener};
use crate::dns::DnsConfig;
use crate::net::{EdgeConfig, SipConfig};
use crate::outbound::{AllowPrivate, ProvidersConfig, Target};
use crate::store::{RetentionSection, SecretsSection, StoreSection};
use crate::telemetry::log::LogConfig;
use crate::webhook;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// The whole configuration.
        #[derive(Clone, Debug, Default)]
        pub struct Config {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Config {
            /// The names of all sections.
            pub const SECTIONS: &'static [&'static str] = &[$(stringify!($name),)*];

            fn read(table: &mut Table, overrides: &Overrides, problems: &mut Vec<Problem>) -> Self {
                Self { $($name: section(stringify!($name), table, overrides, problems),)* }
            }
        }
    };
}

sections! {
    /// SIP and its sockets.
    sip: SipConfig,
    /// What strangers may do.
    edge: EdgeConfig,
    /// Numbers, accounts and the journal's projection.
    store: StoreSection,
    /// How long what happened is remembered.
    retention: RetentionSection,
    /// The key file.
    secrets: SecretsSection,
    /// The HTTP port.
    http: HttpConfig,
    /// Names.
    dns: DnsConfig,
    /// Which numbers may be had.
    inventory: InventoryConfig,
    /// What Kazoo's dialect bears.
    kazoo: KazooConfig,
    /// Who else knows of numbers.
    providers: ProvidersConfig,
    /// The question to applications.
    webhook: webhook::Config,
    /// The call journal.
    journal: JournalSection,
    /// The process.
    node: NodeConfig,
    /// What it takes upon itself.
    limits: LimitsConfig,
    /// The log.
    log: LogConfig,
}

/// What is wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, a section, or a variable of the environment.
    pub key: String,
    /// What is wrong and what helps.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.key, self.sentence)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("`{}` is no TOML: {source}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// Keys are wrong; all of them are named.
    #[error("the configuration has {} problem(s):{}", .0.len(), listed(.0))]
    Problems(Vec<Problem>),
}

impl Config {
    /// Reads `file` (none: the defaults) and lays the environment over it.
    ///
    /// # Errors
    /// When the file cannot be read, or names every problem in it.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::File { path: path.to_owned(), source })?,
            None => String::new(),
        };
        let table = text.parse::<Table>().map_err(|source| ConfigError::Syntax {
            path: file.unwrap_or(Path::new("")).to_owned(),
            source: Box::new(source),
        })?;
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        Self::compose(table, &environment).map_err(ConfigError::Problems)
    }

    fn compose(mut table: Table, environment: &BTreeMap<String, String>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for (name, value) in &mut table {
            expand(value, name, environment, &mut problems);
        }
        let overrides = overrides(environment, &mut problems);
        let config = Self::read(&mut table, &overrides, &mut problems);
        for name in table.keys() {
            let sentence = format!("no such section; there are {}", Self::SECTIONS.join(", "));
            problems.push(Problem { key: name.clone(), sentence });
        }
        problems.extend(config.wrong());
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Values that are well written and cannot work.
    fn wrong(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |key: &str, sentence: String| found.push(Problem { key: key.to_owned(), sentence });
        let http = &self.http;
        if http.tls_certificate.as_os_str().is_empty() != http.tls_key.as_os_str().is_empty() {
            say("http.tls-certificate", "goes with http.tls-key: give both or neither".into());
        } else if !http.listen.ip().is_loopback() && !http.speaks_tls() && !http.allow_plain {
            let sentence = format!(
                "{} is no loopback address and the API would speak plain HTTP there: give http.tls-certificate and \
                 http.tls-key, listen on 127.0.0.1, or say http.allow-plain = true",
                http.listen
            );
            say("http.listen", sentence);
        }
        match self.sip.planned() {
            Err(error) => say("sip.listen", error.to_string()),
            Ok(plans) if plans.is_empty() => say("sip.listen", "no listener: name at least one".into()),
            Ok(plans) => {
                let tls = self.sip.tls_files(&plans);
                if tls.is_some_and(|tls| [tls.certificate, tls.key].iter().any(|file| file == Path::new("")))
                {
                    say("sip.tls-certificate", "a tls:// listener needs it, and sip.tls-key".into());
                }
                for (at, plan) in plans.iter().enumerate() {
                    if let Err(error) = check_listener(plan) {
                        say("sip.listener", error.to_string());
                    }
                    if plans[..at].iter().any(|other| other.name == plan.name) {
                        say("sip.listener", format!("two listeners are named `{}`", plan.name));
                    }
                }
            }
        }
        if let Err(error) = self.dns.addresses() {
            say("dns.servers", error.to_string());
        }
        if self.node.shards > 256 {
            say("node.shards", "more than the 256 virtual shards: use at most 256".into());
        }
        if self.journal.segment_bytes < 1 << 20 {
            say("journal.segment-bytes", "below 1048576 a file holds hardly a call: use 16777216".into());
        }
        for name in &self.kazoo.carriers {
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
            if name.is_empty() || name.len() > 30 || !name.bytes().all(fits) {
                say("kazoo.carriers", format!("`{name}`: use up to 30 of a-z, 0-9, _ and -"));
            }
        }
        for (key, value, least, most) in self.bounded() {
            if !(least..=most).contains(&value) {
                say(key, format!("{value} is out of range: use {least} to {most}"));
            }
        }
        for (key, url) in [
            ("providers.carrier-url", &self.providers.carrier_url),
            ("providers.locality-url", &self.providers.locality_url),
            ("providers.e911-url", &self.providers.e911_url),
            ("providers.cnam-url", &self.providers.cnam_url),
        ] {
            if !url.is_empty()
                && let Err(error) = Target::parse(url, None)
            {
                say(key, format!("{error}: use https://host/path, or leave it empty"));
            }
        }
        if self.sip.t1_ms == 0 {
            say("sip.t1-ms", "0 would repeat messages without pause: use 500".into());
        }
        found
    }

    /// Keys that stand for times and counts, with their least and most: beyond, clocks and semaphores
    /// overflow long after the start.
    fn bounded(&self) -> Vec<(&'static str, u64, u64, u64)> {
        const DAY_MS: u64 = 86_400_000;
        const YEAR_SECONDS: u64 = 31_536_000;
        const MANY: u64 = 1 << 24;
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let (sip, http, webhook, dns) = (&self.sip, &self.http, &self.webhook, &self.dns);
        vec![
            ("sip.t1-ms", sip.t1_ms, 0, DAY_MS),
            ("sip.first-response-ms", sip.first_response_ms, 0, DAY_MS),
            ("sip.dead-target-seconds", sip.dead_target_seconds, 0, YEAR_SECONDS),
            ("sip.gateway-check-seconds", sip.gateway_check_seconds, 0, 3_600),
            ("sip.gateway-down-after", sip.gateway_down_after.into(), 1, 100),
            ("sip.gateway-up-after", sip.gateway_up_after.into(), 1, 100),
            ("edge.refused-requests", self.edge.refused_requests.into(), 0, MANY),
            ("edge.within-seconds", self.edge.within_seconds, 1, YEAR_SECONDS),
            ("edge.ban-seconds", self.edge.ban_seconds, 0, YEAR_SECONDS),
            ("edge.sources", count(self.edge.sources), 1_024, 1 << 23),
            ("dns.timeout-ms", dns.timeout_ms, 1, DAY_MS),
            ("dns.cache-size", dns.cache_size, 0, MANY),
            ("dns.most-seconds", dns.most_seconds, 0, YEAR_SECONDS),
            ("dns.negative-seconds", dns.negative_seconds, 0, YEAR_SECONDS),
            ("sip.liveness-seconds", sip.liveness_seconds, 0, YEAR_SECONDS),
            ("sip.session-expires-seconds", sip.session_expires_seconds.into(), 0, 86_400),
            ("sip.tcp-idle-seconds", sip.tcp_idle_seconds, 1, YEAR_SECONDS),
            ("sip.tcp-message-ms", sip.tcp_message_ms, 1, DAY_MS),
            ("sip.tcp-connections", count(sip.tcp_connections), 0, MANY),
            ("sip.tcp-connections-per-source", count(sip.tcp_connections_per_source), 1, MANY),
            ("sip.tls-handshake-ms", sip.tls_handshake_ms, 1, DAY_MS),
            ("sip.tcp-connect-ms", sip.tcp_connect_ms, 1, DAY_MS),
            ("sip.tcp-connect-large-ms", sip.tcp_connect_large_ms, 1, DAY_MS),
            ("store.connections", self.store.connections.into(), 1, 1_000),
            ("store.change-log-hours", self.store.change_log_hours.into(), 1, 8_760),
            ("http.max-requests", count(http.max_requests), 1, MANY),
            ("http.max-connections", count(http.max_connections), 1, MANY),
            ("http.client-timeout-ms", http.client_timeout_ms, 1, DAY_MS),
            ("kazoo.activations-per-day", self.kazoo.activations_per_day.into(), 0, MANY),
            ("providers.timeout-ms", self.providers.timeout_ms, 1, DAY_MS),
            ("providers.cache-seconds", self.providers.cache_seconds, 0, YEAR_SECONDS),
            ("limits.overload-delay-ms", self.limits.overload_delay_ms, 0, DAY_MS),
            ("webhook.budget-ms", webhook.budget_ms, 1, DAY_MS),
            ("webhook.connect-timeout-ms", webhook.connect_timeout_ms, 1, DAY_MS),
            ("node.drain-seconds", self.node.drain_seconds, 0, YEAR_SECONDS),
        ]
    }

    /// Settings that work and that an operator may regret, for `callgate check`.
    #[must_use]
    pub fn unwise(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |when: bool, key: &str, sentence: &str| {
            if when {
                found.push(Problem { key: key.to_owned(), sentence: sentence.to_owned() });
            }
        };
        let public = !self.http.listen.ip().is_loopback() && !self.http.speaks_tls();
        say(
            public,
            "http.listen",
            "the API speaks plain HTTP: put a TLS proxy before it, or listen on 127.0.0.1",
        );
        let open = self.sip.unknown_source == crate::net::SourceWord::DefaultOrganization;
        say(open, "sip.unknown-source", "anybody who reaches this port may call; add trunks and use reject");
        say(
            self.sip.receive_buffer < 4 << 20,
            "sip.receive-buffer",
            "bursts may be lost below 4194304 bytes",
        );
        say(
            self.sip.t1_ms < 200,
            "sip.t1-ms",
            "below 200 ms healthy peers see needless repetitions; 500 is RFC 3261's",
        );
        say(
            (1..90).contains(&self.sip.session_expires_seconds),
            "sip.session-expires-seconds",
            "RFC 4028 allows no shorter session than 90 s, which is what is asked for",
        );
        say(
            self.sip.tcp_idle_seconds < 32,
            "sip.tcp-idle-seconds",
            "below 32 s connections close under their transactions",
        );
        say(
            self.sip.tls_wildcards,
            "sip.tls-wildcards",
            "who holds *.example.com can answer for every target in it (RFC 5922 7.2)",
        );
        let private = self.webhook.allow_private_addresses == AllowPrivate::All;
        say(
            private,
            "webhook.allow-private-addresses",
            "any account can make callgate request addresses of your own network; name the prefixes instead",
        );
        say(
            self.log.show_numbers,
            "log.show-numbers",
            "telephone numbers of people stand in the log in full",
        );
        say(
            self.node.drain_seconds < 33,
            "node.drain-seconds",
            "a transaction may take 32 s to end; below 33 s a restart can cut one",
        );
        found
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
