//! What stays the same about a call from its INVITE on, as applications are told it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::ids::{AccountSid, CallSid, NumberSid, OrganizationSid, TrunkSid};
use crate::routing::model::VoiceProfile;
use crate::time::Instant;

/// The constant half of every webhook request and callback of one call.
///
/// A call keeps the URLs it began with, even when its number is edited or deleted meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    /// `CallSid`.
    pub call: CallSid,
    /// `AccountSid`.
    pub account: AccountSid,
    /// `OrganizationSid`.
    pub organization: OrganizationSid,
    /// `PhoneNumberSid`; `None` for emergency calls.
    pub number: Option<NumberSid>,
    /// `PhoneNumber`: the row's own text.
    pub number_text: Arc<str>,
    /// `TrunkSid`; `None` for the default organization of an unknown source.
    pub trunk: Option<TrunkSid>,
    /// The effective URLs: the application's laid over the number's.
    pub profile: Arc<VoiceProfile>,
    /// What relative URLs resolve against.
    pub base_url: Arc<str>,
    /// See [`crate::routing::model::Organization::post_query_in_body`].
    pub post_query_in_body: bool,
    /// `From`: the caller's number, or `anonymous`.
    pub from: Arc<str>,
    /// `To`: the user part that routing used.
    pub to: Arc<str>,
    /// `SipTo`: the To header's user where it differs.
    pub sip_to: Option<Arc<str>>,
    /// `CallerName`: the display name, empty when there is none.
    pub caller_name: Arc<str>,
    /// `ForwardedFrom`, empty when there is none.
    pub forwarded_from: Arc<str>,
    /// `SipCallId`: the A leg's Call-ID.
    pub sip_call_id: Arc<str>,
    /// `SipSourceIp`.
    pub sip_source: IpAddr,
    /// `SipHeader_…`: the INVITE's `X-` headers and Diversion, name as written, value unfolded.
    pub sip_headers: Vec<(Arc<str>, Arc<str>)>,
    /// `CallTimestamp`, on the engine's scale.
    pub started: Instant,
    /// The directory's generation that decided.
    pub generation: u64,
}

impl CallFacts {
    /// Whose call it is and no more: what is still asked of a call that is over.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            call: self.call,
            account: self.account,
            organization: self.organization,
            number: self.number,
            number_text: Arc::default(),
            trunk: self.trunk,
            profile: self.profile.clone(),
            base_url: Arc::default(),
            post_query_in_body: self.post_query_in_body,
            from: Arc::default(),
            to: Arc::default(),
            sip_to: None,
            caller_name: Arc::default(),
            forwarded_from: Arc::default(),
            sip_call_id: Arc::default(),
            sip_source: self.sip_source,
            sip_headers: Vec::new(),
            started: self.started,
            generation: self.generation,
        }
    }
}

#[cfg(test)]
impl CallFacts {
    /// Of a test's call, to `+1` from `+2`, that nobody is told of.
    pub fn plain(call: CallSid) -> Self {
        Self {
            call,
            account: AccountSid(1),
            organization: OrganizationSid(1),
            number: None,
            number_text: "+1".into(),
            trunk: None,
            profile: Arc::default(),
            base_url: "".into(),
            post_query_in_body: false,
            from: "+2".into(),
            to: "+1".into(),
            sip_to: None,
            caller_name: "".into(),
            forwarded_from: "".into(),
            sip_call_id: "c".into(),
            sip_source: IpAddr::from([127, 0, 0, 1]),
            sip_headers: Vec::new(),
            started: Instant::ZERO,
            generation: 1,
        }
    }
}
