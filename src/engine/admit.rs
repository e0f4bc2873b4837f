//! A new INVITE: from its trunk to a call, or to a refusal with its reason.

use std::sync::Arc;

use crate::call::ask::Counter;
use crate::call::compose;
use crate::call::desk::{Owner, Role};
use crate::call::events::Birth;
use crate::call::facts::CallFacts;
use crate::call::mint::Chain;
use crate::call::session;
use crate::call::state::Call;
use crate::engine::arrival::unsupported;
use crate::engine::config::UnknownSource;
use crate::engine::core::Engine;
use crate::engine::facts::{self, Found};
use crate::engine::inbound::inbound;
use crate::flow::{Flow, Transport};
use crate::ids::{AccountSid, OrganizationSid};
use crate::reason::Reason;
use crate::routing::decide::{Decision, decide};
use crate::routing::limits::Permit;
use crate::routing::model::{Gateway, Trunk, VoiceProfile};
use crate::sip::{Kept, Message, Name, Scheme, Uri};
use crate::transaction::key::RequestParts;
use crate::transaction::table::TransactionId;

/// A call that may begin.
struct Admitted {
    facts: CallFacts,
    chain: Chain,
    permit: Permit,
    emergency: Option<Arc<Gateway>>,
    tried: Arc<str>,
}

/// A refusal.
struct Refusal {
    code: u16,
    reason: Reason,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { code: reason.status(), reason }
    }
}

impl Engine {
    /// An INVITE outside dialogs that no transaction knows.
    pub(super) fn invite(&mut self, flow: Flow, parts: &RequestParts<'_>, message: &Message<'_>) {
        let trunk = match self.claimed(&flow, message) {
            Some(trunk) if !self.proves(flow, &trunk, message) => return,
            Some(trunk) => Some(trunk),
            None => match self.desk.config.unknown_source {
                // Before the first directory nobody is unknown yet.
                UnknownSource::Reject | UnknownSource::DefaultOrganization if self.directory.is_none() => {
                    None
                }
                UnknownSource::DefaultOrganization if self.home_of_unknown().is_some() => None,
                UnknownSource::Reject | UnknownSource::DefaultOrganization => {
                    self.desk.count(Counter::UnknownSource);
                    return self.refuse_from(None, flow, message, 403, None);
                }
                UnknownSource::Drop => {
                    self.desk.count(Counter::UnknownSource);
                    return self.desk.count(Counter::Stranger);
                }
            },
        };
        if self.sheds(flow, trunk.as_deref(), message) {
            return;
        }
        let known = trunk.is_some();
        let trunk = trunk.unwrap_or_else(|| Arc::clone(&self.stranger));
        let owner = Owner { call: 0, role: Role::None };
        let server = self.serve(flow, parts, message, trunk.force_rport, owner);
        let desk = &mut self.desk;
        compose::response(&mut desk.paper, message, &flow, 100, None).finish();
        desk.respond(server, 100);
        let told = known.then_some(&*trunk);
        match self.admit(&flow, told, message) {
            Ok(admitted) => self.admitted(flow, server, trunk, message, admitted),
            Err(refusal) => self.refuse_invite(flow, server, message, refusal, known),
        }
    }

    fn admitted(
        &mut self,
        flow: Flow,
        server: TransactionId,
        trunk: Arc<Trunk>,
        message: &Message<'_>,
        admitted: Admitted,
    ) {
        let key = self.desk.next_call();
        let shard = self.desk.config.shard_key.shard_of_call_id(message.call_id());
        self.desk.table.set_owner(server, Owner { call: key, role: Role::Caller });
        let birth = Birth {
            key,
            shard,
            facts: Arc::new(admitted.facts),
            trunk,
            chain: admitted.chain,
            invite: Kept::new(message),
            flow,
            server,
            emergency: admitted.emergency,
        };
        let call = Call::new(&mut self.desk, birth);
        let sid = call.sid();
        self.desk.trace_received(sid, None, message);
        self.desk.trace(sid, crate::call::trace::TraceItem::Routed(admitted.tried));
        self.begin(call, admitted.permit);
    }

    /// Answers an INVITE that becomes no call; its transaction sees to the ACK.
    fn refuse_invite(
        &mut self,
        flow: Flow,
        server: TransactionId,
        message: &Message<'_>,
        refusal: Refusal,
        known: bool,
    ) {
        let Refusal { code, reason } = refusal;
        let tag = self.response_tag(message);
        let desk = &mut self.desk;
        let mut writer = compose::response(&mut desk.paper, message, &flow, code, Some(tag.as_bytes()));
        compose::own_reason(&mut writer, known.then_some(reason));
        if code == 420 {
            for option in unsupported(message) {
                writer.header(Name::Unsupported, &[option]);
            }
        }
        if code == 422 {
            writer.numeric(Name::MinSe, session::LEAST.into());
        }
        writer.finish();
        desk.respond(server, code);
        desk.count(Counter::Refused(reason));
    }

