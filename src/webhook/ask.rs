//! One question: the primary URL, then the fallback; redirects, reasons, the document.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::header;
use tokio::time::{Instant, timeout_at};

use super::budget::Budget;
use super::config::Allowance;
use super::rcml;
use crate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use crate::call::instructions::Document;
use crate::ids::{AccountSid, InstanceSid};
use crate::outbound::{
    BadUrl, Client, Failure, Identity, Params, Provider, Request, Response, Target, Targets, sms_params,
    voice_params, without_secrets,
};
use crate::reason::Reason;
use crate::routing::model::{Hook, Method, SigningKeys};

/// The signing keys of an account; `None` when it is gone (then the call is over soon anyway, and
/// its requests are signed with empty keys).
pub type Keys = Arc<dyn Fn(AccountSid) -> Option<Arc<SigningKeys>> + Send + Sync>;

/// The caller's name may take this part of the budget.
const NAME_SHARE: u32 = 4;

/// HTTP redirects followed per URL.
const REDIRECTS: usize = 3;

/// What all threads' webhooks share.
#[derive(Clone)]
pub struct Setup {
    /// `InstanceId`.
    pub instance: InstanceSid,
    /// The budget of one question.
    pub budget: Allowance,
    /// Where keys are found.
    pub keys: Keys,
    /// Who knows callers' names.
    pub names: Option<Provider>,
    /// The wall clock's time at the engine's origin ([`crate::time::Instant::ZERO`]).
    pub origin: SystemTime,
}

/// Asks applications, on the thread whose client it was given. Cheap to clone.
#[derive(Clone)]
pub struct Webhook {
    setup: Arc<Setup>,
    client: Client,
    names: Option<Provider>,
    targets: Arc<Targets>,
}

/// An answer and how it came about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For the engine.
    pub answer: Answer,
    /// For the trace, the log and the metrics: every request, in order.
    pub tries: Vec<Try>,
}

/// One HTTP exchange of a question.
#[derive(Clone, Debug)]
pub struct Try {
    /// The URL, without userinfo, query and fragment.
    pub url: Arc<str>,
    /// How it was asked.
    pub method: Method,
    /// From the request to the whole answer, or to giving up.
    pub took: Duration,
    /// The HTTP status, where an answer came.
    pub status: Option<u16>,
    /// What was wrong with it; `None`: it gave the document, or a redirect that was followed.
    pub failed: Option<Reason>,
    /// What was wrong, in words, for the log and the trace.
    pub detail: Option<Arc<str>>,
    /// The request went out twice: the first connection failed.
    pub repeated: bool,
    /// It went to the fallback URL, or to where that one redirects.
    pub fallback: bool,
}

impl Webhook {
    /// A webhook of one thread.
    #[must_use]
    pub fn new(setup: Arc<Setup>, client: Client) -> Self {
        let names = setup.names.as_ref().map(Provider::for_another_thread);
        Self { setup, client, names, targets: Arc::default() }
    }

    /// Asks the application and, when it fails, its fallback. Never takes longer than `limit`, nor
    /// than the budget. Dropping the future ends the HTTP request.
    pub async fn ask(&self, id: AskId, question: &WebhookQuestion, limit: Duration) -> Asked {
        let started = self.setup.origin + question.facts.started.since(crate::time::Instant::ZERO);
        let instance = self.setup.instance;
        let params = voice_params(&question.facts, instance, question.status, question.outbound, started);
        let keys = (self.setup.keys)(question.facts.account).unwrap_or_default();
        let mut asking = Asking { webhook: self, question, keys, params, tries: Vec::new(), fallback: false };
        let answer = asking.run(id, limit).await;
        Asked { answer, tries: asking.tries }
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({:?})", self.setup.budget)
    }
}

struct Asking<'a> {
    webhook: &'a Webhook,
    question: &'a WebhookQuestion,
    keys: Arc<SigningKeys>,
    params: Params<'a>,
    tries: Vec<Try>,
    fallback: bool,
}

/// Why one URL gave no document.
struct Refusal {
    reason: Reason,
    status: Option<u16>,
    detail: Option<String>,
}

/// A hook and what its URL reads as.
type Stored<'h> = (&'h Hook, Result<Arc<Target>, BadUrl>);

