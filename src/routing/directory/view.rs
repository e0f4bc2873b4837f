//! A look into one row of the directory.

use std::sync::Arc;

use super::{Directory, OUT_OF_SERVICE, Row};
use crate::ids::NumberSid;
use crate::routing::model::{Account, Organization, VoiceProfile};
use crate::routing::text::Text;

/// A look into one row of the directory.
#[derive(Clone, Copy)]
pub struct NumberView<'d> {
    pub(super) directory: &'d Directory,
    pub(super) row: &'d Row,
    pub(super) text: Text,
}

impl<'d> NumberView<'d> {
    /// Its identity.
    #[must_use]
    pub const fn sid(&self) -> NumberSid {
        self.row.sid
    }

    /// The row's own text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its owner; `None` when that account is not there.
    #[must_use]
    pub fn account(&self) -> Option<&'d Arc<Account>> {
        self.directory.frame.accounts().get(self.row.account)
    }

    /// The organization it is dialled in; `None` when that is not there.
    #[must_use]
    pub fn organization(&self) -> Option<&'d Arc<Organization>> {
        self.directory.frame.organizations().get(self.row.organization())
    }

    /// Its own profile, the application's not laid over.
    ///
    /// # Panics
    ///
    /// Never: each row holds its profile.
    #[must_use]
    pub fn profile(&self) -> &'d Arc<VoiceProfile> {
        self.directory.profiles.get(self.row.profile).expect("each row holds its profile")
    }

    /// Whether it is a pure SIP number.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        !self.row.is_provider()
    }

    /// Whether it routes.
    #[must_use]
    pub const fn in_service(&self) -> bool {
        self.row.organization & OUT_OF_SERVICE == 0
    }
}

impl std::fmt::Debug for NumberView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NumberView").field("sid", &self.row.sid).field("text", &self.text).finish()
    }
}
