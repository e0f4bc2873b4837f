//! The same ten million numbers in a PostgreSQL of this bench's own, with two nodes in front of it.

use std::process::Command;
use std::time::Instant;

use crate::callgate::{SID, Setup, live, request};
use crate::machine::spent;
use crate::numbers::count;
use crate::results::{Row, Section, median};
use crate::servers::Cluster;
use crate::subject::{Subject, folder};

/// Start, and one change across nodes.
pub fn all(section: &mut Section) {
    let cluster = Cluster::start();
    let url = cluster.database();
    let home = folder();
    let setup = || Setup { store: Some(url.clone()), folder: Some(home.clone()), ..Setup::default() };
    // callgate itself makes the tables, the default account and the keys.
    drop(setup().start(60));
    crate::numbers::forget(&home);
    let began = Instant::now();
    fill(&url);
    section.line(&format!(
        "\n{} numbers were written to PostgreSQL in {:.0} s.",
        count(),
        began.elapsed().as_secs_f64()
    ));
    let began = Instant::now();
    psql(&url, PACKED);
    let packed = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let one = setup().start(900);
    let (loaded, cpu) = (began.elapsed().as_secs_f64(), spent(one.pid()).all() / 1e6);
    section.line(&format!("\nStart by a full load from PostgreSQL {loaded:.1} s ({cpu:.1} s of CPU in callgate), the packed SELECT alone {packed:.1} s."));
    let ratio = loaded / packed;
    row(
        section,
        "full load of ten million numbers from PostgreSQL, against the packed SELECT alone (wall)",
        "at most 1.3x",
        format!("{ratio:.2}x"),
        ratio <= 1.3,
    );
    let other = setup().start(900);
    across(section, &url, &one, &other);
    drop((one, other));
    if let Err(error) = std::fs::remove_dir_all(&home) {
        eprintln!("{} stays: {error}", home.display());
    }
}

const PACKED: &str = "SELECT sum(length(packed)) FROM (SELECT string_agg(id || account_id || organization_id || number || voice_url || is_sip || state, '\n') \
                      AS packed FROM numbers GROUP BY substr(id, 1, 29)) AS ranges";

fn fill(url: &str) {
    psql(
        url,
        &format!(
            "SET session_replication_role = replica; \
             INSERT INTO numbers (id, account_id, organization_id, number, voice_url) \
             SELECT lpad(to_hex(i + 4096), 32, '0'), a.id, a.organization_id, '+1' || (2010000000 + i::bigint * 79), \
                    'http://127.0.0.1:9/voice/' || (i % 100) \
             FROM generate_series(0, {}) AS n(i), (SELECT id, organization_id FROM accounts WHERE is_default) AS a; \
             ANALYZE numbers",
            count() - 1
        ),
    );
}

/// A number made through one node, seen by the other.
fn across(section: &mut Section, url: &str, one: &Subject, other: &Subject) {
    let path = format!("/restcomm/2012-04-24/Accounts/{SID}/IncomingPhoneNumbers.json");
    let each: Vec<f64> = (0..20)
        .map(|nth| {
            let began = Instant::now();
            let number =
                format!("PhoneNumber=%2B1999000{nth:04}&VoiceUrl=http%3A%2F%2F127.0.0.1%3A9%2Fvoice");
            request(one, "POST", &path, &number);
            let generation = psql(url, "SELECT number FROM generation").trim().parse().expect("a generation");
            live(other, generation);
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let found = median(&each);
    row(
        section,
        "one changed number visible across PostgreSQL nodes at ten million (median of 20, the request included)",
        "under 250 ms",
        format!("{found:.1} ms"),
        found < 250.0,
    );
}

fn psql(url: &str, sql: &str) -> String {
    let words = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql];
    let output = Command::new("psql").args(words).output().expect("psql is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn row(section: &mut Section, what: &str, budget: &str, measured: String, met: bool) {
    let (what, budget) = (what.to_owned(), budget.to_owned());
    section.row(Row { what, budget, measured, met: Some(met), why: String::new() });
}