impl<'a> Asking<'a> {
    async fn run(&mut self, id: AskId, limit: Duration) -> Answer {
        let question = self.question;
        let profile = &question.facts.profile;
        let (kind, primary, fallback) = match &question.purpose {
            Purpose::Voice => ("v", profile.voice.as_ref(), profile.voice_fallback.as_ref()),
            Purpose::Redirect(hook) => ("r", Some(hook), None),
            Purpose::Message(text, hook) => {
                self.params = sms_params(&question.facts, self.webhook.setup.instance, text);
                match hook {
                    Some(hook) => ("m", Some(hook), None),
                    None => ("m", profile.sms.as_ref(), profile.sms_fallback.as_ref()),
                }
            }
            Purpose::Refer(hook, referral) => {
                self.params.push("ReferTarget", &*referral.target);
                self.params.push("Transferor", &*referral.transferor);
                self.params.push("Transferee", &*referral.transferee);
                ("f", Some(hook), None)
            }
            Purpose::Action(hook, outcome) => {
                self.params.push_dial(outcome);
                ("a", Some(hook), None)
            }
        };
        let primary = primary.map(|hook| self.read(hook));
        let fallback = fallback.map(|hook| self.read(hook));
        let share = |read: &Stored<'_>| read.1.as_ref().ok().and_then(|target| target.share());
        let budget = self.webhook.setup.budget.get();
        let budget = Budget::split(budget, primary.as_ref().and_then(share), fallback.as_ref().map(share));
        let began = Instant::now();
        let end = began + budget.total.min(limit);
        self.name_caller(budget.total.min(limit) / NAME_SHARE).await;
        let start = Instant::now();
        let message = format!("msg_{}_{kind}{}", question.facts.call, id.0);
        let mut last = Refusal::of(Reason::NumberWithoutApplication);
        if let Some(stored) = &primary {
            match self.url(stored, &message, end.min(start + budget.primary)).await {
                Ok(document) => return Answer::Document(Box::new(document)),
                Err(refusal) => last = refusal,
            }
        }
        if let Some(stored) = &fallback {
            let target = primary.and_then(|stored| stored.1.ok());
            self.fallback = true;
            self.params.push("ErrorCode", last.reason.code());
            self.params.push("ErrorUrl", target.map_or_else(String::new, |target| target.url()));
            match self.url(stored, &format!("{message}_fallback"), end).await {
                Ok(document) => return Answer::Document(Box::new(document)),
                // The last application that said anything is the one whose status counts.
                Err(refusal) => last = Refusal { status: refusal.status.or(last.status), ..refusal },
            }
        }
        Answer::NoDocument { reason: last.reason, http_status: last.status }
    }

    /// Fills `CallerName`: by the provider where the number asks for it, with the number's prefix. A name that
    /// does not come in its part of the budget is no reason to keep the application waiting.
    async fn name_caller(&mut self, limit: Duration) {
        let facts = &self.question.facts;
        let mut name = std::borrow::Cow::Borrowed(&*facts.caller_name);
        let is_number =
            facts.from.len() > 1 && facts.from.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
        if let Some(provider) = self.webhook.names.as_ref().filter(|_| facts.profile.name_lookup && is_number)
        {
            let told =
                tokio::time::timeout(limit, provider.get_kept("name", &[("number", &facts.from)], limit))
                    .await;
            match told {
                Ok(Ok(answer)) => {
                    let known =
                        answer.get("data").and_then(|data| data.get("name")).and_then(|name| name.as_str());
                    if let Some(known) =
                        known.filter(|known| !known.is_empty() && !known.contains(char::is_control))
                    {
                        name = known.to_owned().into();
                    }
                }
                Ok(Err(error)) => {
                    tracing::info!(%error, call = %facts.call, "the caller's name was not found")
                }
                Err(_) => tracing::info!(call = %facts.call, "the caller's name did not come in time"),
            }
        }
        if let Some(prefix) = &facts.profile.name_prefix {
            name = format!("{prefix}{}{name}", if name.is_empty() { "" } else { " " }).into();
        }
        self.params.set("CallerName", name);
    }

