//! Numbers, many at a time: which are wanted, and in which order.

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};
use crate::store::column::{Column, Word};
use crate::store::error::Result;
use crate::store::inventory::{NumberKind, OF_KIND};
use crate::store::lists::{Listed, Page, count, readable};
use crate::store::model::HELD;
use crate::store::open::Store;
use crate::store::rows::{NumberRow, NumberState};
use crate::store::sql::{Database, Sql, Value};
use crate::store::table::Table;

/// Which numbers are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of any of these accounts, where some are named.
    pub accounts: Vec<AccountSid>,
    /// Those of this organization.
    pub organization: Option<OrganizationSid>,
    /// This very text.
    pub number: Option<String>,
    /// A part of the text, `*` standing for any one digit.
    pub number_part: Option<String>,
    /// This very friendly name; the digits of a number that has none.
    pub friendly_name: Option<String>,
    /// A text that the number or its caller id name holds, letters of ASCII in either case.
    pub search: Option<String>,
    /// This very caller id name.
    pub caller_id_name: Option<String>,
    /// Main ones, or the others.
    pub main: Option<bool>,
    /// Shared ones, or the others.
    pub shared: Option<bool>,
    /// Only digits with or without `+`: no patterns, no names.
    pub plain: bool,
    /// In this state.
    pub state: Option<NumberState>,
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
    /// By caller id name, those without one last.
    CallerIdName,
    /// Main ones last.
    Main,
    /// Shared ones last.
    Shared,
}

impl Store {
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
        let rows = self.directory.rows(with(NumberRow::SELECT, filter.sorted()), &values).await?;
        Ok(Listed { rows: readable(&rows), total })
    }

    /// How many exact numbers, or patterns, an account has: counted up to `most` and no further.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn count_numbers(&self, account: AccountSid, patterns: bool, most: u64) -> Result<u64> {
        const SOME: &str = "SELECT count(*) FROM (SELECT 1 FROM numbers WHERE account_id = ? AND ";
        let kind = if patterns { "shape = 'pattern' AND " } else { "shape <> 'pattern' AND " };
        let sql = Sql::asked(&[SOME, kind, HELD, "LIMIT ?) AS some_of_them"]);
        let rows = self.directory.rows(sql, &[account.bind(), most.bind()]).await?;
        let number = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(number).unwrap_or(0))
    }

    /// The numbers behind `after`, in the order of texts, without counting how many there are.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn numbers_after(
        &self,
        filter: &NumberFilter,
        after: Option<(String, NumberSid)>,
        limit: u64,
    ) -> Result<Vec<NumberRow>> {
        let (conditions, mut values) = conditions(&self.directory, filter);
        let mut parts = vec![NumberRow::SELECT, "WHERE TRUE "];
        parts.extend(&conditions);
        if let Some((text, sid)) = after {
            parts.push("AND (number, id) > (?, ?) ");
            values.extend([text.bind(), sid.bind()]);
        }
        parts.push("ORDER BY number, id LIMIT ?");
        values.push(limit.bind());
        Ok(readable(&self.directory.rows(Sql::asked(&parts), &values).await?))
    }

    /// The rows of an organization, and the provider numbers of all, that have one of these texts.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn with_texts(
        &self,
        organization: OrganizationSid,
        texts: &[String],
    ) -> Result<Vec<NumberRow>> {
        const TEXTS: usize = 500;
        let mut found = Vec::new();
        for batch in texts.chunks(TEXTS) {
            let mut parts = vec![NumberRow::SELECT, "WHERE scope IN ('*', ?) AND number IN (?"];
            parts.extend(std::iter::repeat_n(", ?", batch.len() - 1));
            parts.push(")");
            let mut values = vec![organization.bind()];
            values.extend(batch.iter().map(|text| text.clone().bind()));
            found.extend(readable(&self.directory.rows(Sql::asked(&parts), &values).await?));
        }
        Ok(found)
    }
}

impl NumberFilter {
    /// The order in SQL, with its page.
    fn sorted(&self) -> &'static str {
        match (self.order, self.reverse) {
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
            (NumberOrder::CallerIdName, false) => {
                "ORDER BY caller_id_name IS NULL, caller_id_name, number, id LIMIT ? OFFSET ?"
            }
            (NumberOrder::CallerIdName, true) => {
                "ORDER BY caller_id_name IS NULL DESC, caller_id_name DESC, number DESC, id DESC LIMIT ? OFFSET ?"
            }
            (NumberOrder::Main, false) => "ORDER BY main, number, id LIMIT ? OFFSET ?",
            (NumberOrder::Main, true) => "ORDER BY main DESC, number DESC, id DESC LIMIT ? OFFSET ?",
            (NumberOrder::Shared, false) => "ORDER BY shared, number, id LIMIT ? OFFSET ?",
            (NumberOrder::Shared, true) => "ORDER BY shared DESC, number DESC, id DESC LIMIT ? OFFSET ?",
        }
    }
}

/// The conditions of a filter, with their values.
fn conditions(database: &Database, filter: &NumberFilter) -> (Vec<&'static str>, Vec<Value>) {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    if let Some(account) = filter.account {
        parts.push("AND account_id = ? ");
        values.push(account.bind());
    }
    if let Some((first, more)) = filter.accounts.split_first() {
        parts.push("AND account_id IN (?");
        parts.extend(more.iter().map(|_| ", ?"));
        parts.push(") ");
        values.push(first.bind());
        values.extend(more.iter().map(Column::bind));
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
    if let Some(text) = &filter.search {
        parts.push(
            "AND (lower(number) LIKE ? ESCAPE '!' OR lower(coalesce(caller_id_name, '')) LIKE ? ESCAPE '!') ",
        );
        let held = holding(&lower(database, text));
        values.extend([held.clone().bind(), held.bind()]);
    }
    for (condition, text) in [
        ("AND caller_id_name = ? ", filter.caller_id_name.clone().map(|text| text.bind())),
        ("AND main = ? ", filter.main.map(|flag| flag.bind())),
        ("AND shared = ? ", filter.shared.map(|flag| flag.bind())),
        ("AND state = ? ", filter.state.map(|state| state.word().bind())),
        ("AND voice_application_id = ? ", filter.application.map(|sid| sid.bind())),
    ] {
        if let Some(value) = text {
            parts.push(condition);
            values.push(value);
        }
    }
    if filter.plain {
        parts.push("AND shape = 'digits' ");
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

/// Lower case as the server's `lower` makes it: SQLite's knows ASCII only.
fn lower(database: &Database, text: &str) -> String {
    match database {
        Database::Sqlite(_) => text.to_ascii_lowercase(),
        Database::Postgres(_) => text.to_lowercase(),
    }
}

/// `LIKE`'s pattern for what holds this text.
fn holding(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
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
