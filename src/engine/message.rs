//! A MESSAGE outside dialogs (RFC 3428): its number's application is asked, and what it answers goes
//! back as MESSAGEs.
//!
//! Nothing is accepted that could be lost: the sender hears 202 once the application has the text,
//! and a refusal otherwise, so that it can try again. Its repetitions meet the transaction, which
//! waits for 64*T1, longer than all questions together may take.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::{Answer, Counter, Purpose, Question, WebhookQuestion};
use crate::call::compose::{self, Outgoing};
use crate::call::desk::{Owner, Role};
use crate::call::facts::CallFacts;
use crate::call::instructions::{Reply, Verb};
use crate::call::messages::{MessageStep, ReplyEnd};
use crate::call::mint::{Chain, Tag};
use crate::call::outcome::CallStatus;
use crate::call::trace::TraceItem;
use crate::engine::arrival::unsupported;
use crate::engine::config::UnknownSource;
use crate::engine::core::{Engine, Followed};
use crate::engine::facts::{self, Found};
use crate::engine::inbound::inbound;
use crate::flow::{Flow, Transport};
use crate::reason::Reason;
use crate::routing::decide::decide_message;
use crate::routing::limits::Permit;
use crate::routing::model::{Hook, Trunk};
use crate::sip::{Kept, Message, Name, Scheme};
use crate::time::Instant;
use crate::transaction::key::RequestParts;
use crate::transaction::step::Tell;
use crate::transaction::table::TransactionId;

/// Documents in a row that only redirect to another; the next one is the fallback's, where there is one.
const REDIRECTS: u8 = 10;
/// MESSAGEs that one MESSAGE may cause: a document must not turn one into a flood.
const REPLIES: usize = 10;

/// A MESSAGE whose application is asked.
#[derive(Debug)]
pub(super) struct Asking {
    server: TransactionId,
    flow: Flow,
    request: Kept,
    tag: Tag,
    facts: Arc<CallFacts>,
    chain: Chain,
    known: bool,
    redirects: u8,
    permit: Permit,
}

/// One that may be asked about.
struct Admitted {
    facts: CallFacts,
    chain: Chain,
    permit: Permit,
    text: Arc<str>,
    /// How its number was found, in words.
    tried: Arc<str>,
}

impl Engine {
    /// A MESSAGE outside dialogs that no transaction knows.
    pub(super) fn message(&mut self, flow: Flow, parts: &RequestParts<'_>, message: &Message<'_>) {
        let trunk = self.claimed(&flow, message);
        if trunk.as_ref().is_some_and(|trunk| !self.proves(flow, trunk, message)) {
            return;
        }
        let let_in = self.directory.is_none() || self.home_of_unknown().is_some();
        if trunk.is_none() && !(let_in && self.desk.config.unknown_source != UnknownSource::Drop) {
            self.desk.count(Counter::UnknownSource);
            return match self.desk.config.unknown_source {
                UnknownSource::Drop => self.desk.count(Counter::Stranger),
                _ => self.refuse_from(None, flow, message, 403, None),
            };
        }
        let force = trunk.as_ref().is_some_and(|trunk| trunk.force_rport);
        let server = self.serve(flow, parts, message, force, Owner { call: 0, role: Role::None });
        let tag = self.response_tag(message);
        let admitted = match self.admit_message(&flow, trunk.as_deref(), message) {
            Ok(admitted) => admitted,
            Err((code, reason)) => {
                self.desk.count(Counter::Refused(reason));
                return self.answer_message(
                    server,
                    &flow,
                    message,
                    tag,
                    code,
                    trunk.is_some().then_some(reason),
                );
            }
        };
        let asking = Asking {
            server,
            flow,
            request: Kept::new(message),
            tag,
            facts: Arc::new(admitted.facts),
            chain: admitted.chain,
            known: trunk.is_some(),
            redirects: 0,
            permit: admitted.permit,
        };
        let (desk, facts) = (&mut self.desk, asking.facts.clone());
        let sid = facts.call;
        desk.note_message(sid, MessageStep::Admitted(facts));
        desk.trace_received(sid, None, message);
        desk.trace(sid, TraceItem::Routed(admitted.tried));
        self.ask_about(asking, admitted.text, None);
    }