    fn read<'h>(&self, hook: &'h Hook) -> Stored<'h> {
        let base = &self.question.facts.base_url;
        // A number's URL is the same for all its calls; a document's may be of this one alone.
        let is_numbers = matches!(self.question.purpose, Purpose::Voice | Purpose::Message(_, None));
        let target = if is_numbers {
            self.webhook.targets.of(&hook.url, base)
        } else {
            Target::parse(&hook.url, Some(base)).map(Arc::new)
        };
        (hook, target)
    }

    /// Asks one URL and follows its redirects, all before `deadline`.
    async fn url(&mut self, stored: &Stored<'_>, id: &str, deadline: Instant) -> Result<Document, Refusal> {
        let (hook, target) = stored;
        let mut target = match target {
            Ok(target) => target.clone(),
            Err(error) => {
                let refusal = Refusal::bad_url(error);
                self.note(&hook.url, hook.method, Instant::now(), Err(&refusal), false);
                return Err(refusal);
            }
        };
        for _ in 0..=REDIRECTS {
            let began = Instant::now();
            let sent = self.send(&target, hook.method, id, deadline).await;
            let repeated = sent.as_ref().is_ok_and(|response| response.repeated);
            let read = sent.and_then(|response| read(response, &target));
            let url = target.to_string();
            match read {
                Ok(Read::Document(status, document)) => {
                    self.note(&url, hook.method, began, Ok(status), repeated);
                    return Ok(document);
                }
                Ok(Read::Redirect(status, next)) => {
                    self.note(&url, hook.method, began, Ok(status), repeated);
                    target = Arc::new(next);
                }
                Err(refusal) => {
                    self.note(&url, hook.method, began, Err(&refusal), repeated);
                    return Err(refusal);
                }
            }
        }
        let refusal = Refusal::of(Reason::WebhookRedirects);
        self.note(&target.to_string(), hook.method, Instant::now(), Err(&refusal), false);
        Err(refusal)
    }

    async fn send(
        &self,
        target: &Arc<Target>,
        method: Method,
        id: &str,
        deadline: Instant,
    ) -> Result<Response, Refusal> {
        let now = SystemTime::now();
        let identity = Identity { id, keys: &self.keys, now };
        let in_body = self.question.facts.post_query_in_body;
        let request =
            Request::signed(target.clone(), method, &self.params, identity, in_body).map_err(|error| {
                Refusal { detail: Some(error.to_string()), ..Refusal::of(Reason::WebhookUrlInvalid) }
            })?;
        let wait = deadline.saturating_duration_since(Instant::now());
        let request = request.deadline(wait).with_breaker();
        timeout_at(deadline, self.webhook.client.send(&request, deadline))
            .await
            .unwrap_or(Err(Failure::Timeout))
            .map_err(|failure| Refusal::failed(&failure))
    }

    fn note(
        &mut self,
        url: &str,
        method: Method,
        began: Instant,
        result: Result<u16, &Refusal>,
        repeated: bool,
    ) {
        self.tries.push(Try {
            url: without_secrets(url).into(),
            method,
            took: began.elapsed(),
            status: result.map_or_else(|refusal| refusal.status, Some),
            failed: result.err().map(|refusal| refusal.reason),
            detail: result.err().and_then(|refusal| refusal.detail.as_deref().map(Arc::from)),
            repeated,
            fallback: self.fallback,
        });
    }
}

enum Read {
    Document(u16, Document),
    Redirect(u16, Target),
}

/// An answer's meaning. Success is a 2xx with a document; the body decides, not the Content-Type.
fn read(response: Response, target: &Target) -> Result<Read, Refusal> {
    let status = response.status;
    let refuse = |reason| Refusal { status: Some(status), ..Refusal::of(reason) };
    match status {
        200..=299 => {}
        301 | 302 | 303 | 307 | 308 => {
            let next = redirect(&response, target).ok_or_else(|| refuse(Reason::WebhookStatus))?;
            return Ok(Read::Redirect(status, next));
        }
        404 => return Err(refuse(Reason::WebhookNotFound)),
        _ => return Err(refuse(Reason::WebhookStatus)),
    }
    if response.truncated {
        return Err(refuse(Reason::WebhookTooLarge));
    }
    let encoded = response.headers.get(header::CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = Some("the body is compressed, which was not asked for".to_owned());
        return Err(Refusal { detail, ..refuse(Reason::WebhookNotXml) });
    }
    match rcml::parse(&response.body, target) {
        Ok(document) => Ok(Read::Document(status, document)),
        Err(error) => Err(Refusal { detail: Some(error.to_string()), ..refuse(error.reason()) }),
    }
}

/// Where a redirect leads; none when it names nothing usable or would leave TLS.
fn redirect(response: &Response, target: &Target) -> Option<Target> {
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    let next = Target::parse(&target.join(location).ok()?, None).ok()?;
    (next.is_tls() || !target.is_tls()).then_some(next)
}

impl Refusal {
    fn of(reason: Reason) -> Self {
        Self { reason, status: None, detail: None }
    }

    fn bad_url(error: &BadUrl) -> Self {
        Self { detail: Some(error.to_string()), ..Self::of(Reason::WebhookUrlInvalid) }
    }

    fn failed(failure: &Failure) -> Self {
        let cause = std::error::Error::source(failure);
        let detail = cause.map_or_else(|| failure.to_string(), |cause| format!("{failure}: {cause}"));
        Self { reason: failure.reason(), status: None, detail: Some(detail) }
    }
}
