//! What a dialog is, made from the messages that open it (RFC 3261, 12.1).

use std::sync::Arc;

use crate::flow::Flow;
use crate::sip::{CSeq, Message, Name, NameAddr, Scheme, Uri};

/// One dialog, seen from our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: Arc<[u8]>,
    /// Our tag.
    pub local_tag: Arc<[u8]>,
    /// The peer's tag; empty for a peer of RFC 2543 that has none.
    pub remote_tag: Arc<[u8]>,
    /// Our From or To as written, the tag included.
    pub local: Arc<[u8]>,
    /// The peer's.
    pub remote: Arc<[u8]>,
    /// The remote target: the peer's latest Contact URI.
    pub target: Arc<[u8]>,
    /// The route set in the order it is written into Route.
    pub routes: Vec<Arc<[u8]>>,
    /// What requests go through.
    pub flow: Flow,
    /// Our last CSeq number.
    pub local_cseq: u32,
    /// The peer's last CSeq number; `None` before its first request.
    pub remote_cseq: Option<u32>,
}

/// Our half of a dialog whose INVITE is ours.
#[derive(Clone, Debug)]
pub struct Local {
    /// The INVITE's Call-ID.
    pub call_id: Arc<[u8]>,
    /// The tag of its From.
    pub tag: Arc<[u8]>,
    /// Its From, the tag included.
    pub from: Arc<[u8]>,
    /// Its Request-URI: the remote target until a Contact is heard.
    pub uri: Arc<[u8]>,
    /// Its CSeq number.
    pub cseq: u32,
}

/// A message that opens no dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDialog {
    /// No Contact that names a SIP URI (12.1.1).
    #[error("Contact is missing or holds no SIP URI")]
    Contact,
    /// A Record-Route that cannot be read.
    #[error("Record-Route cannot be read")]
    RecordRoute,
}

impl Dialog {
    /// The dialog that our response with `local_tag` opens to the INVITE `request` (12.1.1). The
    /// route set is its Record-Route in the order received.
    ///
    /// # Errors
    /// The request's Contact or Record-Route is no good: answer 400.
    pub fn uas(request: &Message<'_>, local_tag: &[u8], flow: Flow) -> Result<Self, NoDialog> {
        let (from, to) = (request.from(), request.to());
        let local = match to.tag() {
            Some(_) => to.raw.into(),
            None => [to.raw, b";tag=", local_tag].concat().into(),
        };
        Ok(Self {
            call_id: request.call_id().into(),
            local_tag: local_tag.into(),
            remote_tag: from.tag().unwrap_or_default().into(),
            local,
            remote: from.raw.into(),
            target: contact(request).ok_or(NoDialog::Contact)?,
            routes: record_routes(request)?,
            flow,
            local_cseq: 0,
            remote_cseq: Some(request.cseq().number),
        })
    }

    /// The dialog that `response` opens to our INVITE (12.1.2). The route set is its Record-Route
    /// reversed. A provisional without Contact leaves the INVITE's Request-URI as the target.
    ///
    /// # Errors
    /// The response's Record-Route, or the Contact of a 2xx, is no good.
    pub fn uac(local: &Local, response: &Message<'_>, flow: Flow) -> Result<Self, NoDialog> {
        let to = response.to();
        let is_final = response.code().is_some_and(|code| code >= 200);
        let target = match contact(response) {
            Some(target) => target,
            None if is_final => return Err(NoDialog::Contact),
            None => Arc::clone(&local.uri),
        };
        let mut routes = record_routes(response)?;
        routes.reverse();
        Ok(Self {
            call_id: Arc::clone(&local.call_id),
            local_tag: Arc::clone(&local.tag),
            remote_tag: to.tag().unwrap_or_default().into(),
            local: Arc::clone(&local.from),
            remote: to.raw.into(),
            target,
            routes,
            flow,
            local_cseq: local.cseq,
            remote_cseq: None,
        })
    }

    /// The 2xx came to an early dialog of ours: target and route set are taken from it anew
    /// (13.2.2.4). Sequence numbers stay.
    ///
    /// # Errors
    /// As [`Dialog::uac`]; the dialog is unchanged then.
    pub fn confirm(&mut self, response: &Message<'_>) -> Result<(), NoDialog> {
        let target = contact(response).ok_or(NoDialog::Contact)?;
        let mut routes = record_routes(response)?;
        routes.reverse();
        self.target = target;
        self.routes = routes;
        Ok(())
    }

    /// The peer's part of a target refresh: an INVITE or UPDATE of its own, or its 2xx to ours
    /// (12.2.1.2, 12.2.2). Gives true when the target changed; the route set never does.
    pub fn refresh(&mut self, message: &Message<'_>) -> bool {
        match contact(message) {
            Some(target) if target != self.target => {
                self.target = target;
                true
            }
            _ => false,
        }
    }

    /// Whether a request of the peer is inside this dialog (12.2.2).
    #[must_use]
    pub fn owns_request(&self, request: &Message<'_>) -> bool {
        let (from, to) = (request.from(), request.to());
        self.is(request.call_id(), to.tag(), from.tag())
    }

    /// Whether a response to us is inside this dialog.
    #[must_use]
    pub fn owns_response(&self, response: &Message<'_>) -> bool {
        let (from, to) = (response.from(), response.to());
        self.is(response.call_id(), from.tag(), to.tag())
    }

    /// Takes the CSeq of a message of ours that others wrote (a request made elsewhere, an INVITE
    /// that was repeated with credentials) as the last one used.
    pub fn note_sent(&mut self, cseq: CSeq<'_>) {
        self.local_cseq = self.local_cseq.max(cseq.number);
    }

    /// Whether requests to the peer go by a sips URI: our Contact must be one then (8.1.1.8).
    #[must_use]
    pub fn is_sips(&self) -> bool {
        let route = self.routes.first().and_then(|route| NameAddr::parse(route)?.parsed_uri());
        [Uri::parse(&self.target), route].into_iter().flatten().any(|uri| uri.scheme == Scheme::Sips)
    }

    fn is(&self, call_id: &[u8], local_tag: Option<&[u8]>, remote_tag: Option<&[u8]>) -> bool {
        *self.call_id == *call_id
            && *self.local_tag == *local_tag.unwrap_or_default()
            && *self.remote_tag == *remote_tag.unwrap_or_default()
    }
}

/// The URI of the first Contact, where it is a sip or sips one.
fn contact(message: &Message<'_>) -> Option<Arc<[u8]>> {
    let contact = message.contacts().next()?;
    contact.parsed_uri().filter(crate::sip::Uri::is_sip).map(|uri| uri.raw.into())
}

/// All of Record-Route, in order. One that cannot be read makes all of them useless: a request
/// that leaves a hop out never arrives.
fn record_routes(message: &Message<'_>) -> Result<Vec<Arc<[u8]>>, NoDialog> {
    let sound = |element: &[u8]| NameAddr::parse(element).and_then(|route| route.parsed_uri()).is_some();
    message
        .values(Name::RecordRoute)
        .map(|element| if sound(element) { Ok(element.into()) } else { Err(NoDialog::RecordRoute) })
        .collect()
}
