//! A noun made ready to be invited: its Request-URI, its next hop, whom it is shown.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::call::callerid;
use crate::call::desk::Desk;
use crate::call::history::Origin;
use crate::call::instructions::{Dial, Noun, Target};
use crate::call::leg_events;
use crate::call::privacy::Privacy;
use crate::call::probe;
use crate::call::state::{Call, Plan};
use crate::flow::{Destination, Transport};
use crate::reason::Reason;
use crate::routing::model::{ForwardedAs, Gateway};
use crate::sip::Uri;
use crate::transport::next_hop::{self, Unresolved};

impl Call {
    /// Makes a noun ready: its Request-URI, its next hop, the caller id it is shown.
    pub(super) fn plan(
        &self,
        desk: &Desk,
        noun: &Noun,
        dial: &Dial,
        gateway: Option<&Gateway>,
    ) -> Result<(Plan, Host), Reason> {
        let now = desk.provision.as_ref().ok_or(Reason::Internal)?;
        if let Some(id) = &dial.caller_id
            && !callerid::may_show(now.as_ref(), &self.facts, id)
        {
            return Err(Reason::CallerIdRefused);
        }
        let (mut trusted, mut rules, mut told) = Default::default();
        let mut follow = desk.config.follow_redirects;
        let mut caller_id = dial.caller_id.clone();
        let mut transport = None;
        let uri: Arc<[u8]> = match &noun.target {
            // A document's `?headers` stand beside its target; what is left of others is never sent (19.1.5).
            Target::Sip(uri) => {
                let uri = uri.as_bytes();
                let headers = Uri::parse(uri).map_or(0, |uri| uri.headers.len());
                uri[..uri.len() - headers].strip_suffix(b"?").unwrap_or(uri).into()
            }
            Target::Number(number) => {
                let gateway = gateway.ok_or(Reason::NoGateway)?;
                (trusted, follow) = (gateway.trusted, gateway.follow_redirects);
                rules = gateway.header_rules.clone();
                told = if self.emergency.is_some() { ForwardedAs::None } else { gateway.forwarded_as };
                transport = gateway.transport;
                caller_id = match self.emergency {
                    Some(_) => callerid::for_help(&self.facts, &self.trunk, gateway),
                    None => {
                        Some(callerid::toward(now.as_ref(), &self.facts, &self.trunk, gateway, caller_id))
                    }
                };
                probe::gateway_uri(gateway, Some(number))
            }
            Target::Media(number) => {
                let gateway = gateway.ok_or(Reason::NoMedia)?;
                (trusted, rules) = (gateway.trusted, gateway.header_rules.clone());
                transport = gateway.transport;
                probe::gateway_uri(gateway, Some(number))
            }
            Target::Client(name) => {
                let organization = now.organization(self.facts.organization);
                let registrar = organization.and_then(|organization| organization.registrar.clone());
                callerid::client_uri(&registrar.ok_or(Reason::NoRegistrar)?, name)
                    .ok_or(Reason::NoRegistrar)?
            }
        };
        if !trusted && self.emergency.is_none() && !self.redirects() && self.is_beyond_us() {
            return Err(Reason::PrivacyUnavailable);
        }
        let (host, named) = Uri::parse(&uri).and_then(|uri| hop_of(&uri)).ok_or(Reason::TargetInvalid)?;
        let uri = self.emergency_service().unwrap_or(uri);
        let ours = matches!(noun.target, Target::Media(_));
        let headers = noun.headers.iter().filter(|(name, _)| ours || is_extension(name)).cloned().collect();
        let transport = named.or(transport);
        let host = match host {
            Host::At(at) => Host::At(Destination { transport: transport.unwrap_or(at.transport), ..at }),
            Host::Name(name) => Host::Name(Unresolved { transport: name.transport.or(transport), ..name }),
        };
        let (to, callback) = (leg_events::party(&noun.target), noun.callback.clone());
        let of_gateway = gateway.filter(|_| matches!(noun.target, Target::Number(_) | Target::Media(_)));
        let credentials = match of_gateway {
            Some(gateway) => gateway.credentials.clone(),
            None => noun.credentials.clone(),
        };
        let gateway = of_gateway.map(|gateway| gateway.sid);
        let (request_uri, depth, origin) = (uri, 0, Origin::Document);
        let plan = Plan {
            request_uri,
            transport,
            caller_id,
            headers,
            trusted,
            rules,
            told,
            follow,
            depth,
            origin,
            credentials,
            gateway,
            to,
            callback,
        };
        Ok((plan, host))
    }

    /// Whether the caller asks for a privacy that only a trusted peer could give it.
    fn is_beyond_us(&self) -> bool {
        self.invite.as_ref().is_some_and(|kept| Privacy::of(&kept.message()).is_beyond_us())
    }

    /// The service URN of an emergency call: it stays the Request-URI, so that what lies behind the
    /// gateway can still route by it (RFC 5031 3).
    fn emergency_service(&self) -> Option<Arc<[u8]>> {
        let kept = self.emergency.as_ref().and(self.invite.as_ref())?;
        let request = kept.message();
        let urns = [request.uri_bytes(), request.to().uri];
        let is_service =
            |uri: &&[u8]| uri.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"urn:service:"));
        urns.into_iter().find(is_service).map(Into::into)
    }
}

/// A host, as a URI names it.
#[derive(Debug)]
pub(super) enum Host {
    /// An address literal.
    At(Destination),
    /// To be located.
    Name(Unresolved),
}

/// A next hop before DNS, and the transport that its URI insists on.
pub(super) fn hop_of(uri: &Uri<'_>) -> Option<(Host, Option<Transport>)> {
    let hop = next_hop::next_hop(uri).ok()?;
    let host = match hop.address {
        Some(address) => {
            let address = SocketAddr::new(address, hop.port);
            Host::At(Destination { transport: hop.transport, address })
        }
        None => Host::Name(hop.unresolved()?),
    };
    Some((host, hop.is_explicit.then_some(hop.transport)))
}

/// `X-` headers only, ours excepted.
fn is_extension(name: &str) -> bool {
    let starts =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    starts("X-") && !starts("X-Callgate-") && token
}