    /// Whether the INVITE is sound, whom it is for, and whether one more call may be.
    fn admit(
        &mut self,
        flow: &Flow,
        trunk: Option<&Trunk>,
        message: &Message<'_>,
    ) -> Result<Admitted, Refusal> {
        let uri = self.sound(flow, message)?;
        let directory = self.directory.clone().ok_or(Reason::Draining)?;
        let inbound = inbound(trunk, self.home_of_unknown(), &uri, message);
        match decide(&directory, &inbound) {
            Decision::Refused(reason) => Err(reason.into()),
            Decision::Unasked { number, account } => {
                let reason = Reason::NumberWithoutApplication;
                self.desk.remark(account.sid, reason, number.text().into());
                Err(reason.into())
            }
            Decision::Emergency { gateway, dialled } => {
                let found = self.emergency(flow, trunk, directory.generation(), &dialled);
                let permit = self.limits.admit_always(found.trunk, None);
                let gateway = Some(Arc::clone(gateway));
                let facts = facts::of(found, message, trunk);
                let chain = Chain::read(message.call_id(), &self.desk.config.shard_key);
                let tried = "emergency: straight to the gateway".into();
                Ok(Admitted { facts, chain, permit, emergency: gateway, tried })
            }
            Decision::Application(chosen) => {
                self.available()?;
                let chain = self.chain(message, chosen.organization.sid, chosen.form.as_bytes())?;
                let permit = self.limits.admit(self.desk.now, trunk, chosen.account).map_err(|reason| {
                    Refusal { code: trunk.map_or(486, |trunk| trunk.limit_code), reason }
                })?;
                let text = chosen.number.text();
                let tried =
                    format!("{} led to {text} in generation {}", &*chosen.form, directory.generation())
                        .into();
                let base = chosen.organization.base_url.clone();
                let found = Found {
                    call: self.desk.mint_sid(),
                    account: chosen.account.sid,
                    organization: chosen.organization.sid,
                    number: Some(chosen.number.sid()),
                    number_text: text.into(),
                    trunk: trunk.map(|trunk| trunk.sid),
                    profile: chosen.profile(),
                    base_url: base
                        .unwrap_or_else(|| format!("https://{}", chosen.organization.domain).into()),
                    post_query_in_body: chosen.organization.post_query_in_body,
                    dialled: (&*chosen.dialled).into(),
                    source: flow.peer.ip(),
                    started: self.desk.now,
                    generation: directory.generation(),
                };
                Ok(Admitted {
                    facts: facts::of(found, message, trunk),
                    chain,
                    permit,
                    emergency: None,
                    tried,
                })
            }
        }
    }

    /// 8.2.2: what must hold of an INVITE before anything else is looked at.
    fn sound<'a>(&self, flow: &Flow, message: &Message<'a>) -> Result<Uri<'a>, Reason> {
        let uri = message.uri().ok_or(Reason::BadRequest)?;
        let service = matches!(uri.scheme, Scheme::Other(scheme) if scheme.eq_ignore_ascii_case(b"urn"));
        if matches!(uri.scheme, Scheme::Other(_)) && !service {
            return Err(Reason::UnsupportedScheme);
        }
        // sips means TLS on every hop (26.2.2): what came in clear is not served as if it had not.
        let contact = message.contacts().next().and_then(|contact| contact.parsed_uri());
        let secured = [Some(uri), contact].into_iter().flatten().any(|uri| uri.scheme == Scheme::Sips);
        if secured && flow.transport != Transport::Tls {
            return Err(Reason::UnsupportedScheme);
        }
        if message.max_forwards() == Some(0) {
            return Err(Reason::TooManyHops);
        }
        if unsupported(message).next().is_some() {
            return Err(Reason::BadExtension);
        }
        if session::is_too_short(message) {
            return Err(Reason::SessionTooShort);
        }
        if !contact.is_some_and(|uri| uri.is_sip()) {
            return Err(Reason::BadRequest);
        }
        Ok(uri)
    }

    /// Where sources without a trunk belong, if anywhere.
    pub(super) fn home_of_unknown(&self) -> Option<OrganizationSid> {
        let welcome = self.desk.config.unknown_source == UnknownSource::DefaultOrganization;
        let home = self.directory.as_ref().filter(|_| welcome)?.default_organization()?;
        Some(home.sid)
    }

    /// Whether this node takes one more call now.
    pub(super) fn available(&self) -> Result<(), Reason> {
        if self.draining {
            return Err(Reason::Draining);
        }
        if self.journal_full {
            return Err(Reason::JournalFull);
        }
        if self.unanswered >= self.max_calls {
            return Err(Reason::Overloaded);
        }
        Ok(())
    }

    /// RFC 7332: a call that comes back to where it has been is a loop.
    pub(super) fn chain(
        &self,
        message: &Message<'_>,
        organization: OrganizationSid,
        form: &[u8],
    ) -> Result<Chain, Reason> {
        let key = &self.desk.config.shard_key;
        let chain = Chain::read(message.call_id(), key);
        let mark = key.mark(organization.0, form);
        if chain.forbids(mark) { Err(Reason::Loop) } else { Ok(chain.with(mark)) }
    }

    fn emergency(&mut self, flow: &Flow, trunk: Option<&Trunk>, generation: u64, dialled: &str) -> Found {
        Found {
            call: self.desk.mint_sid(),
            account: AccountSid(0),
            organization: trunk.and_then(|trunk| trunk.organization).unwrap_or(OrganizationSid(0)),
            number: None,
            number_text: "".into(),
            trunk: trunk.map(|trunk| trunk.sid),
            profile: Arc::new(VoiceProfile::default()),
            base_url: "".into(),
            post_query_in_body: false,
            dialled: dialled.into(),
            source: flow.peer.ip(),
            started: self.desk.now,
            generation,
        }
    }
}
