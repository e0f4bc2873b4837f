//! Whom a message comes from: the trunk that its address, its certificate or its words name.

use std::sync::Arc;

use crate::call::proof::Proof;
use crate::engine::core::Engine;
use crate::flow::Flow;
use crate::routing::Directory;
use crate::routing::model::Trunk;
use crate::routing::trunk::{self, Source};
use crate::sip::{Message, Name, Params, Uri, unfold};

impl Engine {
    /// The trunk that a message comes from: one that must prove itself only where its address speaks for it too.
    pub(super) fn trunk_of(&self, flow: &Flow, message: &Message<'_>) -> Option<Arc<Trunk>> {
        self.claimed(flow, message).filter(|trunk| trunk.digest.is_none() || self.is_named(flow))
    }

    /// Whether a trunk names the address, or the peer proved a name by its certificate.
    pub(super) fn is_named(&self, flow: &Flow) -> bool {
        let named = |directory: &Arc<Directory>| directory.trunks().names(flow.peer.ip());
        self.directory.as_ref().is_some_and(named) || !self.names(flow).is_empty()
    }

    /// The trunk that a message claims to come from.
    pub(super) fn claimed(&self, flow: &Flow, message: &Message<'_>) -> Option<Arc<Trunk>> {
        let directory = self.directory.as_ref()?;
        let uri = Uri::parse(message.uri_bytes());
        let (tgrp, trunk_context) =
            if directory.trunks().know_groups() { group(&uri, message) } else { (None, None) };
        let credentials = message.value(Name::Authorization).map(unfold);
        let source = Source {
            username: credentials.as_deref().and_then(Proof::read).map(|proof| proof.username),
            request_host: uri.map_or(&[], |uri| uri.host),
            tgrp,
            trunk_context,
            ..self.source(flow)
        };
        trunk::find(directory, &source).cloned()
    }

    /// Whether some trunk has this source address.
    pub(super) fn is_trunk_address(&self, flow: &Flow) -> bool {
        let Some(directory) = &self.directory else { return false };
        let found = trunk::find(directory, &self.source(flow));
        found.is_some_and(|trunk| trunk.digest.is_none() || self.is_named(flow))
    }

    /// What the way a message came tells of its source, without a look into it.
    fn source(&self, flow: &Flow) -> Source<'_> {
        let listener = self.desk.config.listeners.iter().find(|listener| listener.id == flow.listener);
        Source {
            address: flow.peer,
            listener: listener.map_or("", |listener| &listener.name),
            request_host: &[],
            tgrp: None,
            trunk_context: None,
            names: self.names(flow),
            username: None,
        }
    }

    /// The domains that the peer of a connection proved.
    fn names(&self, flow: &Flow) -> &[Arc<str>] {
        flow.connection.and_then(|connection| self.proved.get(&connection)).map_or(&[], |(_, names)| names)
    }
}

/// `tgrp` and `trunk-context` of the Contact, else of the Request-URI (RFC 4904).
fn group<'a>(uri: &Option<Uri<'a>>, message: &Message<'a>) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
    let contact = message.contacts().next().and_then(|contact| contact.parsed_uri());
    let users = [&contact, uri].map(|uri| uri.as_ref().and_then(|uri| uri.user));
    let parameter = |name: &str| users.iter().flatten().find_map(|user| user_parameter(user, name));
    (parameter("tgrp"), parameter("trunk-context"))
}

/// A parameter of a user part: `alice;tgrp=x;trunk-context=y` (RFC 4904).
fn user_parameter<'a>(user: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = memchr::memchr(b';', user)?;
    Params::new(&user[at..]).get(name)
}
