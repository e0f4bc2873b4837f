//! Writing many rows in one transaction: all of them or none, one after the other in the audit.

use jiff::Timestamp;

use crate::ids::{AccountSid, NumberSid};
use crate::routing::model::Status;
use crate::store::audit::Entry;
use crate::store::column::{Column, Word};
use crate::store::entity::Entity;
use crate::store::error::{Result, StoreError};
use crate::store::open::Store;
use crate::store::rows::{AccountRow, NumberRow, NumberState};
use crate::store::secrets::random_id;
use crate::store::sql::{Row, Sql, Tx};
use crate::store::table::Table;
use crate::store::write::existing;

/// How many values one statement takes: SQLite's limit is 32,766.
const VALUES: usize = 16_000;

/// How many refused rows of an import its entry of the audit tells of.
const REFUSED_TOLD: usize = 100;

/// What a bulk write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many<T> {
    /// The rows as they stand.
    pub rows: Vec<T>,
    /// The generation that shows them.
    pub generation: u64,
}

impl Store {
    /// Creates `rows`, the ones of `instead` being removed before, in one transaction. An id of 0 is
    /// replaced by a random one; dates are now.
    ///
    /// # Errors
    /// As [`Store::create`]; [`StoreError::NotFound`] for one of `instead` that is gone.
    /// Nothing is written then.
    pub async fn create_many<T: Entity>(
        &self,
        actor: &str,
        instead: &[T::Id],
        mut rows: Vec<T>,
    ) -> Result<Many<T>> {
        let mut tx = self.writers_turn().await?;
        let generation = create_in(&mut tx, actor, instead, &mut rows).await?;
        tx.commit().await?;
        Ok(Many { rows, generation })
    }

    /// Creates numbers of the inventory, which have nothing but text, kind and state, in one transaction and
    /// with one entry of the audit for all.
    /// `refused` are the others of the request: their places in it, and why.
    ///
    /// # Errors
    /// As [`Store::create_many`].
    pub async fn create_stock(
        &self,
        actor: &str,
        mut rows: Vec<NumberRow>,
        refused: &[(usize, String)],
    ) -> Result<Many<NumberRow>> {
        const HEAD: &str = "INSERT INTO numbers \
            (id, account_id, organization_id, number, is_sip, state, created_at, updated_at)";
        let now = Timestamp::now();
        for row in &mut rows {
            row.set_id(random_id()?);
            row.stamp(now, now);
        }
        let mut tx = self.writers_turn().await?;
        for batch in rows.chunks(VALUES / 8) {
            let columns = |row: &NumberRow| {
                [
                    row.id.bind(),
                    row.account_id.bind(),
                    row.organization_id.bind(),
                    row.number.bind(),
                    row.is_sip.bind(),
                    row.state.bind(),
                    row.created_at.bind(),
                    row.updated_at.bind(),
                ]
            };
            tx.insert(HEAD, 8, batch.iter().flat_map(columns).collect(), "").await?;
        }
        let ids: Vec<String> = rows.iter().map(|row| row.id.word()).collect();
        let texts = || rows.iter().map(|row| row.number.as_str());
        let told: Vec<_> = refused
            .iter()
            .take(REFUSED_TOLD)
            .map(|(row, problem)| serde_json::json!({ "row": row, "problem": problem }))
            .collect();
        let entry = rows.first().map(|first| Entry {
            action: "import",
            rows: rows.len() as u64,
            table: NumberRow::NAME,
            id: first.id.word(),
            before: None,
            after: Some(
                serde_json::json!({
                    "numbers": rows.len(), "lowest": texts().min(), "highest": texts().max(),
                    "refused": refused.len(), "first_refused": told, "ids": ids,
                })
                .to_string(),
            ),
        });
        let generation = tx.note(actor, entry.into_iter().collect()).await?;
        tx.commit().await?;
        Ok(Many { rows, generation })
    }

    /// Creates `rows` as [`Store::create_many`] does and changes those of `ids` as [`Store::modify_many`]
    /// does, in one transaction.
    ///
    /// # Errors
    /// As both.
    pub async fn upsert_many<T: Entity, E: From<StoreError>>(
        &self,
        actor: &str,
        (instead, mut rows): (&[T::Id], Vec<T>),
        ids: &[T::Id],
        mut change: impl FnMut(&mut T) -> std::result::Result<(), E> + Send,
    ) -> std::result::Result<(Many<T>, Vec<T>), E> {
        let mut tx = self.writers_turn().await?;
        let changed = modify_in(&mut tx, actor, ids, &mut change).await?;
        let created = create_in(&mut tx, actor, instead, &mut rows).await?;
        tx.commit().await?;
        Ok((Many { rows, generation: created }, changed.rows))
    }

    /// Changes many rows in one transaction, in the order of `ids`; `change` sees each as it stands. A row
    /// that is gone is passed over.
    ///
    /// # Errors
    /// As [`Store::modify`], or what `change` refuses; nothing is written then.
    pub async fn modify_many<T: Entity, E: From<StoreError>>(
        &self,
        actor: &str,
        ids: &[T::Id],
        mut change: impl FnMut(&mut T) -> std::result::Result<(), E> + Send,
    ) -> std::result::Result<Many<T>, E> {
        let mut tx = self.writers_turn().await?;
        let many = modify_in(&mut tx, actor, ids, &mut change).await?;
        tx.commit().await?;
        Ok(many)
    }

