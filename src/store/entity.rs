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
}

macro_rules! entities {
    ($($row:ty: $id:ident),*) => {$(
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
        }
    )*};
}

entities!(
    OrganizationRow: OrganizationSid, AccountRow: AccountSid, ApplicationRow: ApplicationSid,
    NumberRow: NumberSid, TrunkRow: TrunkSid, GatewayRow: GatewaySid
);

/// Columns that the audit and the change log do not keep.
pub(crate) const SECRET: [&str; 6] =
    ["auth_token", "auth_token_hash", "webhook_secret", "former_webhook_secret", "password", "auth_password"];

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
            };
            ((*column).to_owned(), json)
        })
        .collect()
}

/// The row that the change log kept as `image`: what is not in it is NULL, but for secrets, which are those of `now`
/// where there is such a row. `None`: it is no row of this table.
pub(crate) fn of_image<T: Table>(image: &str, now: Option<&T>) -> Option<T> {
    let Ok(Json::Object(mut image)) = serde_json::from_str(image) else { return None };
    let now = now.map(T::values);
    let values = T::COLUMNS.iter().zip(T::NULLS).enumerate().map(|(at, (column, null))| {
        if let Some(now) = now.as_ref().filter(|_| SECRET.contains(column)) {
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
