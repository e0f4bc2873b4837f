//! Reading what people edit, many rows at a time.

use crate::ids::{AccountSid, ApplicationSid, OrganizationSid};
use crate::store::column::{Column, Word};
use crate::store::entity::Entity;
use crate::store::error::Result;
use crate::store::inventory::{NumberKind, OF_KIND};
use crate::store::model::HELD;
use crate::store::open::Store;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow};
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

/// Which numbers are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of this organization.
    pub organization: Option<OrganizationSid>,
    /// This very text.
    pub number: Option<String>,
    /// A part of the text, `*` standing for any one digit.
    pub number_part: Option<String>,
    /// This very friendly name; the digits of a number that has none.
    pub friendly_name: Option<String>,
    /// Those that name this application for voice.
    pub application: Option<ApplicationSid>,
    /// Of this kind; local and mobile ones include those of which the plan does not tell. Only what is
    /// classified is found.
    pub kind: Option<NumberKind>,
    /// Only those that somebody has: not in the inventory, not given back.
    pub held: bool,
    /// In which order.
    pub order: NumberOrder,
    /// From the last to the first.
    pub reverse: bool,
}

/// The order of a list of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberOrder {
    /// Oldest first.
    #[default]
    Created,
    /// By text.
    Number,
    /// By what people call them.
    FriendlyName,
}

/// A table whose rows have a name of their own.
pub trait Named: Entity {}

impl Named for TrunkRow {}
impl Named for GatewayRow {}

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

    /// Numbers, in the order the filter says.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn numbers(&self, filter: &NumberFilter, page: Page) -> Result<Listed<NumberRow>> {
        let (conditions, mut values) = conditions(&self.directory, filter);
        let with = |head: &'static str, tail: &'static str| {
            let mut parts = vec![head, "WHERE TRUE "];
            parts.extend(&conditions);
            parts.push(tail);
            Sql::asked(&parts)
        };
        let total = count(&self.directory, with(NumberRow::COUNT, ""), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let order = match (filter.order, filter.reverse) {
            (NumberOrder::Created, false) => "ORDER BY created_at, id LIMIT ? OFFSET ?",
            (NumberOrder::Created, true) => "ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
            (NumberOrder::Number, false) => "ORDER BY number, id LIMIT ? OFFSET ?",
            (NumberOrder::Number, true) => "ORDER BY number DESC, id DESC LIMIT ? OFFSET ?",
            (NumberOrder::FriendlyName, false) => {
                "ORDER BY COALESCE(friendly_name, ltrim(number, '+')), number, id LIMIT ? OFFSET ?"
            }
            (NumberOrder::FriendlyName, true) => {
                "ORDER BY COALESCE(friendly_name, ltrim(number, '+')) DESC, number DESC, id DESC LIMIT ? OFFSET ?"
            }
        };
        let rows = self.directory.rows(with(NumberRow::SELECT, order), &values).await?;
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

    /// The trunk or gateway of this name.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn named<T: Named>(&self, name: &str) -> Result<Option<T>> {
        let sql = Sql::of(&[T::SELECT, "WHERE name = $1"]);
        let rows = self.directory.rows(sql, &[name.to_owned().bind()]).await?;
        Ok(rows.first().map(T::read).transpose()?)
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

/// The conditions of a filter, with their values.
fn conditions(database: &Database, filter: &NumberFilter) -> (Vec<&'static str>, Vec<Value>) {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    if let Some(account) = filter.account {
        parts.push("AND account_id = ? ");
        values.push(account.bind());
    }
    if let Some(organization) = filter.organization {
        parts.push("AND organization_id = ? ");
        values.push(organization.bind());
    }
    if let Some(number) = &filter.number {
        parts.push("AND number = ? ");
        values.push(number.clone().bind());
    }
    if let Some(part) = &filter.number_part {
        let (condition, value) = digits(database, part);
        parts.push(condition);
        values.push(value.bind());
    }
    if let Some(name) = &filter.friendly_name {
        parts.push("AND (friendly_name = ? OR (friendly_name IS NULL AND number IN (?, ?))) ");
        let [bare, plus] = named_by_default(name);
        values.extend([name.clone().bind(), bare.bind(), plus.bind()]);
    }
    if let Some(application) = filter.application {
        parts.push("AND voice_application_id = ? ");
        values.push(application.bind());
    }
    if let Some(kind) = filter.kind {
        parts.push(OF_KIND);
        values.extend([kind.word().bind(), kind.unless_told().word().bind()]);
    }
    if filter.held {
        parts.extend(["AND ", HELD]);
    }
    (parts, values)
}

/// The texts that are called `name` without having a name.
fn named_by_default(name: &str) -> [String; 2] {
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if all_digits(name) {
        [name.to_owned(), format!("+{name}")]
    } else if name.strip_prefix('+').is_some_and(all_digits) {
        // Such a number is called by its digits alone.
        [String::new(), String::new()]
    } else {
        [name.to_owned(), name.to_owned()]
    }
}

/// A part of a text with `*` for one digit, as each server matches it.
pub(crate) fn digits(database: &Database, part: &str) -> (&'static str, String) {
    match database {
        Database::Sqlite(_) => ("AND number GLOB ? ", glob(part)),
        Database::Postgres(_) => ("AND number ~ ? ", pattern(part)),
    }
}

fn glob(part: &str) -> String {
    let mut text = String::from("*");
    for c in part.chars() {
        match c {
            '*' => text.push_str("[0-9]"),
            '[' | '?' => text.extend(['[', c, ']']),
            c => text.push(c),
        }
    }
    text.push('*');
    text
}

fn pattern(part: &str) -> String {
    let mut text = String::new();
    for c in part.chars() {
        match c {
            '*' => text.push_str("[0-9]"),
            c if c.is_alphanumeric() => text.push(c),
            c => text.extend(['\\', c]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_digit_and_nothing_else_does() {
        assert_eq!(glob("+1650*"), "*+1650[0-9]*");
        assert_eq!(glob("5?[%"), "*5[?][[]%*");
        assert_eq!(pattern("+1650*"), "\\+1650[0-9]");
        assert_eq!(pattern("^1.$"), "\\^1\\.\\$");
    }

    #[test]
    fn a_number_without_name_is_called_by_its_digits() {
        assert_eq!(named_by_default("1650"), ["1650", "+1650"]);
        assert_eq!(named_by_default("+1650"), ["", ""]);
        assert_eq!(named_by_default("16.*"), ["16.*", "16.*"]);
    }
}