    /// Makes a number its account's main one, which is shared from then on; the former one stays shared.
    /// `None`: it is not the account's, or nobody's, and nothing is written.
    ///
    /// # Errors
    /// The database is away.
    pub async fn choose_main(
        &self,
        actor: &str,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<Option<Many<NumberRow>>> {
        const FORMER: &str = "SELECT id FROM numbers WHERE account_id = $1 AND main AND id <> $2";
        const CHOSEN: &str = "SELECT id FROM numbers WHERE account_id = $1 AND id = $2 AND ";
        let values = [account.bind(), sid.bind()];
        let mut tx = self.writers_turn().await?;
        if tx.rows(Sql::of(&[CHOSEN, NumberState::HELD]), &values).await?.is_empty() {
            return Ok(None);
        }
        let former = tx.rows(FORMER, &values).await?;
        let mut ids = sids(&former);
        ids.push(sid);
        let mut choose = |row: &mut NumberRow| {
            row.main = row.id == sid;
            row.shared |= row.main;
            Ok::<(), StoreError>(())
        };
        let many = modify_in(&mut tx, actor, &ids, &mut choose).await?;
        tx.commit().await?;
        Ok(Some(many))
    }

    /// Gives accounts a status; with `release`, that is done to every number they have, as well. One
    /// transaction, however many numbers there are. The generation, where anything was written.
    ///
    /// # Errors
    /// As [`Store::modify_many`].
    pub async fn set_status(
        &self,
        actor: &str,
        accounts: &[AccountSid],
        status: Status,
        release: Option<fn(&mut NumberRow)>,
    ) -> Result<Option<u64>> {
        const SOME: &str = "SELECT id, number FROM numbers WHERE account_id = $1 AND number >= $2 AND ";
        let mut generation = None;
        let mut tx = self.writers_turn().await?;
        let mut give = |row: &mut AccountRow| {
            row.status = status;
            Ok::<(), StoreError>(())
        };
        if !accounts.is_empty() {
            generation = Some(modify_in(&mut tx, actor, accounts, &mut give).await?.generation);
        }
        for account in accounts.iter().filter(|_| release.is_some()) {
            let mut after = String::new();
            loop {
                let sql = Sql::of(&[SOME, NumberState::HELD, "ORDER BY number LIMIT 500"]);
                let held = tx.rows(sql, &[account.bind(), after.bind()]).await?;
                let ids = sids(&held);
                let Some(last) = held.last() else { break };
                last.text(1).ok().flatten().unwrap_or_default().clone_into(&mut after);
                let mut give_back = |row: &mut NumberRow| {
                    release.into_iter().for_each(|release| release(row));
                    Ok::<(), StoreError>(())
                };
                generation = Some(modify_in(&mut tx, actor, &ids, &mut give_back).await?.generation);
            }
        }
        tx.commit().await?;
        Ok(generation)
    }

    /// Deletes many rows in one transaction; those that are gone are passed over. How many there were, and
    /// the generation without them.
    ///
    /// # Errors
    /// As [`Store::delete`]; nothing is deleted then.
    pub async fn delete_many<T: Entity>(&self, actor: &str, ids: &[T::Id]) -> Result<(u64, u64)> {
        let mut tx = self.writers_turn().await?;
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            let before = match existing::<T>(&mut tx, *id).await {
                Err(StoreError::NotFound { .. }) => continue,
                other => other?,
            };
            tx.execute(T::DELETE, &[id.bind()]).await?;
            entries.push(Entry::of("delete", *id, Some(&before), None));
        }
        let deleted = entries.len() as u64;
        let generation = tx.note(actor, entries).await?;
        tx.commit().await?;
        Ok((deleted, generation))
    }
}

/// The numbers whose ids came back.
fn sids(rows: &[Row]) -> Vec<NumberSid> {
    rows.iter().filter_map(|row| NumberSid::of_word(row.text(0).ok().flatten()?)).collect()
}

async fn create_in<T: Entity>(tx: &mut Tx, actor: &str, instead: &[T::Id], rows: &mut [T]) -> Result<u64> {
    let now = Timestamp::now();
    for row in &mut *rows {
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        row.stamp(now, now);
    }
    let mut entries = Vec::with_capacity(instead.len() + rows.len());
    for id in instead {
        let before = existing::<T>(tx, *id).await?;
        tx.execute(T::DELETE, &[id.bind()]).await?;
        entries.push(Entry::of("delete", *id, Some(&before), None));
    }
    let columns = T::COLUMNS.len();
    for batch in rows.chunks(VALUES / columns) {
        let values = batch.iter().flat_map(T::values).collect();
        tx.insert(T::INSERT_INTO, columns, values, "").await?;
    }
    entries.extend(rows.iter().map(|row| Entry::of("create", row.id(), None, Some(row))));
    tx.note(actor, entries).await
}

async fn modify_in<T: Entity, E: From<StoreError>>(
    tx: &mut Tx,
    actor: &str,
    ids: &[T::Id],
    change: &mut (impl FnMut(&mut T) -> std::result::Result<(), E> + Send),
) -> std::result::Result<Many<T>, E> {
    let mut entries = Vec::with_capacity(ids.len());
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let before = match existing::<T>(tx, *id).await {
            Err(StoreError::NotFound { .. }) => continue,
            other => other?,
        };
        let mut row = before.clone();
        change(&mut row)?;
        row.stamp(before.created(), Timestamp::now());
        let mut values = row.values();
        values[0] = id.bind();
        tx.execute(T::UPDATE, &values).await?;
        let row = existing::<T>(tx, *id).await?;
        entries.push(Entry::of("update", *id, Some(&before), Some(&row)));
        rows.push(row);
    }
    let generation = tx.note(actor, entries).await?;
    Ok(Many { rows, generation })
}
