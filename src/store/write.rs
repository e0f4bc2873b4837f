//! Writing what people edit: create, change, delete, each with its audit entry and the generation
//! it will be live in, in one transaction.

use jiff::Timestamp;

use crate::store::audit::Entry;
use crate::store::column::{Column, Word};
use crate::store::entity::Entity;
use crate::store::error::{Result, StoreError};
use crate::store::open::Store;
use crate::store::secrets::random_id;
use crate::store::sql::{Purpose, Sql, Tx};

/// A row as it stands after a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// The row, its defaults and dates filled in.
    pub row: T,
    /// The generation of the directory that shows it.
    pub generation: u64,
}

impl Store {
    /// Creates a row. An id of 0 is replaced by a random one; dates are now.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`], [`StoreError::Constraint`], or the database is away.
    pub async fn create<T: Entity>(&self, actor: &str, mut row: T) -> Result<Written<T>> {
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        let now = Timestamp::now();
        row.stamp(now, now);
        let mut tx = self.writers_turn().await?;
        tx.execute(T::INSERT, &row.values()).await?;
        finish(tx, actor, None, row.id()).await
    }

    /// Reads a row.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn read<T: Entity>(&self, id: T::Id) -> Result<Option<T>> {
        let rows = self.directory.rows(Sql::of(&[T::SELECT, BY_ID]), &[id.bind()]).await?;
        Ok(rows.first().map(T::read).transpose()?)
    }

    /// Changes a row: `change` sees it as it stands and edits it, alone among writers.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Duplicate`], [`StoreError::Constraint`], or the
    /// database is away.
    pub async fn modify<T: Entity>(
        &self,
        actor: &str,
        id: T::Id,
        change: impl FnOnce(&mut T) + Send,
    ) -> Result<Written<T>> {
        let mut tx = self.writers_turn().await?;
        let before = existing::<T>(&mut tx, id).await?;
        let mut row = before.clone();
        change(&mut row);
        row.stamp(before.created(), Timestamp::now());
        let mut values = row.values();
        // An identity never changes.
        values[0] = id.bind();
        tx.execute(T::UPDATE, &values).await?;
        finish(tx, actor, Some(&before), id).await
    }

    /// As [`Store::modify`], unless `change` refuses: then nothing is written, and its refusal is inside.
    ///
    /// # Errors
    /// As [`Store::modify`].
    pub async fn change<T: Entity, E: Send>(
        &self,
        actor: &str,
        id: T::Id,
        change: impl FnOnce(&mut T) -> Result<(), E> + Send,
    ) -> Result<Result<Written<T>, E>> {
        let mut tx = self.writers_turn().await?;
        let before = existing::<T>(&mut tx, id).await?;
        let mut row = before.clone();
        if let Err(refusal) = change(&mut row) {
            return Ok(Err(refusal));
        }
        row.stamp(before.created(), Timestamp::now());
        let mut values = row.values();
        values[0] = id.bind();
        tx.execute(T::UPDATE, &values).await?;
        finish(tx, actor, Some(&before), id).await.map(Ok)
    }

    /// Writes a whole row over the one with its id; its creation date stays.
    ///
    /// # Errors
    /// As [`Store::modify`].
    pub async fn update<T: Entity>(&self, actor: &str, row: T) -> Result<Written<T>> {
        self.modify(actor, row.id(), |old| *old = row.clone()).await
    }

    /// Puts `row`, as new, in the place of the row `old` if `still` holds of that one at this moment.
    /// `None`: it does not, or it is gone, and nothing was written.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub async fn replace<T: Entity>(
        &self,
        actor: &str,
        old: T::Id,
        still: impl FnOnce(&T) -> bool + Send,
        mut row: T,
    ) -> Result<Option<Written<T>>> {
        row.set_id(random_id()?);
        let now = Timestamp::now();
        row.stamp(now, now);
        let mut tx = self.writers_turn().await?;
        let before = match existing::<T>(&mut tx, old).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        if !still(&before) {
            return Ok(None);
        }
        tx.execute(T::DELETE, &[old.bind()]).await?;
        tx.note(actor, vec![Entry::of("delete", old, Some(&before), None)]).await?;
        tx.execute(T::INSERT, &row.values()).await?;
        finish(tx, actor, None, row.id()).await.map(Some)
    }

    /// Deletes a row; the generation without it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Constraint`] where others still need it, or the
    /// database is away.
    pub async fn delete<T: Entity>(&self, actor: &str, id: T::Id) -> Result<u64> {
        let mut tx = self.writers_turn().await?;
        let before = existing::<T>(&mut tx, id).await?;
        tx.execute(T::DELETE, &[id.bind()]).await?;
        let generation = tx.note(actor, vec![Entry::of("delete", id, Some(&before), None)]).await?;
        tx.commit().await?;
        Ok(generation)
    }

    /// Begins a transaction in which no other writer of this program is active. PostgreSQL holds
    /// the row until commit; SQLite has one writer at a time anyway. The row says where the transaction began.
    pub(crate) async fn writers_turn(&self) -> Result<Tx> {
        const TURN: &str =
            "UPDATE store SET value = (SELECT CAST(number AS TEXT) FROM generation) WHERE name = 'writers'";
        let mut tx = self.directory.begin(Purpose::Write).await?;
        tx.execute(TURN, &[]).await?;
        Ok(tx)
    }
}

const BY_ID: &str = " WHERE id = $1";

pub(crate) async fn existing<T: Entity>(tx: &mut Tx, id: T::Id) -> Result<T> {
    let found = standing::<T>(tx, id).await?;
    found.ok_or_else(|| StoreError::NotFound { table: T::NAME, id: id.word() })
}

/// A row as it stands; `None`: there is none.
pub(crate) async fn standing<T: Entity>(tx: &mut Tx, id: T::Id) -> Result<Option<T>> {
    let rows = tx.rows(Sql::of(&[T::SELECT, BY_ID]), &[id.bind()]).await?;
    Ok(rows.first().map(T::read).transpose()?)
}

/// Reads back what triggers made of the row, writes the audit entry and commits.
async fn finish<T: Entity>(mut tx: Tx, actor: &str, before: Option<&T>, id: T::Id) -> Result<Written<T>> {
    let row = existing::<T>(&mut tx, id).await?;
    let action = if before.is_some() { "update" } else { "create" };
    let generation = tx.note(actor, vec![Entry::of(action, id, before, Some(&row))]).await?;
    tx.commit().await?;
    Ok(Written { row, generation })
}

impl Tx {
    /// The newest generation this transaction sees; its own, where it changed something.
    pub(crate) async fn generation(&mut self) -> Result<u64> {
        let rows = self.rows("SELECT number FROM generation", &[]).await?;
        let number = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(number).unwrap_or(0))
    }
}
