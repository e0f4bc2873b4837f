//! What each section found, kept in `target/bench`, so that sections run alone and the report has all of them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// A row of the report: a budget, and what was measured.
pub struct Row {
    /// What is measured.
    pub what: String,
    /// What it may be.
    pub budget: String,
    /// What it is.
    pub measured: String,
    /// Whether it is met; `None`: there is nothing to meet.
    pub met: Option<bool>,
    /// Why, where it is not met; told only there.
    pub why: String,
}

/// One section's findings.
#[derive(Default)]
pub struct Section {
    rows: Vec<Value>,
    bars: Vec<Value>,
    values: Map<String, Value>,
    text: String,
}

impl Section {
    /// Adds a row.
    pub fn row(&mut self, mut row: Row) {
        if row.met == Some(true) {
            row.why.clear();
        }
        let met = row.met.map_or("", |met| if met { "met" } else { "NOT met" });
        println!("{}: {} (budget {}) {met} {}", row.what, row.measured, row.budget, row.why);
        self.rows.push(json!({"what": row.what, "budget": row.budget, "measured": row.measured, "met": row.met, "why": row.why}));
    }

    /// Adds a bar to the plot: in `group`, `value` microseconds of CPU per call.
    pub fn bar(&mut self, group: &str, name: &str, value: f64) {
        self.bars.push(json!({"group": group, "name": name, "value": value}));
    }

    /// Keeps a figure that another section reads.
    pub fn value(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), json!(value));
    }

    /// Adds a line of Markdown, and prints it.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Keeps it.
    pub fn keep(self, name: &str) {
        let whole = json!({"rows": self.rows, "bars": self.bars, "values": self.values, "text": self.text});
        fs::write(folder().join(format!("{name}.json")), whole.to_string()).expect("written");
    }
}

/// `target/bench`.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let folder = target.join("bench");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What a section kept when it last ran.
pub fn kept(name: &str) -> Option<Value> {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).ok()?;
    serde_json::from_str(&text).ok()
}

/// The middle of some figures; the mean of the two in the middle of an even number.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[at],
        _ => f64::midpoint(sorted[at - 1], sorted[at]),
    }
}

/// A number from the environment, or this one.
pub fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
