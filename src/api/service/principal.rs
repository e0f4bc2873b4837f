//! Who asks, and whose things they may touch.

use crate::ids::{AccountSid, OrganizationSid};
use crate::store::Role;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Root or the daemon's own user, over the Unix socket: may do everything.
    Operator,
    /// An account, over HTTP.
    Account {
        /// Which.
        sid: AccountSid,
        /// Its organization.
        organization: OrganizationSid,
        /// What it may do.
        role: Role,
    },
}

impl Principal {
    /// Whether it may do everything in every organization.
    #[must_use]
    pub fn is_super_admin(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Account { role, .. } => *role == Role::SuperAdmin,
        }
    }
}

impl Principal {
    /// How the audit names it.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Account { sid, .. } => sid.to_string(),
        }
    }
}
