//! The page: every budget with what was measured, then the sections' own tables, then how it was measured.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::plot;
use crate::results::{folder, kept};

/// Writes `report.md` and `report.svg` from what the sections kept.
pub fn write(names: &[&str]) {
    let found: Vec<(&str, Option<Value>)> = names.iter().map(|name| (*name, kept(name))).collect();
    let mut page = String::from(HEAD);
    let mut bars = Vec::new();
    for section in found.iter().filter_map(|(_, section)| section.as_ref()) {
        for row in section["rows"].as_array().into_iter().flatten() {
            let text = |name: &str| row[name].as_str().unwrap_or_default().replace('|', "/");
            let met = match row["met"].as_bool() {
                Some(true) => "met",
                Some(false) => "**not met**",
                None => "–",
            };
            let line = (text("what"), text("budget"), text("measured"), text("why"));
            writeln!(page, "| {} | {} | {} | {met} | {} |", line.0, line.1, line.2, line.3)
                .expect("a string takes all");
        }
        bars.extend(section["bars"].as_array().into_iter().flatten().cloned());
    }
    page.push_str("\n![CPU per call](report.svg)\n");
    for (name, section) in &found {
        let text =
            section.as_ref().map_or("Not measured yet.\n", |section| section["text"].as_str().unwrap_or(""));
        write!(page, "\n## {name}\n\n`cargo bench --bench report -- {name}`\n\n{text}")
            .expect("a string takes all");
    }
    let at = folder().join("report.md");
    fs::write(&at, page).expect("written");
    fs::write(folder().join("report.svg"), plot::bars(&bars)).expect("written");
    println!("\n{}", at.display());
}

const HEAD: &str = "# What callgate costs\n\n\
Ratios are of one run: subjects take turns on one machine, round by round, and the median of the rounds counts. CPU is \
that of the whole process tree, from `/proc/PID/task/*/schedstat`. \"Floor\": a bare relay of the same datagrams \
that makes as many keep-alive HTTP requests and reads nothing of either.\n\n\
| what | budget | measured | | where not: why |\n|---|---|---|---|---|\n";
