//! Tables that operators edit row by row: one way to create, change, remove and list them all.

use std::future::Future;

use crate::store::{Listed, Named, OrganizationRow, Page, StoreError};

use super::{Principal, Result, Service, ServiceError, Written, check_name};
use crate::ids::OrganizationSid;

/// A table whose rows operators edit one by one.
pub trait Operated: Named {
    /// What one row is called.
    const KIND: &'static str;

    /// A row that nothing was said about.
    fn blank() -> Self;

    /// The column that no two rows share, or by which people call a row, and what it holds.
    fn called(&self) -> (&'static str, &str);

    /// Fills in what a new row takes from others.
    ///
    /// # Errors
    /// They are not there.
    fn complete(&mut self, _service: &Service) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Seals the secrets that were just given; `before` is the row as it was.
    ///
    /// # Errors
    /// One is none, or the system has no randomness.
    fn seal(&mut self, _before: Option<&Self>, _service: &Service) -> Result<()> {
        Ok(())
    }

    /// Refuses what it may not hold; answers what is doubtful about it.
    fn check(
        &self,
        before: Option<&Self>,
        who: &Principal,
        service: &Service,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Does to other rows what goes along with a change of this one, before it is written.
    ///
    /// # Errors
    /// They refuse; then this one stays, too.
    fn spread(
        &self,
        _before: &Self,
        _who: &Principal,
        _service: &Service,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Refuses to remove it while something speaks against it.
    ///
    /// # Errors
    /// [`ServiceError::Taken`], which says what.
    fn removable(&self) -> Result<()> {
        Ok(())
    }
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
        row.complete(self).await?;
        row.seal(None, self)?;
        let warnings = row.check(None, who, self).await?;
        let (field, name) = row.called();
        let (field, name) = (field, name.to_owned());
        let written = self.store.create(&who.actor(), row).await;
        let written = written.map_err(|error| taken(error, field, name))?;
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
            let before = row.clone();
            edit(row)?;
            row.seal(Some(&before), self).map_err(E::from)
        };
        let before = self.row::<T>(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        let warnings = after.check(Some(&before), who, self).await?;
        after.spread(&before, who, self).await?;
        let (field, name) = after.called();
        let changed = self.store.change::<T, E>(&who.actor(), before.id(), &edit).await;
        let written = changed.map_err(|error| taken(error, field, name.to_owned()))??;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// Removes a row, named by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Taken`] while others need it.
    pub async fn delete_row<T: Operated>(&self, who: &Principal, id: &str) -> Result<Written<()>> {
        let row = self.row::<T>(id).await?;
        row.removable()?;
        let generation = match self.store.delete::<T>(&who.actor(), row.id()).await {
            Err(StoreError::Constraint { name }) => {
                return Err(ServiceError::Taken { field: T::KIND, value: id.to_owned(), fix: needed(&name) });
            }
            other => other?,
        };
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// One row, by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; a field for a name that several have.
    pub async fn row<T: Operated>(&self, id: &str) -> Result<T> {
        if let Some(sid) = T::sid(id)
            && let Some(row) = self.store.read::<T>(sid).await?
        {
            return Ok(row);
        }
        let mut named = self.store.named::<T>(id).await?;
        match (named.pop(), named.is_empty()) {
            (Some(row), true) => Ok(row),
            (None, _) => Err(ServiceError::not_found(T::KIND, id)),
            (Some(row), false) => {
                let problem = format!("`{id}` is the name of several: say which by its sid");
                Err(ServiceError::field(row.called().0, problem))
            }
        }
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
pub(super) fn check_operators_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ServiceError::field("name", "is no name: use letters, digits, `-`, `_` and `.`"));
    }
    check_name("name", name)
}

fn taken(error: StoreError, field: &'static str, name: String) -> ServiceError {
    match error {
        StoreError::Duplicate { .. } => ServiceError::Taken { field, value: name, fix: "choose another" },
        other => other.into(),
    }
}

/// What the database's rule says of a row that others still need.
fn needed(rule: &str) -> &'static str {
    match rule {
        "accounts_organization_exists" => "an account is in it; move or remove that one first",
        "trunks_organization_exists" => "a trunk is bound to it; change that trunk first",
        "gateways_organization_exists" => "a gateway is bound to it; change that gateway first",
        "accounts_parent_exists" => "it has sub-accounts; move or remove them first",
        "applications_account_exists" => "it has applications; remove them first",
        "numbers_account_exists" => {
            "it has numbers, be it some it gave back and may restore; remove or transfer them first"
        }
        "accounts_default_application_exists" => {
            "an account has it as its default; change that account first"
        }
        "organizations_default_application_exists" => {
            "an organization has it as its default; change that organization first"
        }
        rule if rule.starts_with("numbers_") => "a number still names it; change that number first",
        _ => "another row still needs it; change that one first",
    }
}
