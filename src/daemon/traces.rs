//! The traces of ended calls on their way into the journal, and from there into the store.
//!
//! A trace is written whole, a moment after its call's end, by *control*: shards do nothing for it.
//! A `kill -9` therefore costs the traces of the calls that were under way; their records are there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::notices::Notices;
use crate::ids::CallSid;
use crate::journal::{Entry, Gauge, Pen};
use crate::store::calls::push_line;
use crate::telemetry::Calls;
use crate::telemetry::calls::Trace;

/// How often it is looked which calls have ended; what trails in within this belongs to the trace.
const LOOK: Duration = Duration::from_millis(250);

/// The longest line kept, in bytes: an application's error may be any text.
const LONGEST: usize = 1_000;

/// Writes the traces of ended calls.
pub struct Traces {
    calls: Arc<Calls>,
    pen: Pen,
    gauge: Gauge,
    notices: Notices,
}

impl Traces {
    /// From `calls` with `pen`.
    #[must_use]
    pub const fn new(calls: Arc<Calls>, pen: Pen, gauge: Gauge, notices: Notices) -> Self {
        Self { calls, pen, gauge, notices }
    }

    /// For as long as it is polled; what is there when it is dropped is written then.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let finished = self.calls.finished();
            self.notify(&finished);
            self.write(finished);
        }
    }

    /// Accounts hear which of their calls ended by what a document says.
    fn notify(&self, finished: &[(CallSid, Trace)]) {
        for view in finished.iter().filter_map(|(call, _)| self.calls.get(*call)) {
            if let (Some(facts), Some(end)) = (&view.facts, view.ended) {
                self.notices.ended(facts, end.reason);
            }
        }
    }

    /// What room is left in a full journal is for the records of calls.
    fn write(&mut self, traces: Vec<(CallSid, Trace)>) {
        if !self.gauge.is_full() {
            let calls = Arc::clone(&self.calls);
            self.pen.note(traces.into_iter().map(|(call, trace)| entry(&calls, call, &trace)));
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let mut traces = self.calls.finished();
        traces.extend(self.calls.finished());
        let live = self.calls.live(usize::MAX);
        traces.extend(live.iter().filter_map(|view| Some((view.sid, self.calls.trace_of(view.sid)?))));
        self.write(traces);
    }
}

fn entry(calls: &Calls, call: CallSid, trace: &Trace) -> Entry {
    let first = trace.lines.first().map_or(0, |line| micros(calls.wall(line.at)));
    let (mut text, mut words, mut last) = (String::with_capacity(trace.lines.len() * 80), String::new(), 0);
    for line in &trace.lines {
        words.clear();
        write!(words, "{line}").expect("a String takes every text");
        one_line(&mut words);
        last = micros(calls.wall(line.at)).saturating_sub(first);
        push_line(&mut text, last, format_args!("{words}"));
    }
    if trace.omitted > 0 {
        push_line(&mut text, last, format_args!("{} more lines were not kept", trace.omitted));
    }
    Entry::Trace { call, at: first, text: text.into() }
}

/// Makes it one line of bounded length.
fn one_line(text: &mut String) {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    if text.contains(['\n', '\r']) {
        *text = text.replace(['\n', '\r'], " ");
    }
}

fn micros(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        let words = |text: &str| {
            let mut text = text.to_owned();
            one_line(&mut text);
            text
        };
        assert_eq!(words("a\r\nb"), "a  b");
        let long = words(&"ü".repeat(LONGEST));
        assert!(long.len() <= LONGEST + '…'.len_utf8() && long.ends_with("ü…"), "{}", long.len());
    }
}
