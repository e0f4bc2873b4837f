//! A REFER inside an answered call becomes a question to the refer application.

use std::sync::Arc;

use crate::call::ask::{Purpose, Referral};
use crate::call::compose;
use crate::call::desk::{Desk, What};
use crate::call::program::Program;
use crate::call::state::{Call, Side};
use crate::flow::Flow;
use crate::reason::Reason;
use crate::sip::{Message, Name, NameAddr, Uri};
use crate::transaction::table::TransactionId;

use super::{LASTS, Transfer};

impl Call {
    /// A REFER inside the answered call.
    pub(in crate::call) fn referred(
        &mut self,
        desk: &mut Desk,
        (pair, by): (usize, Side),
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
    ) {
        let referral = match self.referral(pair, request) {
            Ok(referral) => referral,
            Err(reason) => {
                return self.refuse_request(desk, server, flow, request, reason.status(), Some(reason));
            }
        };
        let Some(hook) = self.facts.profile.refer.clone() else { return };
        let silent = request.value(Name::ReferSub).is_some_and(|value| value.starts_with(b"false"));
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = compose::response(&mut paper, request, flow, 202, None);
        let by_sips = self.pairs[pair].dialog(by).is_sips();
        compose::contact(&mut writer, &desk.config, flow, self.flow.local, by_sips);
        if silent {
            writer.header(Name::ReferSub, &[b"false"]);
        }
        writer.finish();
        desk.paper = paper;
        desk.respond(server, 202);
        desk.trace_sent(self.facts.call, self.leg_of(pair, by));
        let timer = Some(desk.start(LASTS, self.key, What::Transfer));
        self.transfer = Some(Box::new(Transfer {
            pair,
            by,
            id: request.cseq().number,
            silent,
            gone: false,
            asked: None,
            program: Program::default(),
            run: None,
            pause: None,
            leg: None,
            made: None,
            timer,
            answer: None,
            refreshed: None,
            session: None,
            least_session: 0,
            busy: None,
            waits: 0,
        }));
        self.ask(desk, Purpose::Refer(hook, Box::new(referral)));
        self.notify(desk, 100);
    }

    /// What the application is told, or why there is no transfer.
    pub(super) fn referral(&self, pair: usize, request: &Message<'_>) -> Result<Referral, Reason> {
        let (mut targets, two) = (request.addresses(Name::ReferTo), ());
        let target = targets.next().filter(|_| targets.next().is_none());
        let (Some(target), ()) = (target, two) else { return Err(Reason::BadRequest) };
        let uri = target.parsed_uri().ok_or(Reason::BadRequest)?;
        let replaces = |headers: &[u8]| {
            headers
                .split(|&byte| byte == b'&')
                .any(|header| header.get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"Replaces=")))
        };
        if replaces(uri.headers.strip_prefix(b"?").unwrap_or(uri.headers)) {
            return Err(Reason::ReplacesUnsupported);
        }
        if self.facts.profile.refer.is_none() || self.winner != Some(pair) || self.over {
            return Err(Reason::ReferWithoutApplication);
        }
        if self.transfer.is_some() {
            return Err(Reason::RequestPending);
        }
        let user = |address: &NameAddr<'_>| address.parsed_uri().map_or_else(|| "".into(), |uri| text(&uri));
        let contact = request.contacts().next().map(|contact| user(&contact));
        Ok(Referral {
            target: text(&uri),
            transferor: contact.filter(|user| !user.is_empty()).unwrap_or_else(|| user(&request.from())),
            transferee: user(&request.to()),
        })
    }
}

/// A user part as applications read it.
fn text(uri: &Uri<'_>) -> Arc<str> {
    let decoded = uri.decoded_user();
    let shown = String::from_utf8_lossy(&decoded);
    let hides = shown.chars().any(char::is_control);
    if hides { String::from_utf8_lossy(uri.user.unwrap_or_default()).into() } else { shown.into() }
}
