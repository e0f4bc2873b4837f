//! `numbers import` and `numbers export`: many numbers, streamed, a bounded part in memory at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::api::number_fields;

use super::args::{Export, Import};
use super::client::{ClientError, Connection, Reply};
use super::commands::{CommandError, Printed, object, with_query};
use super::csv::{self, Line};

/// Numbers of one request.
const BATCH: usize = 2_000;

/// Bytes of one request's numbers, below what the daemon takes.
const BYTES: usize = 600_000;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// Refused lines that are told at once; a report file has them all.
const TOLD: u64 = 20;

/// The columns of an export: what an import takes again, and the sid.
fn columns() -> Vec<&'static str> {
    number_fields().iter().copied().chain(["sid"]).collect()
}

type Result<T> = std::result::Result<T, CommandError>;

/// Everything an import counts.
struct Importer<'a> {
    connection: Connection,
    defaults: Map<String, Value>,
    existing: &'static str,
    report: Option<BufWriter<File>>,
    rows: Vec<Value>,
    lines: Vec<u64>,
    bytes: usize,
    totals: [u64; 4],
    generation: Option<u64>,
    began: Instant,
    told: Instant,
    args: &'a Import,
}

pub(crate) fn import(socket: &Path, args: &Import) -> Result<Printed> {
    let mut defaults = object(&args.fields)?;
    defaults.entry("state").or_insert_with(|| json!("available"));
    if let Some(account) = &args.account {
        defaults.insert("account_sid".to_owned(), json!(account));
    }
    let file = |error: io::Error| CommandError::File(args.file.clone(), error);
    let input: Box<dyn BufRead> = match args.file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(&args.file).map_err(file)?)),
    };
    let report = match &args.report {
        Some(path) => {
            let made = File::create(path).map_err(|error| CommandError::File(path.clone(), error))?;
            Some(BufWriter::new(made))
        }
        None => None,
    };
    let now = Instant::now();
    let mut importer = Importer {
        connection: Connection::open(socket)?,
        defaults,
        existing: if args.update { "update" } else { "refuse" },
        report,
        rows: Vec::new(),
        lines: Vec::new(),
        bytes: 0,
        totals: [0; 4],
        generation: None,
        began: now,
        told: now,
        args,
    };
    importer.read(input).map_err(|error| match error {
        Stop::File(error) => file(error),
        Stop::Command(error) => error,
    })?;
    importer.finish()
}

/// Why reading ended early.
enum Stop {
    File(io::Error),
    Command(CommandError),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl Importer<'_> {
    fn read(&mut self, input: Box<dyn BufRead>) -> std::result::Result<(), Stop> {
        let mut columns = None;
        let mut first = true;
        for (at, line) in (1..).zip(input.lines()) {
            let line = line.map_err(Stop::File)?;
            if std::mem::take(&mut first) {
                columns = csv::header(&line);
                if columns.is_some() {
                    continue;
                }
            }
            match csv::read(&line, columns.as_deref()) {
                Ok(Line::Nothing) => {}
                Ok(Line::One(row)) => self.add(row, at)?,
                Ok(Line::Many(many)) => {
                    for number in many {
                        self.add(number.into(), at)?;
                    }
                }
                Err(problem) => self.refuse(at, line.trim(), &problem)?,
            }
        }
        Ok(self.send()?)
    }

