//! Receivers of status callbacks that answered 410: nothing is sent to them until their row is
//! written again or an operator says so. The journal keeps them over restarts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::ledger::Deliveries;
use crate::api::{BoxFuture, SentAgain};
use crate::callback::{self, Replay};
use crate::ids::AccountSid;
use crate::outbound::Client;
use crate::routing::Directory;
use crate::routing::model::{Delta, Hook, Organization};
use crate::store::calls::{AttemptRow, DeliveryRow};

/// Enables receivers again.
pub struct Receivers {
    callbacks: callback::Feed,
    deliveries: Arc<Deliveries>,
    client: Client,
    directory: Arc<ArcSwap<Directory>>,
}

impl Receivers {
    /// In memory through `callbacks`, in the journal through `deliveries`. What is sent again goes
    /// through `client`, with the keys and the base URL that `directory` has by then.
    #[must_use]
    pub const fn new(
        callbacks: callback::Feed,
        deliveries: Arc<Deliveries>,
        client: Client,
        directory: Arc<ArcSwap<Directory>>,
    ) -> Self {
        Self { callbacks, deliveries, client, directory }
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

    fn send_again(&self, delivery: DeliveryRow) -> BoxFuture<'_, SentAgain> {
        Box::pin(async move {
            let directory = self.directory.load_full();
            let account = directory.account(delivery.account_id);
            let organization = account.and_then(|account| directory.organization(account.organization));
            let keys = account.map(|account| account.keys.clone()).unwrap_or_default();
            let replay = Replay {
                id: event_id(&delivery),
                hook: Hook { url: delivery.url.clone(), method: delivery.method },
                base_url: organization.map_or_else(|| "".into(), |organization| base_url(organization)),
                query_in_body: organization.is_some_and(|organization| organization.post_query_in_body),
                form: delivery.body.as_ref().to_owned(),
            };
            let sent = callback::replay(&self.client, &keys, &replay).await;
            let error = (!sent.error.is_empty()).then_some(sent.error);
            let attempt = AttemptRow {
                delivery_id: delivery.id,
                attempt: delivery.attempts + 1,
                at: Timestamp::try_from(sent.at).unwrap_or_default(),
                http_status: sent.status,
                error,
                took_ms: u64::try_from(sent.took.as_millis()).unwrap_or(u64::MAX),
            };
            SentAgain { attempt, taken: sent.taken }
        })
    }
}

fn base_url(organization: &Organization) -> Arc<str> {
    organization.base_url.clone().unwrap_or_else(|| format!("https://{}", organization.domain).into())
}

/// The `webhook-id` of its earlier tries: its leg, or its call, and its number.
fn event_id(delivery: &DeliveryRow) -> String {
    let mut parts = delivery.id.rsplit('-');
    let (sequence, line) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("evt_{line}_{sequence}")
}
