//! The directory of the moment, as calls look things up in it.

use std::sync::Arc;

use crate::call::desk::Provision;
use crate::call::facts::CallFacts;
use crate::ids::{AccountSid, GatewaySid, OrganizationSid};
use crate::routing::Directory;
use crate::routing::limits::Limits;
use crate::routing::model::{DEFAULT_GROUP, DialPolicy, Gateway, Organization};
use crate::time::Instant;

/// One generation.
#[derive(Debug)]
pub(super) struct Live(pub Arc<Directory>, pub Limits);

impl Provision for Live {
    fn gateways(&self, call: &CallFacts, group: Option<&str>) -> Vec<Arc<Gateway>> {
        let account = self.0.account(call.account);
        let group = group.or(account.and_then(|account| account.gateway_group.as_deref()));
        self.0.gateways_for(call.organization, group.unwrap_or(DEFAULT_GROUP))
    }

    fn emergency_gateways(&self, organization: Option<OrganizationSid>) -> [Vec<Arc<Gateway>>; 2] {
        self.0.emergency_gateways(organization)
    }

    fn media_gateways(&self, organization: OrganizationSid) -> Vec<Arc<Gateway>> {
        self.0.media_gateways(organization)
    }

    fn gateway(&self, gateway: GatewaySid) -> Option<Arc<Gateway>> {
        self.0.gateway(gateway).cloned()
    }

    fn organization(&self, organization: OrganizationSid) -> Option<Arc<Organization>> {
        self.0.organization(organization).cloned()
    }

    fn owns(&self, account: AccountSid, number: &str) -> bool {
        self.0.owns(account, number)
    }

    fn dial_policy(&self, account: AccountSid) -> Option<&DialPolicy> {
        self.0.account(account).map(|account| &account.dialling)
    }

    fn may_dial_once_more(&self, now: Instant, account: AccountSid) -> bool {
        self.0.account(account).is_none_or(|account| self.1.dial(now, account))
    }

    fn main_number(&self, account: AccountSid) -> Option<Arc<str>> {
        self.0.main_number(account).cloned()
    }
}