    fn admit_message(
        &mut self,
        flow: &Flow,
        trunk: Option<&Trunk>,
        message: &Message<'_>,
    ) -> Result<Admitted, (u16, Reason)> {
        let plain = |reason: Reason| (reason.status(), reason);
        let uri = message.uri().ok_or(Reason::BadRequest).map_err(plain)?;
        if matches!(uri.scheme, Scheme::Other(_))
            || (uri.scheme == Scheme::Sips && flow.transport != Transport::Tls)
        {
            return Err(plain(Reason::UnsupportedScheme));
        }
        if message.max_forwards() == Some(0) {
            return Err(plain(Reason::TooManyHops));
        }
        if unsupported(message).next().is_some() {
            return Err(plain(Reason::BadExtension));
        }
        let text = text_of(message).ok_or(Reason::UnsupportedMedia).map_err(plain)?;
        let directory = self.directory.clone().ok_or(Reason::Draining).map_err(plain)?;
        let inbound = inbound(trunk, self.home_of_unknown(), &uri, message);
        let (chosen, profile) = decide_message(&directory, &inbound).map_err(plain)?;
        self.available().map_err(plain)?;
        if self.messages.len() >= self.max_calls {
            return Err(plain(Reason::Overloaded));
        }
        let chain = self.chain(message, chosen.organization.sid, chosen.form.as_bytes()).map_err(plain)?;
        let limit = |reason| (trunk.map_or(486, |trunk| trunk.limit_code), reason);
        let permit = self.limits.admit(self.desk.now, trunk, chosen.account).map_err(limit)?;
        let base = chosen.organization.base_url.clone();
        let (form, text_of_row) = (&*chosen.form, chosen.number.text());
        let tried = format!("{form} led to {text_of_row} in generation {}", directory.generation()).into();
        let found = Found {
            call: self.desk.mint_sid(),
            account: chosen.account.sid,
            organization: chosen.organization.sid,
            number: Some(chosen.number.sid()),
            number_text: chosen.number.text().into(),
            trunk: trunk.map(|trunk| trunk.sid),
            profile,
            base_url: base.unwrap_or_else(|| format!("https://{}", chosen.organization.domain).into()),
            post_query_in_body: chosen.organization.post_query_in_body,
            dialled: (&*chosen.dialled).into(),
            source: flow.peer.ip(),
            started: self.desk.now,
            generation: directory.generation(),
        };
        Ok(Admitted { facts: facts::of(found, message, trunk), chain, permit, text, tried })
    }

    fn ask_about(&mut self, asking: Asking, text: Arc<str>, hook: Option<Hook>) {
        let question = WebhookQuestion {
            facts: asking.facts.clone(),
            purpose: Purpose::Message(text, hook),
            status: CallStatus::Ringing,
            outbound: None,
        };
        let limit = self.time_left(asking.facts.started);
        let question = Question::Webhook(Box::new(question));
        let id = self.desk.ask_within(0, asking.facts.call, question, limit);
        self.messages.insert(id, asking);
    }

    /// How long the next question may take about a MESSAGE that came then: its sender gives up after
    /// 64*T1 (Timer F, 17.1.2.2), and a refusal that is lost is repeated for its repetition, each T2.
    fn time_left(&self, came: Instant) -> Duration {
        let timers = &self.desk.config.timers;
        let all = (timers.t1 * 64).saturating_sub(timers.t2 * 2);
        all.saturating_sub(self.desk.now.since(came)).min(self.desk.config.ask_limit)
    }

    /// What the application said, or that it said nothing in time.
    pub(super) fn message_answered(&mut self, mut asking: Asking, answer: Option<Answer>) {
        let request = asking.request.message();
        let (mut code, mut reason, verbs) = match answer {
            Some(Answer::Document(document)) => (202, None, document.verbs),
            Some(Answer::NoDocument { reason, http_status }) => {
                (if http_status == Some(404) { 404 } else { 500 }, Some(reason), Vec::new())
            }
            _ => (500, Some(Reason::WebhookTimeout), Vec::new()),
        };
        if let Some(Verb::Redirect(hook)) = verbs.iter().find(|verb| !matches!(verb, Verb::Message(_)))
            && let Some(text) = text_of(&request)
        {
            let next = match asking.redirects {
                0..REDIRECTS => Some(hook.clone()),
                // Nobody has taken the text so far.
                REDIRECTS => asking.facts.profile.sms_fallback.clone(),
                _ => None,
            };
            if next.is_some() {
                asking.redirects += 1;
                self.reply(&asking, &verbs);
                return self.ask_about(asking, text, next);
            }
            (code, reason) = (500, Some(Reason::WebhookRedirects));
        }
        if let Some(reason) = reason {
            self.desk.count(Counter::Refused(reason));
        }
        let told = reason.filter(|_| asking.known);
        self.answer_message(asking.server, &asking.flow, &request, asking.tag, code, told);
        let sid = asking.facts.call;
        self.desk.trace_sent(sid, None);
        self.desk.note_message(sid, MessageStep::Answered(code, reason));
        self.reply(&asking, &verbs);
        asking.permit.release();
    }

