//! The directory of the moment, as calls look things up in it.

use std::sync::Arc;

use crate::call::desk::Provision;
use crate::ids::{AccountSid, OrganizationSid};
use crate::routing::Directory;
use crate::routing::model::{Gateway, Organization};

/// One generation.
#[derive(Debug)]
pub(super) struct Live(pub Arc<Directory>);

impl Provision for Live {
    fn gateways(&self, organization: OrganizationSid) -> Vec<Arc<Gateway>> {
        self.0.gateways_for(organization)
    }

    fn organization(&self, organization: OrganizationSid) -> Option<Arc<Organization>> {
        self.0.organization(organization).cloned()
    }

    fn owns(&self, account: AccountSid, number: &str) -> bool {
        self.0.owns(account, number)
    }
}
