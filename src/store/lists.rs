//! Reading what people edit, many rows at a time.

use crate::ids::{AccountSid, ApplicationSid};
use crate::store::column::Column;
use crate::store::entity::Entity;
use crate::store::error::Result;
use crate::store::open::Store;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, OrganizationRow, TrunkRow};
use crate::store::sql::{Database, Row, Sql, Value};
use crate::store::table::Table;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many rows to leave out.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

impl Page {
    /// From the first row on.
    #[must_use]
    pub fn first(limit: u64) -> Self {
        Self { offset: 0, limit }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// How many there are without paging.
    pub total: u64,
}

/// A table whose rows people call by something beside their id.
pub trait Named: Entity {
    /// The condition that finds those called `$1`, and says so of two at most: that is too many to be meant.
    const CALLED: &'static str;
}

impl Named for TrunkRow {
    const CALLED: &'static str = "WHERE name = $1 LIMIT 2";
}

impl Named for GatewayRow {
    const CALLED: &'static str = "WHERE name = $1 LIMIT 2";
}

impl Named for OrganizationRow {
    const CALLED: &'static str = "WHERE domain = lower($1) LIMIT 2";
}

impl Named for AccountRow {
    const CALLED: &'static str = "WHERE friendly_name = $1 LIMIT 2";
}

impl Named for ApplicationRow {
    const CALLED: &'static str = "WHERE friendly_name = $1 LIMIT 2";
}

/// How a row names an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// A number, for its calls.
    Voice,
    /// A number, for its messages.
    Sms,
    /// A number, for USSD.
    Ussd,
    /// A number, for REFER.
    Refer,
    /// An account, for its numbers without one.
    Account,
    /// An organization, for its numbers without one.
    Organization,
}

impl Store {
    /// Rows of a table, oldest first.
    ///
    /// # Errors
    /// The database is away. Rows that cannot be read are left out and reported in the log.
    pub async fn list<T: Entity>(&self, page: Page) -> Result<Listed<T>> {
        let sql = Sql::of(&[T::SELECT, " ORDER BY created_at, id LIMIT $1 OFFSET $2"]);
        let rows = self.directory.rows(sql, &[page.limit.bind(), page.offset.bind()]).await?;
        let total = count(&self.directory, T::COUNT, &[]).await?;
        Ok(Listed { rows: readable(&rows), total })
    }

