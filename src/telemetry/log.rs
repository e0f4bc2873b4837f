//! The log: its configuration, its set-up, its span per call.
//!
//! Lines go to standard error through a thread of their own: a pipe that nobody reads costs log
//! lines, which are counted, and never holds up a shard.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use serde::Deserialize;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::ids::CallSid;

/// Lines that may wait for the writing thread; more are dropped and counted.
const QUEUE: usize = 8_192;

/// How long lines gather, and how much is written at once: a wake-up and a write for each line would
/// cost a call more than its lines say.
const GATHER: Duration = Duration::from_millis(10);
const CHUNK: usize = 64 << 10;

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,callgate::sip=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Telephone numbers whole instead of their last two digits.
    pub show_numbers: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, show_numbers: false }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the log could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none.
    #[error(
        "log.level `{level}` is no level: use error, warn, info, debug, trace or directives such as `info,callgate::sip=debug`"
    )]
    Level {
        /// What was given.
        level: String,
        /// Why it is none.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A subscriber is already there.
    #[error("the log is already set up in this process")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
    /// The writing thread did not start.
    #[error("the log's thread could not be started")]
    Thread(#[source] io::Error),
    /// The subscriber is gone.
    #[error("the log's level can no longer be changed")]
    Reload(#[source] reload::Error),
}

/// The log of this process. Dropping it writes what is still waiting.
#[derive(Debug)]
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    queue: SyncSender<Line>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Sets up the log of the process from `[log]`; lines that find the queue full are counted in
    /// `dropped`.
    ///
    /// # Errors
    /// When the level is none, a subscriber is already there, or no thread can be started.
    pub fn start(config: &LogConfig, dropped: Counter) -> Result<Self, LogError> {
        let (filter, handle) = reload::Layer::new(filter(&config.level)?);
        let (queue, lines) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&lines, io::stderr()))
            .map_err(LogError::Thread)?;
        let writer = Queue { lines: queue.clone(), dropped };
        let layer = tracing_subscriber::fmt::layer().with_writer(writer);
        let layer = match config.format {
            LogFormat::Text => layer.with_ansi(false).boxed(),
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(LogError::AlreadySet)?;
        crate::pii::show_numbers(config.show_numbers);
        Ok(Self { filter: handle, queue, thread: Some(thread) })
    }

    /// Takes over level and `show-numbers` of a configuration that was read again.
    ///
    /// # Errors
    /// When the level is none; the former one stays.
    pub fn apply(&self, config: &LogConfig) -> Result<(), LogError> {
        self.filter.reload(filter(&config.level)?).map_err(LogError::Reload)?;
        crate::pii::show_numbers(config.show_numbers);
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // A reader that is stuck must not keep the process from ending: one second, then it goes.
        let (done, finished) = sync_channel(1);
        if self.queue.send(Line::End(done)).is_ok() && finished.recv_timeout(Duration::from_secs(1)).is_ok() {
            drop(thread.join());
        }
    }
}

/// The span all log lines of one call stand in.
#[must_use]
pub fn call_span(call: CallSid) -> tracing::Span {
    tracing::info_span!("call", sid = %call)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    // Whoever asks for debug means callgate, not each statement of the store's driver.
    let quiet = if level.contains("sqlx") { level.to_owned() } else { format!("{level},sqlx=warn") };
    EnvFilter::builder().parse(quiet).map_err(|source| LogError::Level { level: level.to_owned(), source })
}

enum Line {
    Text(Vec<u8>),
    End(SyncSender<()>),
}

fn write_lines(lines: &Receiver<Line>, mut out: impl Write) {
    let mut gathered = Vec::with_capacity(CHUNK);
    while let Ok(first) = lines.recv() {
        if matches!(first, Line::Text(_)) {
            std::thread::sleep(GATHER);
        }
        for line in std::iter::once(first).chain(lines.try_iter()) {
            match line {
                Line::Text(bytes) => gathered.extend_from_slice(&bytes),
                Line::End(done) => {
                    write_out(&mut out, &mut gathered);
                    // Whoever asked may have stopped waiting.
                    if done.send(()).is_ok() {
                        return;
                    }
                }
            }
            if gathered.len() >= CHUNK {
                write_out(&mut out, &mut gathered);
            }
        }
        write_out(&mut out, &mut gathered);
    }
}

/// Where standard error is closed there is nobody left to tell.
fn write_out(out: &mut impl Write, gathered: &mut Vec<u8>) {
    drop(out.write_all(gathered));
    gathered.clear();
}

#[derive(Clone)]
struct Queue {
    lines: SyncSender<Line>,
    dropped: Counter,
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { queue: self, line: Vec::with_capacity(160) }
    }
}

/// Gathers one line and hands it over whole.
struct LineWriter<'a> {
    queue: &'a Queue,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = Line::Text(std::mem::take(&mut self.line));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.lines.try_send(line) {
            self.queue.dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_names_the_key_and_the_fix() {
        let error = filter("callgate=loud").unwrap_err();
        assert!(error.to_string().contains("log.level `callgate=loud` is no level"), "{error}");
        assert!(filter("info,callgate::sip=debug").is_ok());
    }

    #[test]
    fn a_full_queue_drops_and_counts_instead_of_waiting() {
        let (lines, receiver) = sync_channel(1);
        let queue = Queue { lines, dropped: Counter::default() };
        for _ in 0..3 {
            queue.make_writer().write_all(b"a line\n").unwrap();
        }
        assert_eq!(queue.dropped.get(), 2);
        assert!(matches!(receiver.try_recv(), Ok(Line::Text(bytes)) if bytes == b"a line\n"));
    }

    #[test]
    fn lines_that_gather_are_written_in_order_before_the_end_is_told() {
        let (lines, receiver) = sync_channel(QUEUE);
        let (done, finished) = sync_channel(1);
        // More than one chunk.
        let count = CHUNK / 9;
        for number in 0..count {
            lines.send(Line::Text(format!("line {number}\n").into_bytes())).unwrap();
            if number == count - 1 {
                lines.send(Line::End(done.clone())).unwrap();
            }
        }
        let mut out = Vec::new();
        write_lines(&receiver, &mut out);
        finished.try_recv().unwrap();
        let wanted: String = (0..count).map(|number| format!("line {number}\n")).collect();
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