    fn add(&mut self, row: Value, line: u64) -> Result<()> {
        self.bytes += match &row {
            Value::String(text) => text.len() + 4,
            other => other.to_string().len() + 2,
        };
        self.rows.push(row);
        self.lines.push(line);
        if self.rows.len() >= BATCH || self.bytes >= BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        self.bytes = 0;
        let (rows, lines) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.lines));
        if rows.is_empty() {
            return Ok(());
        }
        let body = json!({ "rows": rows, "defaults": self.defaults, "existing": self.existing });
        let reply = self.connection.request(Method::POST, "/admin/v1/numbers/bulk", Some(&body))?;
        for (total, name) in self.totals.iter_mut().zip(["created", "updated", "unchanged"]) {
            *total += reply.body[name].as_u64().unwrap_or(0);
        }
        self.generation = reply.body["generation"].as_u64().or(self.generation);
        for refused in reply.body["refused"].as_array().into_iter().flatten() {
            let at = refused["row"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            let row = &body["rows"][at];
            let text = row.as_str().or_else(|| row["number"].as_str()).unwrap_or("").to_owned();
            let line = lines.get(at).copied().unwrap_or(0);
            self.refuse(line, &text, refused["message"].as_str().unwrap_or("refused"))?;
        }
        if self.told.elapsed() >= TELL && !self.args.quiet {
            self.told = Instant::now();
            eprintln!("{}", self.progress());
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, text: &str, problem: &str) -> Result<()> {
        self.totals[3] += 1;
        if self.totals[3] <= TOLD {
            eprintln!("callgate: line {line}: {text}: {problem}");
        }
        if let Some(report) = &mut self.report {
            let written =
                writeln!(report, "{line},{},{}", csv::cell(&json!(text)), csv::cell(&json!(problem)));
            let path = self.args.report.clone().unwrap_or_default();
            written.map_err(|error| CommandError::File(path, error))?;
        }
        Ok(())
    }

    fn progress(&self) -> String {
        let [created, updated, unchanged, refused] = self.totals;
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = (created + updated + unchanged + refused) as f64 / seconds.max(0.001);
        format!(
            "{created} created, {updated} updated, {unchanged} unchanged, {refused} refused; {seconds:.1} s, {rate:.0} a second"
        )
    }

    fn finish(mut self) -> Result<Printed> {
        if let Some(report) = &mut self.report {
            let path = self.args.report.clone().unwrap_or_default();
            report.flush().map_err(|error| CommandError::File(path, error))?;
        }
        let [created, updated, unchanged, refused] = self.totals;
        let body = json!({
            "created": created, "updated": updated, "unchanged": unchanged, "refused": refused,
            "seconds": self.began.elapsed().as_secs_f64(),
        });
        let text = self.progress() + "\n";
        let generation = self.generation.map(|generation| generation.to_string());
        let reply = Reply { body, warnings: Vec::new(), generation };
        if refused > 0 {
            return Err(CommandError::Refused { text, refused });
        }
        Ok(Printed { reply, text })
    }
}

pub(crate) fn export(socket: &Path, args: &Export) -> Result<Printed> {
    let path = args.file.clone().unwrap_or_else(|| "-".into());
    let file = |error: io::Error| CommandError::File(path.clone(), error);
    let mut out: Box<dyn Write> = match &args.file {
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(file)?)),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let mut connection = Connection::open(socket)?;
    let mut query = vec![("limit", "1000")];
    query.extend(args.number.as_deref().map(|number| ("number", number)));
    query.extend(args.account.as_deref().map(|account| ("account", account)));
    query.extend(args.state.as_deref().map(|state| ("state", state)));
    let columns = columns();
    writeln!(out, "{}", columns.join(",")).map_err(file)?;
    let (mut after, mut written) = (String::new(), 0u64);
    loop {
        let mut query = query.clone();
        query.push(("after", &after));
        let reply = connection.request(Method::GET, &with_query("/admin/v1/numbers", &query), None)?;
        for row in reply.body["numbers"].as_array().into_iter().flatten() {
            let cells: Vec<String> = columns.iter().map(|column| csv::cell(&row[*column])).collect();
            writeln!(out, "{}", cells.join(",")).map_err(file)?;
            written += 1;
        }
        match reply.body["next_after"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    out.flush().map_err(file)?;
    eprintln!("callgate: {written} numbers");
    let reply = Reply { body: Value::Null, warnings: Vec::new(), generation: None };
    Ok(Printed { reply, text: String::new() })
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Command(error.into())
    }
}
