//! Ten million numbers: start from the store and from the last good directory, reload, lookups meanwhile, one change.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::callgate::{SID, live, request, sqlite as run};
use crate::machine::{resident, spent};
use crate::numbers;
use crate::results::{Row, Section, median};
use crate::subject::Subject;

/// Everything about the store's size, on SQLite.
pub fn sqlite(section: &mut Section) {
    let folder = numbers::sqlite(section);
    let file = folder.join("callgate.db");
    // Whoever reads first brings the file into the page cache, for the others too.
    packed(&file);
    let select = packed(&file);
    numbers::forget(&folder);
    let began = Instant::now();
    let subject = numbers::setup(&folder).start(600);
    let loaded = took(&subject, began);
    section.line(&format!(
        "\n{} numbers in SQLite: start by a full load {:.1} s ({:.1} s of CPU), the packed SELECT alone {:.1} s ({:.1} s of CPU); {:.0} MiB resident.",
        numbers::count(),
        loaded.0,
        loaded.1,
        select.0,
        select.1,
        resident(subject.pid()) / 1048576.0
    ));
    let ratio = loaded.0 / select.0;
    row(
        section,
        "full load of ten million numbers from SQLite until calls are taken, against the packed SELECT alone",
        "at most 1.3x",
        format!("{ratio:.2}x ({:.2}x of its CPU: two threads)", loaded.1 / select.1),
        ratio <= 1.3,
    );
    numbers::provision(&subject, &file, "http://127.0.0.1:9/voice", "http://127.0.0.1:9/status");
    changes(section, &subject, &file);
    during_reload(section, &subject);
    drop(subject);
    let began = Instant::now();
    let subject = numbers::setup(&folder).start(600);
    let again = took(&subject, began);
    section
        .line(&format!("\nStart from the last good directory: {:.1} s ({:.1} s of CPU).", again.0, again.1));
    row(
        section,
        "start with the last good directory, against the full load",
        "less",
        format!("{:.2}x", again.0 / loaded.0),
        again.0 < loaded.0,
    );
}

/// Seconds since the start, and of CPU.
fn took(subject: &Subject, began: Instant) -> (f64, f64) {
    (began.elapsed().as_secs_f64(), spent(subject.pid()).all() / 1e6)
}