    /// Applications of an account, oldest first, with this friendly name where one is given.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn applications(
        &self,
        account: AccountSid,
        friendly_name: Option<&str>,
        page: Page,
    ) -> Result<Listed<ApplicationRow>> {
        const WHERE: &str = "WHERE account_id = $1 AND ($2 IS NULL OR friendly_name = $2) ";
        let mut values = vec![account.bind(), friendly_name.map(str::to_owned).bind()];
        let total = count(&self.directory, Sql::of(&[ApplicationRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[ApplicationRow::SELECT, WHERE, "ORDER BY created_at, id LIMIT $3 OFFSET $4"]);
        Ok(Listed { rows: readable(&self.directory.rows(sql, &values).await?), total })
    }

    /// One row that names the application, whose it is and for what; `None`: nothing does.
    ///
    /// # Errors
    /// The database is away.
    pub async fn naming(&self, application: ApplicationSid) -> Result<Option<Naming>> {
        const WAYS: [(Naming, &str); 6] = [
            (Naming::Voice, "SELECT 1 FROM numbers WHERE voice_application_id = $1 LIMIT 1"),
            (Naming::Sms, "SELECT 1 FROM numbers WHERE sms_application_id = $1 LIMIT 1"),
            (Naming::Ussd, "SELECT 1 FROM numbers WHERE ussd_application_id = $1 LIMIT 1"),
            (Naming::Refer, "SELECT 1 FROM numbers WHERE refer_application_id = $1 LIMIT 1"),
            (Naming::Account, "SELECT 1 FROM accounts WHERE default_application_id = $1 LIMIT 1"),
            (Naming::Organization, "SELECT 1 FROM organizations WHERE default_application_id = $1 LIMIT 1"),
        ];
        for (way, sql) in WAYS {
            if !self.directory.rows(sql, &[application.bind()]).await?.is_empty() {
                return Ok(Some(way));
            }
        }
        Ok(None)
    }

    /// The rows that are called so, two at most.
    ///
    /// # Errors
    /// A row cannot be read, or the database is away.
    pub async fn named<T: Named>(&self, name: &str) -> Result<Vec<T>> {
        let sql = Sql::of(&[T::SELECT, T::CALLED]);
        let rows = self.directory.rows(sql, &[name.to_owned().bind()]).await?;
        rows.iter().map(|row| Ok(T::read(row)?)).collect()
    }

    /// An account and its sub-accounts, oldest first.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn accounts_under(&self, account: AccountSid, page: Page) -> Result<Listed<AccountRow>> {
        const WHERE: &str = "WHERE (id = $1 OR parent_id = $1) ";
        let mut values = vec![account.bind()];
        let total = count(&self.directory, Sql::of(&[AccountRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[AccountRow::SELECT, WHERE, "ORDER BY created_at, id LIMIT $2 OFFSET $3"]);
        Ok(Listed { rows: readable(&self.directory.rows(sql, &values).await?), total })
    }

    /// An account and all those under it, at most `limit`, parents before those under them.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn accounts_below(&self, account: AccountSid, limit: u64) -> Result<Vec<AccountRow>> {
        // As deep as accounts are nested, and no deeper where somebody made a ring by hand.
        const BELOW: &str = "JOIN (WITH RECURSIVE below (sid, depth) AS (SELECT id, 0 FROM accounts WHERE id = $1 \
             UNION SELECT accounts.id, depth + 1 FROM accounts JOIN below ON accounts.parent_id = below.sid \
             WHERE depth < 16) SELECT sid, min(depth) AS depth FROM below GROUP BY sid) AS family \
             ON family.sid = accounts.id ORDER BY family.depth, created_at, id LIMIT $2";
        let sql = Sql::of(&[AccountRow::SELECT, BELOW]);
        Ok(readable(&self.directory.rows(sql, &[account.bind(), limit.bind()]).await?))
    }

    /// The organization with this SIP domain.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn organization_of(&self, domain: &str) -> Result<Option<OrganizationRow>> {
        let domain = domain.to_ascii_lowercase().bind();
        let sql = Sql::of(&[OrganizationRow::SELECT, "WHERE domain = $1"]);
        let rows = self.directory.rows(sql, &[domain]).await?;
        Ok(rows.first().map(OrganizationRow::read).transpose()?)
    }

    /// The organization that owns what SQL by hand gives no owner.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn default_organization(&self) -> Result<Option<OrganizationRow>> {
        let rows = self.directory.rows(Sql::of(&[OrganizationRow::SELECT, "WHERE is_default"]), &[]).await?;
        Ok(rows.first().map(OrganizationRow::read).transpose()?)
    }

    /// The account that owns what SQL by hand gives no owner.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn default_account(&self) -> Result<Option<AccountRow>> {
        let rows = self.directory.rows(Sql::of(&[AccountRow::SELECT, "WHERE is_default"]), &[]).await?;
        Ok(rows.first().map(AccountRow::read).transpose()?)
    }
}

pub(crate) async fn count(database: &Database, sql: impl Into<Sql>, values: &[Value]) -> Result<u64> {
    let rows = database.rows(sql, values).await?;
    let number = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
    Ok(u64::try_from(number).unwrap_or(0))
}

/// A bad row hides itself alone, not the list.
pub(crate) fn readable<T: Table>(rows: &[Row]) -> Vec<T> {
    let read = rows.iter().map(T::read);
    read.filter_map(|row| row.map_err(|bad| tracing::warn!(%bad, "a row is left out of a list")).ok())
        .collect()
}