    fn answer_message(
        &mut self,
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
        tag: Tag,
        code: u16,
        reason: Option<Reason>,
    ) {
        let mut writer = compose::response(&mut self.desk.paper, request, flow, code, Some(tag.as_bytes()));
        compose::own_reason(&mut writer, reason);
        match code {
            415 => {
                writer.header(Name::Accept, &[b"text/plain"]);
            }
            420 => {
                for option in unsupported(request) {
                    writer.header(Name::Unsupported, &[option]);
                }
            }
            _ => {}
        }
        writer.finish();
        self.desk.respond(server, code);
    }

    /// The MESSAGEs of a document, up to its first other verb, to where the first one came from.
    fn reply(&mut self, asking: &Asking, verbs: &[Verb]) {
        let replies = verbs.iter().map_while(|verb| match verb {
            Verb::Message(reply) => Some(reply),
            _ => None,
        });
        for reply in replies.take(REPLIES) {
            self.send_reply(asking, reply);
        }
    }

    fn send_reply(&mut self, asking: &Asking, reply: &Reply) {
        let to = reply.to.as_ref().unwrap_or(&asking.facts.from);
        // Nobody can be written to who did not say who it is.
        if to.is_empty() || (reply.to.is_none() && &**to == "anonymous") {
            return;
        }
        let desk = &mut self.desk;
        let flow = match desk.is_closed(&asking.flow) {
            true => Flow { connection: None, ..asking.flow },
            false => asking.flow,
        };
        let key = desk.config.shard_key;
        let shard = key.shard_of_call_id(asking.request.message().call_id());
        let branch = desk.mint_branch(shard);
        let call_id = asking.chain.call_id(shard, &key, &mut desk.generator);
        let outgoing = Outgoing {
            flow: &flow,
            branch,
            call_id: &call_id,
            tag: Tag::mint(shard, &mut desk.generator),
            from: reply.from.as_ref().unwrap_or(&asking.facts.to),
            to,
            text: &reply.text,
        };
        let mut paper = std::mem::take(&mut desk.paper);
        compose::message(&mut paper, &desk.config, &outgoing);
        desk.paper = paper;
        let sent = desk.request(b"MESSAGE", branch, flow, Owner { call: 0, role: Role::Reply });
        let sid = asking.facts.call;
        desk.trace_sent(sid, None);
        desk.note_message(sid, MessageStep::Sent);
        self.replies.insert(sent, sid);
    }

    /// What the transaction of an application's own MESSAGE tells.
    pub(super) fn reply_heard(&mut self, event: &Followed, response: Option<&Message<'_>>) {
        let Some(&sid) = self.replies.get(&event.id) else { return };
        let end = match (event.tell, response) {
            (Some(Tell::Response), Some(response)) => {
                self.desk.trace_received(sid, None, response);
                response.code().filter(|code| *code >= 200).map(ReplyEnd::Answered)
            }
            (Some(Tell::TransportError), _) => Some(ReplyEnd::NotSent),
            (Some(Tell::TimedOut(_)), _) => Some(ReplyEnd::TimedOut),
            _ => event.ended.then_some(ReplyEnd::TimedOut),
        };
        if let Some(end) = end {
            self.replies.remove(&event.id);
            self.desk.note_message(sid, MessageStep::Reply(end));
        }
    }
}

/// What a MESSAGE says: its body, when that is text.
fn text_of(message: &Message<'_>) -> Option<Arc<str>> {
    let kind = message.value(Name::ContentType)?;
    let end = memchr::memchr(b';', kind).unwrap_or(kind.len());
    let is_text = crate::sip::trim(&kind[..end]).eq_ignore_ascii_case(b"text/plain");
    let text = std::str::from_utf8(message.body()).ok().filter(|text| is_text && !text.is_empty())?;
    Some(text.into())
}