/// Seconds of the SELECT that a load cannot do without, packed by SQL to one row per key range; and of CPU.
fn packed(file: &Path) -> (f64, f64) {
    let select = "SELECT sum(length(packed)) FROM (SELECT group_concat(id || account_id || organization_id || number || voice_url || is_sip || state, char(10)) \
                  AS packed FROM numbers GROUP BY rowid / 10000)";
    let script = "sqlite3 -readonly \"$0\" \"$1\" >/dev/null; times";
    let began = Instant::now();
    let output = Command::new("bash").args(["-c", script]).arg(file).arg(select).output().expect("bash");
    let took = began.elapsed().as_secs_f64();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let seconds = |word: &str| {
        let (minutes, seconds) = word.trim_end_matches('s').split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    // The second line is the children's: user and system.
    (took, told.lines().nth(1).unwrap_or_default().split(' ').filter_map(seconds).sum())
}

/// How soon calls see one changed number, through the API and by hand.
fn changes(section: &mut Section, subject: &Subject, file: &Path) {
    let path = format!("/restcomm/2012-04-24/Accounts/{SID}/IncomingPhoneNumbers.json");
    let by_api: Vec<f64> = (0..20)
        .map(|nth| {
            let began = Instant::now();
            let number =
                format!("PhoneNumber=%2B1999000{nth:04}&VoiceUrl=http%3A%2F%2F127.0.0.1%3A9%2Fvoice");
            let answer = request(subject, "POST", &path, &number);
            assert!(answer.contains("voice_url") || answer.contains("voiceUrl"), "{answer}");
            // The answer leaves when the row is written; its generation is the store's newest.
            let generation = run(file, "SELECT 1");
            live(subject, generation);
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let by_hand: Vec<f64> = (0..20)
        .map(|nth| {
            let sql = format!(
                "UPDATE numbers SET voice_url = 'http://127.0.0.1:9/hand' WHERE number = '+1999000{nth:04}'"
            );
            let generation = run(file, &sql);
            live(subject, generation).as_secs_f64() * 1000.0
        })
        .collect();
    run(file, "DELETE FROM numbers WHERE number LIKE '+1999000%'");
    let (api, hand) = (median(&by_api), median(&by_hand));
    row(
        section,
        "one changed number visible to calls at ten million, API (median of 20, the request included)",
        "under 50 ms",
        format!("{api:.1} ms"),
        api < 50.0,
    );
    row(
        section,
        "one changed number visible to calls at ten million, by hand in SQLite (median of 20)",
        "under 120 ms",
        format!("{hand:.1} ms"),
        hand < 120.0,
    );
}

/// Look-ups as calls make them, in quiet and while everything is loaded anew.
fn during_reload(section: &mut Section, subject: &Subject) {
    let quiet = refusals(subject, || false, 5000);
    let done = AtomicBool::new(false);
    let (meanwhile, seconds) = thread::scope(|scope| {
        let reload = scope.spawn(|| {
            let began = Instant::now();
            let answer = request(subject, "POST", "/admin/v1/reload", "");
            done.store(true, Ordering::Relaxed);
            assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{answer}");
            began.elapsed().as_secs_f64()
        });
        let meanwhile = refusals(subject, || done.load(Ordering::Relaxed), 200_000);
        (meanwhile, reload.join().expect("the reload"))
    });
    let at = |delays: &[f64], part: f64| {
        delays.get((delays.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    };
    section.line(&format!(
        "\nINVITE to 404 of an unknown number, us: quiet p50 {:.0}, p99 {:.0}, p99.9 {:.0}; during a reload of {seconds:.1} s p50 {:.0}, p99 {:.0}, p99.9 {:.0}.",
        at(&quiet, 0.5), at(&quiet, 0.99), at(&quiet, 0.999),
        at(&meanwhile, 0.5), at(&meanwhile, 0.99), at(&meanwhile, 0.999)
    ));
    let ratio = at(&meanwhile, 0.999) / at(&quiet, 0.999);
    // Seen with `perf sched timehist`.
    let why = "the loader gives way at once (SCHED_IDLE) but for turns of 1 to 4 ms inside the kernel, which takes fresh memory \
               or reads the store's file meanwhile and, built without preemption, does not let go of the CPU";
    section.row(Row {
        what: "lookups during a reload: p99.9 of INVITE to 404, against quiet".to_owned(),
        budget: "within 2x".to_owned(),
        measured: format!("{ratio:.2}x"),
        met: Some(ratio <= 2.0),
        why: why.to_owned(),
    });
}

/// Microseconds from INVITE to 404, one after the other at 400/s, sorted; until `end` or `most`.
fn refusals(subject: &Subject, end: impl Fn() -> bool, most: u32) -> Vec<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(400))).expect("a timeout");
    let own = socket.local_addr().expect("bound");
    let (mut delays, mut buffer) = (Vec::new(), vec![0; 65_536]);
    for nth in 0..most {
        if end() {
            break;
        }
        let head = |method: &str, to: &str| {
            format!(
                "{method} sip:+4930{nth}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKr{}x{nth};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:a@{own}>;tag=r{nth}\r\nTo: {to}\r\nCall-ID: r{}x{nth}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:a@{own}>\r\nContent-Length: 0\r\n\r\n",
                own.port(),
                own.port()
            )
        };
        let began = Instant::now();
        socket.send_to(head("INVITE", "<sip:+4930@127.0.0.1>").as_bytes(), subject.udp).expect("sent");
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            if !text.contains(&format!("x{nth}\r\n")) || text.starts_with("SIP/2.0 1") {
                continue;
            }
            assert!(text.starts_with("SIP/2.0 404"), "{text}");
            delays.push(began.elapsed().as_secs_f64() * 1e6);
            let to = text.split("\r\n").find_map(|line| line.strip_prefix("To: ")).unwrap_or_default();
            socket.send_to(head("ACK", to).as_bytes(), subject.udp).expect("sent");
            break;
        }
        thread::sleep(Duration::from_micros(2500).saturating_sub(began.elapsed()));
    }
    delays.sort_unstable_by(f64::total_cmp);
    delays
}

fn row(section: &mut Section, what: &str, budget: &str, measured: String, met: bool) {
    let (what, budget) = (what.to_owned(), budget.to_owned());
    section.row(Row { what, budget, measured, met: Some(met), why: String::new() });
}
