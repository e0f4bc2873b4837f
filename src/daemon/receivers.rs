//! Receivers of status callbacks that answered 410: nothing is sent to them until their row is
//! written again or an operator says so. The journal keeps them over restarts.

use std::sync::Arc;

use super::ledger::Deliveries;
use crate::callback;
use crate::ids::AccountSid;
use crate::routing::Directory;
use crate::routing::model::{Delta, Hook};

/// Enables receivers again.
pub struct Receivers {
    callbacks: callback::Feed,
    deliveries: Arc<Deliveries>,
}

impl Receivers {
    /// In memory through `callbacks`, in the journal through `deliveries`.
    #[must_use]
    pub const fn new(callbacks: callback::Feed, deliveries: Arc<Deliveries>) -> Self {
        Self { callbacks, deliveries }
    }

    /// Rows were written: the status callbacks they name get their events again. Of applications
    /// only those that differ between `before` and `after` count.
    pub fn written(&self, delta: &Delta, before: &Directory, after: &Directory) {
        if self.callbacks.disabled().is_empty() {
            return;
        }
        for number in &delta.written {
            let own = number.profile.status_callback.as_ref();
            let application = number.profile.application.and_then(|sid| after.application(sid));
            let shared = application.and_then(|application| application.status_callback.as_ref());
            self.again(number.account, own);
            self.again(number.account, shared);
        }
        for application in after.applications().filter(|_| delta.frame.is_some()) {
            if before.application(application.sid) != Some(application) {
                let hook = application.status_callback.as_ref();
                self.everywhere(None, hook.map_or("", |hook| &hook.url), "its row was written again");
            }
        }
    }

    fn again(&self, account: AccountSid, hook: Option<&Hook>) {
        if let Some(hook) = hook {
            self.everywhere(Some(account), &hook.url, "its row was written again");
        }
    }

    fn everywhere(&self, account: Option<AccountSid>, url: &str, why: &str) -> Vec<AccountSid> {
        let meant = |(of, disabled): &(AccountSid, Arc<str>)| {
            **disabled == *url && account.is_none_or(|account| account == *of)
        };
        let mut enabled = Vec::new();
        for (account, url) in self.callbacks.disabled().into_iter().filter(meant) {
            self.callbacks.enable(account, &url);
            self.deliveries.enable(account, &url);
            tracing::warn!(%account, %url, why, "status callbacks are sent to this URL again");
            enabled.push(account);
        }
        enabled
    }
}

impl crate::api::Receivers for Receivers {
    fn disabled(&self) -> Vec<(AccountSid, Arc<str>)> {
        self.callbacks.disabled()
    }

    fn enable(&self, account: Option<AccountSid>, url: &str) -> Vec<AccountSid> {
        self.everywhere(account, url, "it was asked for")
    }
}
