//! The journal and its projection at 500 events a second, by callgate's own histograms.

use crate::callgate::{Setup, request};
use crate::line::{Line, Who};
use crate::pair::Size;
use crate::results::{Row, Section, kept, number};
use crate::subject::Subject;
use crate::tls::Tls;

/// Cumulated counts by upper bound in seconds, and the sum.
struct Histogram {
    buckets: Vec<(f64, f64)>,
    sum: f64,
}

impl Histogram {
    fn of(metrics: &str, name: &str) -> Self {
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        let bound =
            |line: &str| line.split("le=\"").nth(1)?.split('"').next()?.replace("+Inf", "inf").parse().ok();
        let bucket = format!("{name}_bucket{{");
        let buckets = metrics.lines().filter(|line| line.starts_with(&bucket));
        let sum = metrics.lines().find(|line| line.starts_with(&format!("{name}_sum")));
        Self {
            buckets: buckets.filter_map(|line| Some((bound(line)?, value(line)?))).collect(),
            sum: sum.and_then(value).unwrap_or(f64::NAN),
        }
    }

    /// The bound, in milliseconds, that this part stays under since `before`, evenly spread in its bucket.
    fn part(&self, before: &Self, part: f64) -> f64 {
        let counts: Vec<(f64, f64)> =
            self.buckets.iter().zip(&before.buckets).map(|(now, then)| (now.0, now.1 - then.1)).collect();
        let wanted = counts.last().map_or(0.0, |last| last.1) * part;
        let mut below = (0.0, 0.0);
        for (bound, count) in counts {
            if count >= wanted && count > below.1 {
                return 1000.0 * (below.0 + (bound - below.0) * (wanted - below.1) / (count - below.1));
            }
            below = (bound, count);
        }
        f64::NAN
    }
}

fn metrics(subject: &Subject) -> String {
    request(subject, "GET", "/metrics", "")
}

/// Write, sync, projection.
pub fn all(section: &mut Section) {
    assert!(Setup::default().store.is_none(), "SQLite, embedded");
    let line = Line::start(Who::Callgate, "udp", &Tls::new());
    // Three events a call.
    let size = Size { rate: 167, calls: 167 * number("CALLGATE_BENCH_SECONDS", 10).max(20) };
    line.run(Size { rate: 167, calls: 167 });
    let before = metrics(&line.subject);
    line.run(size);
    let after = metrics(&line.subject);
    let part = |name: &str, part: f64| {
        let name = format!("callgate_{name}");
        Histogram::of(&after, &name).part(&Histogram::of(&before, &name), part)
    };
    let [write, sync, batch] = ["journal_write_seconds", "journal_sync_seconds", "store_projection_seconds"]
        .map(|name| [0.5, 0.99].map(|of| part(name, of)));
    section.line(&format!(
        "\nAt {} calls/s: a batch written p50 {:.2} ms, p99 {:.2} ms; synced p50 {:.2} ms, p99 {:.2} ms; projected p50 {:.1} ms, p99 {:.1} ms.",
        size.rate, write[0], write[1], sync[0], sync[1], batch[0], batch[1]
    ));
    row(
        section,
        "journal, written p99 at 500 events/s",
        "under 1 ms",
        format!("{:.2} ms", write[1]),
        write[1] < 1.0,
    );
    row(
        section,
        "journal, synced p99 at 500 events/s",
        "under 20 ms",
        format!("{:.2} ms", sync[1]),
        sync[1] < 20.0,
    );
    let name = "callgate_store_projection_seconds";
    let busy = Histogram::of(&after, name).sum - Histogram::of(&before, name).sum;
    let able = f64::from(size.calls) / busy;
    let highest = kept("rate").and_then(|kept| kept["values"]["highest"].as_f64());
    let measured = format!(
        "{able:.0} calls/s (of one core), the highest rate reported {}",
        highest.map_or("not measured yet".to_owned(), |rate| format!("{rate:.0}"))
    );
    let met = highest.is_none_or(|rate| able >= 3.0 * rate);
    row(section, "projection, calls it can write each second", "at least 3x the highest rate", measured, met);
}

fn row(section: &mut Section, what: &str, budget: &str, measured: String, met: bool) {
    let (what, budget) = (what.to_owned(), budget.to_owned());
    section.row(Row { what, budget, measured, met: Some(met), why: String::new() });
}
