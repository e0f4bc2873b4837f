//! Embedded migrations: applied in order, once, in one transaction.
//!
//! A program and the schema it finds need not be of one release: nodes of two releases run on one
//! PostgreSQL while it is upgraded, and an upgrade is taken back. So steps only add, and each names the least
//! *level* of a program that can go on with the schema once it is applied; a program's level is how many steps of
//! that family it knows. One that meets steps of a later release runs when its level suffices for all of
//! them, and refuses otherwise, before it has changed anything. What a step must keep true: statements name
//! their columns, a new column has a default or may be null, nothing is renamed, dropped or narrowed.
//!
//! A script is common to both servers where it can be. The few words they spell differently stand
//! in it as `{{word}}` and are put in here; triggers have a file per server.

use ring::digest;

use crate::store::entity::{SECRET, TABLES, is_logged, of_table};
use crate::store::error::{Result, StoreError};
use crate::store::sql::{Database, Purpose, Tx, Value};
use crate::store::table::Table;

/// One step of a schema.
#[derive(Debug)]
pub(crate) struct Migration {
    name: &'static str,
    /// The least level of a program that works with the schema from here on.
    reader: usize,
    sqlite: &'static str,
    postgres: &'static str,
}

const fn common(name: &'static str, reader: usize, script: &'static str) -> Migration {
    Migration { name, reader, sqlite: script, postgres: script }
}

/// The level of the first release: nobody without all of its steps ever ran.
const FIRST: usize = 6;

/// The tables that people edit.
pub(crate) const DIRECTORY: &[Migration] = &[
    common("directory 1: tables", FIRST, include_str!("migrations/common/0001_directory.sql")),
    Migration {
        name: "directory 2: change log",
        reader: FIRST,
        sqlite: include_str!("migrations/sqlite/0002_change_log.sql"),
        postgres: include_str!("migrations/postgres/0002_change_log.sql"),
    },
    common(
        "directory 3: application references",
        FIRST,
        include_str!("migrations/common/0003_application_references.sql"),
    ),
    common("directory 4: number kinds", FIRST, include_str!("migrations/common/0004_number_kinds.sql")),
    common("directory 5: sessions", FIRST, include_str!("migrations/common/0005_sessions.sql")),
    common("directory 6: idempotency", FIRST, include_str!("migrations/common/0006_idempotency.sql")),
];

/// The projection of the journal.
pub(crate) const CALLS: &[Migration] =
    &[common("calls 1: tables", 1, include_str!("migrations/common/0001_calls.sql"))];

/// What the servers spell differently: the word, SQLite's text, PostgreSQL's.
const WORDS: [(&str, &str, &str); 3] = [
    // Texts in the order of their bytes, whatever the server's language.
    ("{{bytes}}", "COLLATE BINARY", "COLLATE \"C\""),
    ("{{new_id}}", "lower(hex(randomblob(16)))", "replace(gen_random_uuid()::text, '-', '')"),
    (
        "{{now}}",
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        r#"to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#,
    ),
];

