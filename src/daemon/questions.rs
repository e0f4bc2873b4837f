//! Where asks are answered: the webhook and the resolver, as local tasks of the shard.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::effects::Answerer;
use super::notices::Notices;
use crate::call::trace::TraceItem;
use crate::dns::Resolver;
use crate::engine::door::{Answer, Ask, AskId, Question, WebhookQuestion};
use crate::ids::CallSid;
use crate::telemetry::{Calls, Metrics};
use crate::webhook::{Asked, Try, Webhook};

/// One shard's way to the applications and to DNS. Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    /// On this shard's own connections.
    pub webhook: Webhook,
    /// Shared by all.
    pub resolver: Resolver,
    /// Where requests are traced.
    pub calls: Arc<Calls>,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// Where accounts are told of what failed.
    pub notices: Notices,
    /// The clock of the process.
    pub clock: Clock,
}

impl Answerer for Questions {
    fn answer(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer>>> {
        let this = self.clone();
        Box::pin(async move {
            let limit = ask.deadline.since(this.clock.now());
            match &ask.question {
                Question::Webhook(question) => this.ask(ask.id, ask.call, question, limit).await,
                Question::Resolve(wanted) => match this.resolver.locate(wanted).await {
                    Ok(found) => Answer::Addresses(found),
                    Err(error) => {
                        tracing::info!(host = %wanted.host, %error, "a target's name could not be resolved");
                        Answer::NoAddress
                    }
                },
            }
        })
    }
}

impl Questions {
    async fn ask(&self, id: AskId, call: CallSid, question: &WebhookQuestion, limit: Duration) -> Answer {
        let began = self.clock.now();
        let in_flight = InFlight::enter(&self.metrics);
        let Asked { answer, tries } = self.webhook.ask(id, question, limit).await;
        in_flight.done();
        let took = self.clock.now().since(began);
        self.metrics.webhook.seconds.observe(took.as_secs_f64());
        self.metrics.webhook.fallbacks.inc_by(u64::from(tries.iter().any(|tried| tried.fallback)));
        for tried in &tries {
            self.notices.failed(question.facts.account, call, tried);
            self.note(id, call, tried);
        }
        answer
    }

    fn note(&self, id: AskId, call: CallSid, tried: &Try) {
        let webhook = &self.metrics.webhook;
        webhook.requests.inc(match tried.failed {
            None => "document",
            Some(reason) => reason.code().trim_start_matches("webhook_"),
        });
        if tried.repeated {
            webhook.retries.inc();
        }
        if let Some(reason) = tried.failed {
            tracing::warn!(sid = %call, url = %tried.url, %reason, detail = tried.detail.as_deref(), "a webhook failed");
        }
        self.calls.trace(call, self.clock.now(), TraceItem::Answered(id, told(tried).into()));
    }
}

/// Counts a request in flight, and one that was given up when its future is dropped.
struct InFlight<'a> {
    metrics: &'a Metrics,
    finished: bool,
}

impl<'a> InFlight<'a> {
    fn enter(metrics: &'a Metrics) -> Self {
        metrics.webhook.in_flight.inc();
        Self { metrics, finished: false }
    }

    fn done(mut self) {
        self.finished = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.webhook.in_flight.dec();
        if !self.finished {
            self.metrics.webhook.requests.inc("aborted");
        }
    }
}

fn told(tried: &Try) -> String {
    let status = tried.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let end = match (tried.failed, &tried.detail) {
        (None, _) => String::new(),
        (Some(reason), Some(detail)) => format!(", {reason}: {detail}"),
        (Some(reason), None) => format!(", {reason}"),
    };
    let method = format!("{:?}", tried.method).to_uppercase();
    format!("{method} {} -> {status} in {} ms{end}", tried.url, tried.took.as_millis())
}
