//! Writing the projection: one batch, one transaction, idempotent by call and sequence.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::ids::InstanceSid;
use crate::store::calls::rows::{AttemptRow, CallRow, DeliveryRow, EventRow, LegRow, TraceRow};
use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::open::Store;
use crate::store::sql::{Purpose, Tx};
use crate::store::table::Table;

/// What a stretch of the journal comes to, in net form.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Calls as their newest record leaves them.
    pub calls: Vec<CallRow>,
    /// Their targets' legs, likewise.
    pub legs: Vec<LegRow>,
    /// Their records in words.
    pub events: Vec<EventRow>,
    /// Deliveries as their newest outcome leaves them.
    pub deliveries: Vec<DeliveryRow>,
    /// HTTP tries, but for first ones that were taken.
    pub attempts: Vec<AttemptRow>,
    /// Lines of traces.
    pub trace: Vec<TraceRow>,
}

impl Batch {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.legs.is_empty()
            && self.events.is_empty()
            && self.deliveries.is_empty()
            && self.attempts.is_empty()
            && self.trace.is_empty()
    }
}

impl Store {
    /// Writes a batch, and that `node`'s journal is projected up to `position`. The same batch may
    /// come again, and older ones after newer ones: the tables end the same.
    ///
    /// # Errors
    /// The database is away or refuses; nothing of the batch is written then.
    pub async fn project(&self, node: InstanceSid, position: u64, batch: &Batch) -> Result<()> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        insert(&mut tx, newest_first(&batch.calls, |row| (row.id, row.sequence)), CALLS).await?;
        insert(&mut tx, newest_first(&batch.legs, |row| (row.id, row.sequence)), LEGS).await?;
        insert(&mut tx, unique(&batch.events, |row| (row.call_id, row.sequence)), NOTHING).await?;
        let deliveries = newest_first(&batch.deliveries, |row| (row.id.as_str(), row.revision));
        insert(&mut tx, deliveries, DELIVERIES).await?;
        let attempts = unique(&batch.attempts, |row| (row.delivery_id.as_str(), row.attempt));
        insert(&mut tx, attempts, NOTHING).await?;
        insert(&mut tx, unique(&batch.trace, |row| (row.call_id, row.line)), NOTHING).await?;
        tx.execute(
            "INSERT INTO projected (node, position) VALUES ($1, $2) ON CONFLICT (node) \
             DO UPDATE SET position = excluded.position WHERE excluded.position > projected.position",
            &[node.bind(), position.bind()],
        )
        .await?;
        tx.commit().await
    }

    /// Up to where `node`'s journal is projected; `None`: nothing of it yet.
    ///
    /// # Errors
    /// The database is away.
    pub async fn projected(&self, node: InstanceSid) -> Result<Option<u64>> {
        let rows = self.calls.rows("SELECT position FROM projected WHERE node = $1", &[node.bind()]).await?;
        Ok(rows.first().map(|row| row.count(0)).transpose()?.and_then(|at| u64::try_from(at).ok()))
    }
}

const CALLS: &str = " ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, status = excluded.status, \
     answered_at = excluded.answered_at, ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, \
     sip_code = excluded.sip_code, reason = excluded.reason, hangup_source = excluded.hangup_source \
     WHERE excluded.sequence > calls.sequence";

const LEGS: &str = " ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, status = excluded.status, \
     answered_at = excluded.answered_at, ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, \
     sip_code = excluded.sip_code WHERE excluded.sequence > legs.sequence";

/// A replay asked for meanwhile has raised the revision: what the journal knew before it is older.
const DELIVERIES: &str = " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, \
     node = excluded.node, state = excluded.state, attempts = excluded.attempts, \
     next_attempt_at = excluded.next_attempt_at, finished_at = excluded.finished_at, \
     last_error = excluded.last_error, first_at = excluded.first_at, \
     first_http_status = excluded.first_http_status, first_took_ms = excluded.first_took_ms WHERE excluded.revision > deliveries.revision";

const NOTHING: &str = " ON CONFLICT DO NOTHING";

/// SQLite binds at most 32,766 values, PostgreSQL 65,535.
const VALUES_AT_MOST: usize = 32_000;

/// Many rows a statement. Counts are powers of two, so that few statements have to be prepared.
async fn insert<T: Table>(tx: &mut Tx, rows: Vec<&T>, conflict: &'static str) -> Result<()> {
    let columns = T::COLUMNS.len();
    let most = (VALUES_AT_MOST / columns).min(256);
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let fits = rest.len().min(most);
        let count = 1 << fits.ilog2();
        let (now, later) = rest.split_at(count);
        let mut values = Vec::with_capacity(count * columns);
        now.iter().for_each(|row| row.put(&mut values));
        tx.insert(T::INSERT_INTO, columns, values, conflict).await?;
        rest = later;
    }
    Ok(())
}

/// One row per key: a statement may not touch a row twice.
fn unique<'r, T, K: std::hash::Hash + Eq>(rows: &'r [T], key: impl Fn(&'r T) -> K) -> Vec<&'r T> {
    let mut seen = HashSet::with_capacity_and_hasher(rows.len(), RandomState::default());
    rows.iter().filter(|row| seen.insert(key(row))).collect()
}

/// The newest row per identity.
fn newest_first<'r, T, K: std::hash::Hash + Eq>(
    rows: &'r [T],
    key: impl Fn(&'r T) -> (K, u32),
) -> Vec<&'r T> {
    let mut newest = HashMap::with_capacity_and_hasher(rows.len(), RandomState::default());
    for (at, row) in rows.iter().enumerate() {
        let (id, version) = key(row);
        let held = newest.entry(id).or_insert((version, at));
        if version >= held.0 {
            *held = (version, at);
        }
    }
    let mut places: Vec<usize> = newest.into_values().map(|(_, at)| at).collect();
    places.sort_unstable();
    places.into_iter().map(|at| &rows[at]).collect()
}
