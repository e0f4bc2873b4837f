//! What the six tables that people edit have in common: an identity, dates, an audit form.

use jiff::Timestamp;

use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::store::column::Word;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow};
use crate::store::sql::Value;
use crate::store::table::Table;

/// A row that the service layer creates, reads, changes and deletes.
pub trait Entity: Table + Clone + Send + Sync + 'static {
    /// Its identifier.
    type Id: Word + Copy + PartialEq + Send + Sync + 'static;

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

/// Columns that the audit does not keep.
const SECRET: [&str; 6] =
    ["auth_token", "auth_token_hash", "webhook_secret", "former_webhook_secret", "password", "auth_password"];

/// The row as the audit keeps it: JSON by column, secrets left out.
pub(crate) fn audit_form<T: Table>(row: &T) -> String {
    let pairs = T::COLUMNS.iter().zip(row.values()).filter(|(column, _)| !SECRET.contains(column));
    let map = pairs.map(|(column, value)| {
        let json = match value {
            Value::Bool(bool) => bool.into(),
            Value::Int(int) => int.into(),
            Value::Text(text) => text.into(),
        };
        ((*column).to_owned(), json)
    });
    serde_json::Value::Object(map.collect()).to_string()
}
