//! Ten million numbers in a store: made once, kept in `target/bench/numbers-COUNT`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::callgate::{Setup, live, sql, sqlite as run};
use crate::results::{Section, folder, number};
use crate::subject::Subject;

/// How many: `CALLGATE_BENCH_NUMBERS`, ten million.
pub fn count() -> u32 {
    number("CALLGATE_BENCH_NUMBERS", 10_000_000)
}

/// The folder of the SQLite store, filled.
pub fn sqlite(section: &mut Section) -> PathBuf {
    let folder = folder().join(format!("numbers-{}", count()));
    let file = folder.join("callgate.db");
    let there = || -> Option<u32> {
        let held = Command::new("sqlite3").arg(&file).arg("SELECT count(*) FROM numbers").output().ok()?;
        String::from_utf8_lossy(&held.stdout).trim().parse().ok()
    };
    if there().is_some_and(|held| held >= count() && held < count() + 1000) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("a folder of ours");
    }
    fs::create_dir_all(&folder).expect("a folder");
    // callgate itself makes the tables, the default account and the keys.
    drop(setup(&folder).start(30));
    let began = Instant::now();
    fill(&file);
    section.line(&format!(
        "\n{} numbers were written to SQLite in {:.0} s.",
        count(),
        began.elapsed().as_secs_f64()
    ));
    folder
}

/// By SQL without triggers: the change log of as many rows is not what is measured. So the last good directory is old.
fn fill(file: &Path) {
    let statements = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; \
         CREATE TEMP TABLE own AS SELECT id AS account, organization_id AS organization FROM accounts WHERE is_default; \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO numbers (id, account_id, organization_id, number, voice_url) \
         SELECT printf('%032x', i + 4096), account, organization, '+1' || (2010000000 + i * 79), \
                'http://127.0.0.1:9/voice/' || (i % 100) FROM n, own; \
         PRAGMA wal_checkpoint(TRUNCATE)",
        count() - 1
    );
    let filled = Command::new("sqlite3")
        .args(["-cmd", ".dbconfig enable_trigger off"])
        .arg(file)
        .arg(statements)
        .output()
        .expect("sqlite3 is installed");
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    forget(file.parent().expect("a folder"));
}

/// Takes the last good directory away: the next start reads the store.
pub fn forget(folder: &Path) {
    for name in ["last-good", "last-good.new"] {
        let file = folder.join(name);
        if file.exists() {
            fs::remove_file(file).expect("a file of ours");
        }
    }
}

/// A callgate on that store.
pub fn setup(folder: &Path) -> Setup {
    let store = Some(format!("sqlite://{}/callgate.db", folder.display()));
    Setup { store, folder: Some(folder.to_owned()), ..Setup::default() }
}

/// Trunk and number `1` in that store, whatever an earlier run left there.
pub fn provision(subject: &Subject, file: &Path, voice: &str, status: &str) {
    let generation = run(
        file,
        &format!(
            "DELETE FROM trunks; DELETE FROM numbers WHERE number = '1'; \
             INSERT INTO trunks (name, sources) VALUES ('bench', '127.0.0.0/8'); \
             INSERT INTO numbers (number, is_sip, voice_url, status_callback) VALUES ('1', TRUE, '{voice}', '{status}')"
        ),
    );
    live(subject, generation);
}

/// A thousand numbers in a fresh store.
pub fn thousand(subject: &Subject) {
    sql(
        subject,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 998) \
         INSERT INTO numbers (number, voice_url) SELECT '+1' || (2010000000 + i * 79), 'http://127.0.0.1:9/voice' FROM n",
    );
}
