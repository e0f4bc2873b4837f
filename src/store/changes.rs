//! What changed since a generation: the change log's entries and the rows they name, no others.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{NumberSid, OrganizationSid};
use crate::routing::model::{Delta, Frame, Number, NumberKey};
use crate::store::column::{Column, Word};
use crate::store::error::{BadRow, Result};
use crate::store::load::{FrameRows, read_frame};
use crate::store::mark::Mark;
use crate::store::model::{NumberReader, RoutedRow};
use crate::store::open::Store;
use crate::store::rows::NumberState;
use crate::store::sql::{Purpose, Row, Sql, Tx};
use crate::store::table::Table;

/// What happened since a generation.
#[derive(Debug)]
pub enum Changes {
    /// Nothing.
    None,
    /// This.
    Step(Box<Step>),
    /// More than a step can say: load everything.
    Everything(&'static str),
}

/// One step to a newer generation.
#[derive(Debug)]
pub struct Step {
    /// The generation it leads to.
    pub mark: Mark,
    /// What to change. Keys in `removed` may name rows that were never there: a row that came and
    /// went in between.
    pub delta: Delta,
    /// The frame's rows as they stood, where the frame changed.
    pub kept: Option<FrameRows>,
    /// Changed rows that cannot be used; whatever they were before is removed.
    pub bad: Vec<BadRow>,
}

/// More entries than this are quicker read as a full load.
const ENTRIES_AT_MOST: i64 = 200_000;

impl Store {
    /// What changed since `generation`, as of one moment.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn changes_since(&self, generation: u64) -> Result<Changes> {
        let mut tx = self.directory.begin(Purpose::Snapshot).await?;
        changes(self, &mut tx, generation).await
    }

    /// The same for a directory that was kept on disk, where the change log still has the change that it ends with.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn changes_since_kept(&self, kept: &Mark) -> Result<Changes> {
        let mut tx = self.directory.begin(Purpose::Snapshot).await?;
        let found = tx.mark_of(kept.generation).await?;
        if kept.change.is_empty() || found != *kept {
            return Ok(Changes::Everything(
                "the change log does not have the change that the disk's directory ends with",
            ));
        }
        changes(self, &mut tx, kept.generation).await
    }

    /// The newest generation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn generation(&self) -> Result<u64> {
        let rows = self.directory.rows("SELECT number FROM generation", &[]).await?;
        let number = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(number).unwrap_or(0))
    }

    /// Forgets entries older than `age`, never the newest; how many. A router that slept longer
    /// loads everything.
    ///
    /// # Errors
    /// The database is away.
    pub async fn prune_change_log(&self, age: SignedDuration) -> Result<u64> {
        let before = Timestamp::now() - age;
        let mut tx = self.directory.begin(Purpose::Write).await?;
        let pruned = tx
            .execute(
                "DELETE FROM change_log WHERE at < $1 AND generation < (SELECT number FROM generation)",
                &[before.bind()],
            )
            .await?;
        tx.execute("DELETE FROM changes WHERE first < (SELECT min(generation) FROM change_log)", &[]).await?;
        tx.commit().await?;
        Ok(pruned)
    }
}

/// Why the change log cannot say what happened since a generation, where it cannot.
pub(crate) async fn unsteppable(tx: &mut Tx, generation: u64) -> Result<Option<&'static str>> {
    let rows = tx
        .rows(
            "SELECT count(*), min(generation), sum(CASE kind WHEN 'everything' THEN 1 ELSE 0 END) \
             FROM change_log WHERE generation > $1",
            &[generation.bind()],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(Some("the change log is gone")) };
    let (entries, oldest) = (row.count(0)?, row.count(1)?);
    Ok(if entries == 0 || u64::try_from(oldest) != Ok(generation + 1) {
        Some("the change log no longer reaches back to the directory's generation")
    } else if row.count(2)? > 0 {
        Some("a table was emptied, or a statement changed very many rows")
    } else if entries > ENTRIES_AT_MOST {
        Some("very many rows changed")
    } else {
        None
    })
}

async fn changes(store: &Store, tx: &mut Tx, since: u64) -> Result<Changes> {
    let newest = tx.generation().await?;
    if newest == since {
        return Ok(Changes::None);
    }
    if newest < since {
        return Ok(Changes::Everything("the database is older than the directory"));
    }
    if let Some(why) = unsteppable(tx, since).await? {
        return Ok(Changes::Everything(why));
    }
    read_step(store, tx, since, newest).await.map(|step| Changes::Step(Box::new(step)))
}

async fn read_step(store: &Store, tx: &mut Tx, since: u64, newest: u64) -> Result<Step> {
    let mark = tx.mark_of(newest).await?;
    let mut bad = Vec::new();
    let since = [since.bind()];
    let framed =
        tx.rows("SELECT 1 FROM change_log WHERE generation > $1 AND kind = 'frame' LIMIT 1", &since).await?;
    let kept = if framed.is_empty() { None } else { Some(read_frame(tx, &mut bad).await?) };
    let frame: Option<Frame> = kept.as_ref().map(|kept| kept.frame(&store.vault, &mut bad));
    let logged = tx
        .rows(
            "SELECT DISTINCT id, organization_id, number FROM change_log \
             WHERE generation > $1 AND kind = 'number'",
            &since,
        )
        .await?;
    let sql = Sql::of(&[
        RoutedRow::SELECT,
        "WHERE id IN (SELECT id FROM change_log WHERE generation > $1 AND kind = 'number') AND ",
        NumberState::HELD,
    ]);
    let mut reader = NumberReader::default();
    let mut written = Vec::new();
    let take = |row: Row| match reader.read(&row) {
        Ok(number) => written.push(number),
        Err(row) => bad.push(row),
    };
    tx.each(sql, &since, take).await?;
    let removed = removed(&logged, &written);
    Ok(Step { mark, delta: Delta { removed, written, frame }, kept, bad })
}

/// The logged keys that no longer lead to the row they named.
fn removed(logged: &[Row], written: &[Number]) -> Vec<NumberKey> {
    let now: HashMap<NumberSid, &Number> = written.iter().map(|number| (number.sid, number)).collect();
    let keys = logged.iter().filter_map(|row| {
        let organization = row.text(1).ok().flatten()?;
        Some(NumberKey {
            sid: NumberSid::of_word(row.text(0).ok().flatten()?)?,
            organization: OrganizationSid::of_word(organization)?,
            text: row.text(2).ok().flatten()?.into(),
        })
    });
    keys.filter(|key| {
        now.get(&key.sid).is_none_or(|row| row.text != key.text || row.organization != key.organization)
    })
    .collect()
}
