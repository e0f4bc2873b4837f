//! What the six tables that people edit have in common: an identity, dates, an audit form.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::store::column::Word;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow};
use crate::store::sql::{Row, Value};
use crate::store::table::Table;

/// A row that the service layer creates, reads, changes and deletes.
pub trait Entity: Table + Clone + PartialEq + Send + Sync + 'static {
    /// Its identifier.
    type Id: Word + Copy + PartialEq + std::fmt::Display + Send + Sync + 'static;

    /// The identifier that a text is in its printed form.
    fn sid(text: &str) -> Option<Self::Id>;

    /// `SELECT … WHERE id = $1`'s end is common; this is the id's value.
    fn id(&self) -> Self::Id;

    /// Gives it an identity.
    fn set_id(&mut self, id: u128);

    /// Whether it has one.
    fn has_id(&self) -> bool;

    /// Sets its dates.
    fn stamp(&mut self, created: Timestamp, updated: Timestamp);

    /// When it was made.
    fn created(&self) -> Timestamp;

    /// What people know it by: a number, a domain, a name.
    fn known_as(&self) -> &str;
}

macro_rules! entities {
    ($($row:ty: $id:ident, $called:ident;)*) => {$(
        impl Entity for $row {
            type Id = $id;

            fn sid(text: &str) -> Option<$id> {
                text.parse().ok()
            }

            fn id(&self) -> $id {
                self.id
            }

            fn set_id(&mut self, id: u128) {
                self.id = $id(id);
            }

            fn has_id(&self) -> bool {
                self.id.0 != 0
            }

            fn stamp(&mut self, created: Timestamp, updated: Timestamp) {
                self.created_at = created;
                self.updated_at = updated;
            }

            fn created(&self) -> Timestamp {
                self.created_at
            }

            fn known_as(&self) -> &str {
                &self.$called
            }
        }
    )*};
}

entities! {
    OrganizationRow: OrganizationSid, domain;
    AccountRow: AccountSid, friendly_name;
    ApplicationRow: ApplicationSid, friendly_name;
    NumberRow: NumberSid, number;
    TrunkRow: TrunkSid, name;
    GatewayRow: GatewaySid, name;
}

/// The six tables, by name.
pub(crate) const TABLES: [&str; 6] = [
    NumberRow::NAME,
    OrganizationRow::NAME,
    AccountRow::NAME,
    ApplicationRow::NAME,
    TrunkRow::NAME,
    GatewayRow::NAME,
];

/// Does something with the row type of the table of a name; something else where there is no such table.
macro_rules! of_table {
    ($table:expr, $row:ident => $then:expr, else $other:expr) => {
        match $table {
            "numbers" => $crate::store::entity::of_table!(@ NumberRow, $row, $then),
            "organizations" => $crate::store::entity::of_table!(@ OrganizationRow, $row, $then),
            "accounts" => $crate::store::entity::of_table!(@ AccountRow, $row, $then),
            "applications" => $crate::store::entity::of_table!(@ ApplicationRow, $row, $then),
            "trunks" => $crate::store::entity::of_table!(@ TrunkRow, $row, $then),
            "gateways" => $crate::store::entity::of_table!(@ GatewayRow, $row, $then),
            _ => $other,
        }
    };
    (@ $type:ident, $row:ident, $then:expr) => {{
        type $row = $crate::store::rows::$type;
        $then
    }};
}
pub(crate) use of_table;

/// Columns that the audit does not keep and no difference shows.
pub(crate) const SECRET: [&str; 6] =
    ["auth_token", "auth_token_hash", "webhook_secret", "former_webhook_secret", "password", BOUND];

/// A secret that is good for no other user name and realm than those it was given for: it goes and comes with them.
const BOUND: &str = "auth_password";
const BOUND_TO: [&str; 2] = ["auth_username", "auth_realm"];

/// Whether the change log keeps a column of a row that was changed. Of one that went it keeps all.
pub(crate) fn is_logged(column: &str) -> bool {
    column == BOUND || !SECRET.contains(&column)
}

/// The row as the audit keeps it: JSON by column, secrets left out.
pub(crate) fn audit_form<T: Table>(row: &T) -> String {
    serde_json::Value::Object(members(row)).to_string()
}

/// The row's columns by name, secrets left out.
pub(crate) fn members<T: Table>(row: &T) -> Map<String, Json> {
    let pairs = T::COLUMNS.iter().zip(row.values()).filter(|(column, _)| !SECRET.contains(column));
    pairs
        .map(|(column, value)| {
            let json = match value {
                Value::Bool(bool) => bool.into(),
                Value::Int(int) => int.into(),
                Value::Text(text) => text.into(),
                Value::Shared(text) => (*text).into(),
            };
            ((*column).to_owned(), json)
        })
        .collect()
}

/// The row that the change log kept as `image`: what is not in it is NULL, but for secrets, which are those of `now`
/// where there is such a row; one that belongs to columns which differ is the image's. `None`: it is no row of this
/// table.
pub(crate) fn of_image<T: Table>(image: &str, now: Option<&T>) -> Option<T> {
    let Ok(Json::Object(mut image)) = serde_json::from_str(image) else { return None };
    let moved = now.map(members).is_some_and(|now| {
        BOUND_TO
            .iter()
            .any(|name| image.get(*name).unwrap_or(&Json::Null) != now.get(*name).unwrap_or(&Json::Null))
    });
    let now = now.map(T::values);
    let values = T::COLUMNS.iter().zip(T::NULLS).enumerate().map(|(at, (column, null))| {
        let stays = SECRET.contains(column) && !(moved && *column == BOUND);
        if let Some(now) = now.as_ref().filter(|_| stays) {
            return now[at].clone();
        }
        match (image.remove(*column), null) {
            (Some(Json::Bool(bool)), Value::Bool(_)) => Value::Bool(Some(bool)),
            // SQLite has no other truth.
            (Some(Json::Number(number)), Value::Bool(_)) => Value::Bool(number.as_i64().map(|one| one != 0)),
            (Some(Json::Number(number)), Value::Int(_)) => Value::Int(number.as_i64()),
            (Some(Json::String(text)), Value::Text(_)) => Value::Text(Some(text)),
            _ => null.clone(),
        }
    });
    T::read(&Row::Kept(values.collect())).ok()
}