/// Brings a database to the last step; what was applied, empty when nothing was due.
pub(crate) async fn migrate(database: &Database, steps: &'static [Migration]) -> Result<Vec<&'static str>> {
    let mut tx = begin(database).await?;
    refuse_newer(&mut tx, steps).await?;
    let mut applied = Vec::new();
    for step in steps {
        if apply(&mut tx, step).await? {
            applied.push(step.name);
        }
    }
    tx.commit().await?;
    Ok(applied)
}

/// The steps that [`migrate`] would apply. Nothing is written.
pub(crate) async fn due(database: &Database, steps: &'static [Migration]) -> Result<Vec<&'static str>> {
    let mut tx = begin(database).await?;
    refuse_newer(&mut tx, steps).await?;
    let known = tx.rows("SELECT name FROM schema_steps", &[]).await?;
    let known: Vec<&str> = known.iter().filter_map(|row| row.text(0).ok().flatten()).collect();
    Ok(steps.iter().map(|step| step.name).filter(|name| !known.contains(name)).collect())
}

/// A transaction that nobody else's migration runs beside, in which the list of steps is there.
async fn begin(database: &Database) -> Result<Tx> {
    let mut tx = database.begin(Purpose::Write).await?;
    if let Tx::Postgres(_) = tx {
        // Several routers may start at once; SQLite's write lock is taken already.
        tx.rows("SELECT pg_advisory_xact_lock(4846791580151137063)", &[]).await?;
    }
    tx.script(
        "CREATE TABLE IF NOT EXISTS schema_steps \
         (name TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, reader BIGINT NOT NULL)"
            .to_owned(),
    )
    .await?;
    Ok(tx)
}

/// What SQLite's triggers keep of a row: `{{whole TABLE}}` all of the row at hand, `{{OLD whole TABLE}}` of the one
/// before, `{{OLD part TABLE}}` the same without the secrets that stay. PostgreSQL makes them of any row by itself.
fn with_images<T: Table>(script: String) -> String {
    let object = |row: &str, secrets: bool| {
        let wanted = T::COLUMNS.iter().filter(|column| secrets || is_logged(column));
        let members: Vec<String> = wanted.map(|column| format!("'{column}', {row}{column}")).collect();
        // A patch leaves out what is null.
        format!("json_patch('{{}}', json_object({}))", members.join(", "))
    };
    script
        .replace(&format!("{{{{OLD whole {}}}}}", T::NAME), &object("OLD.", true))
        .replace(&format!("{{{{OLD part {}}}}}", T::NAME), &object("OLD.", false))
        .replace(&format!("{{{{whole {}}}}}", T::NAME), &object("", true))
}

fn sqlite_script(step: &Migration) -> String {
    let mut script = WORDS.iter().fold(step.sqlite.to_owned(), |s, (word, text, _)| s.replace(word, text));
    for table in TABLES {
        script = of_table!(table, Row => with_images::<Row>(script), else script);
    }
    script
}

async fn apply(tx: &mut Tx, step: &Migration) -> Result<bool> {
    // Of the text as it stands here: what is put into it follows from the columns that this release knows.
    let (written, script) = match tx {
        Tx::Sqlite(_) => (step.sqlite, sqlite_script(step)),
        Tx::Postgres(_) => {
            let script =
                WORDS.iter().fold(step.postgres.to_owned(), |s, (word, _, text)| s.replace(word, text));
            let left_out = SECRET.iter().filter(|column| !is_logged(column));
            let left_out: Vec<String> = left_out.map(|column| format!("'{column}'")).collect();
            (step.postgres, script.replace("{{secrets}}", &left_out.join(", ")))
        }
    };
    let digest = Value::Text(Some(short_digest(written)));
    let name = Value::Text(Some(step.name.to_owned()));
    let known =
        tx.rows("SELECT digest FROM schema_steps WHERE name = $1", std::slice::from_ref(&name)).await?;
    if let Some(row) = known.first() {
        if row.text(0).ok().flatten() != text_of(&digest) {
            return Err(StoreError::Schema(format!("`{}` was applied with another text", step.name)));
        }
        return Ok(false);
    }
    tx.script(script).await?;
    let reader = Value::Int(Some(step.reader as i64));
    let sql = "INSERT INTO schema_steps (name, digest, reader) VALUES ($1, $2, $3)";
    tx.execute(sql, &[name, digest, reader]).await?;
    Ok(true)
}

/// A step of ours that this program does not know was made by a later one: it is refused where it needs more
/// than this program is.
async fn refuse_newer(tx: &mut Tx, steps: &'static [Migration]) -> Result<()> {
    let family = steps[0].name.split(' ').next().unwrap_or_default();
    for row in tx.rows("SELECT name, reader FROM schema_steps ORDER BY name", &[]).await? {
        let name = row.text(0).ok().flatten().unwrap_or_default();
        let is_ours = name.split(' ').next() == Some(family);
        let reader = usize::try_from(row.count(1)?).unwrap_or(usize::MAX);
        if is_ours && reader > steps.len() && !steps.iter().any(|step| step.name == name) {
            return Err(StoreError::Schema(format!(
                "a newer callgate applied `{name}`, which one that knows only {} of the `{family}` steps cannot work with: \
                 run that release, or restore the backup made before it",
                steps.len()
            )));
        }
    }
    Ok(())
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => text.as_deref(),
        _ => None,
    }
}

fn short_digest(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
