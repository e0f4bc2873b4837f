//! Tables that operators edit row by row: one way to create, change, remove and list them all.

use std::future::Future;

use crate::store::{Listed, Named, OrganizationRow, Page, StoreError};

use super::{Principal, Result, Service, ServiceError, Written, check_name};
use crate::ids::OrganizationSid;

/// A table whose rows have a name of the operator's.
pub trait Operated: Named {
    /// What one row is called.
    const KIND: &'static str;

    /// A row that nothing was said about.
    fn blank() -> Self;

    /// Its name.
    fn name(&self) -> &str;

    /// Seals the secrets that were just given.
    ///
    /// # Errors
    /// The system has no randomness.
    fn seal(&mut self, _service: &Service) -> Result<()> {
        Ok(())
    }

    /// Refuses what it may not hold; answers what is doubtful about it.
    fn check(&self, service: &Service) -> impl Future<Output = Result<Vec<String>>> + Send;
}

impl Service {
    /// Creates a row.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, or [`ServiceError::Taken`] for the name.
    pub async fn create_row<T: Operated, E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        edit: impl Fn(&mut T) -> Result<(), E> + Sync,
    ) -> Result<Written<T>, E> {
        let mut row = T::blank();
        edit(&mut row)?;
        row.seal(self)?;
        check_operators_name(row.name())?;
        let warnings = row.check(self).await?;
        let name = row.name().to_owned();
        let written = self.store.create(&who.actor(), row).await.map_err(|error| taken(error, name))?;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// Changes a row, named by sid or name.
    ///
    /// # Errors
    /// As [`Service::create_row`]; [`ServiceError::NotFound`].
    pub async fn update_row<T: Operated, E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        id: &str,
        edit: impl Fn(&mut T) -> Result<(), E> + Sync,
    ) -> Result<Written<T>, E> {
        let edit = |row: &mut T| {
            edit(row)?;
            row.seal(self).map_err(E::from)
        };
        let before = self.row::<T>(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        check_operators_name(after.name())?;
        let warnings = after.check(self).await?;
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        Ok(Written { value: row, generation, warnings })
    }

    /// Removes a row, named by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn delete_row<T: Operated>(&self, who: &Principal, id: &str) -> Result<Written<()>> {
        let row = self.row::<T>(id).await?;
        let generation = self.store.delete::<T>(&who.actor(), row.id()).await?;
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// One row, by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn row<T: Operated>(&self, id: &str) -> Result<T> {
        if let Some(sid) = T::sid(id)
            && let Some(row) = self.store.read::<T>(sid).await?
        {
            return Ok(row);
        }
        let named = self.store.named::<T>(id).await?;
        named.ok_or_else(|| ServiceError::not_found(T::KIND, id))
    }

    /// All rows, oldest first.
    ///
    /// # Errors
    /// The store is away.
    pub async fn rows<T: Operated>(&self, page: Page) -> Result<Listed<T>> {
        Ok(self.store.list::<T>(page).await?)
    }

    /// Refuses an organization that is not there.
    pub(super) async fn check_organization(&self, sid: Option<OrganizationSid>) -> Result<()> {
        let Some(sid) = sid else { return Ok(()) };
        let there = self.store.read::<OrganizationRow>(sid).await?;
        let missing = || ServiceError::field("organization_sid", format!("is {sid}, which is not there"));
        there.map(drop).ok_or_else(missing)
    }
}

/// Names are typed: no spaces, no surprises.
fn check_operators_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ServiceError::field("name", "is no name: use letters, digits, `-`, `_` and `.`"));
    }
    check_name("name", name)
}

fn taken(error: StoreError, name: String) -> ServiceError {
    match error {
        StoreError::Duplicate { .. } => {
            ServiceError::Taken { field: "name", value: name, fix: "choose another" }
        }
        other => other.into(),
    }
}
