//! Reason codes: one per refusal and per end of a call, the same in `X-Callgate-Reason`, in the log
//! line, in the metric label, in the call's trace and in the README's catalogue.

use std::fmt;

macro_rules! reasons {
    ($($variant:ident = $code:literal, $status:literal, $sentence:literal;)*) => {
        /// Why a call was refused or ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $variant,)*
        }

        impl Reason {
            /// Every reason, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code users see.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The SIP status it usually comes with; 0 where it is not an answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it means and what to do, for the catalogue.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// The reason with this code.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }
        }
    };
}

reasons! {
    // Ends that are nobody's fault.
    Completed = "completed", 0, "The call was answered and one side hung up.";
    Canceled = "canceled", 487, "The caller hung up before an answer.";
    Rejected = "rejected", 603, "The application answered Reject or Hangup, or a document without a target.";
    Redirected = "redirected", 302, "The caller was sent to another address, as the application or the trunk's mode says.";
    HungUp = "hung_up", 0, "The call was ended from outside (API).";
    TimeLimit = "time_limit", 0, "An answered call reached its timeLimit.";
    // The target's side.
    TargetBusy = "target_busy", 486, "The target answered busy.";
    TargetRefused = "target_refused", 0, "The target answered another final response, which the caller got.";
    NoAnswer = "no_answer", 408, "Nobody answered within the Dial's timeout.";
    InviteExpired = "invite_expired", 487, "Nobody answered within the time that the caller's Expires gave.";
    TargetSilent = "target_silent", 408, "The target gave no response at all.";
    TargetUnreachable = "target_unreachable", 500, "The target's address could not be reached: transport error or no connection.";
    TargetUnresolved = "target_unresolved", 500, "The target's host name has no address.";
    TargetInvalid = "target_invalid", 500, "The document names a target that is no SIP URI.";
    TargetNotAllowed = "target_not_allowed", 403, "The account may not dial this target: see its dial_domains, dial_prefixes and dial_countries.";
    DialLimit = "dial_limit", 403, "The account dials more targets than its dial_per_minute allows.";
    NoGateway = "no_gateway", 500, "The document dials a Number and there is no gateway in its group that takes calls: add one, or resume one that drains.";
    NoRegistrar = "no_registrar", 500, "The document dials a Client and the organization has no registrar: set one.";
    CallerIdRefused = "caller_id_refused", 500, "callerId is neither the caller's number nor one of the account's.";
    PrivacyUnavailable = "privacy_unavailable", 500, "The caller asks for Privacy: session;critical, and the target is not trusted to give it.";
    NoAck = "no_ack", 0, "The caller's ACK never came within 64*T1.";
    NoPrack = "no_prack", 500, "The caller's PRACK of a reliable provisional response never came within 64*T1.";
    PeerLost = "peer_lost", 0, "A side no longer answers or no longer knows the dialog.";
    // The application's side.
    WebhookTimeout = "webhook_timeout", 500, "No URL of the application answered within the budget.";
    WebhookUnreachable = "webhook_unreachable", 500, "The application's host could not be resolved or connected to.";
    WebhookStatus = "webhook_status", 500, "The application answered with an HTTP status that is no success.";
    WebhookNotFound = "webhook_not_found", 404, "The application answered 404.";
    WebhookEmpty = "webhook_empty", 500, "The application answered with an empty body.";
    WebhookNotXml = "webhook_not_xml", 500, "The application's answer is no well-formed XML without DTD.";
    WebhookNotRcml = "webhook_not_rcml", 500, "The answer's root is not Response, or a verb or attribute is unknown or wrong.";
    WebhookTooLarge = "webhook_too_large", 500, "The answer passed a limit: 64 KiB, depth 32.";
    WebhookRedirects = "webhook_redirects", 500, "More than 3 HTTP redirects, or documents redirecting without end.";
    WebhookUrlInvalid = "webhook_url_invalid", 500, "A stored URL cannot be requested: not http or https, or malformed.";
    WebhookAddressRefused = "webhook_address_refused", 500, "The URL leads to a private address; allow it with webhook.allow-private-addresses.";
    WebhookOverloaded = "webhook_overloaded", 500, "256 requests to this URL are already in flight.";
    NoMedia = "no_media", 500, "The document needs media (Say, Play, …) and no media server is configured.";
    // Routing.
    UnknownNumber = "unknown_number", 404, "No number, pattern or catch-all matches; `callgate explain` shows what was tried.";
    NumberWithoutApplication = "number_without_application", 404, "The number has no voice URL, and neither its account nor its organization has a default application.";
    NumberNotInService = "number_not_in_service", 404, "The number is not in service.";
    AccountNotActive = "account_not_active", 403, "The number's account is suspended or closed.";
    OrganizationNotActive = "organization_not_active", 403, "The organization is suspended or closed.";
    UnknownSource = "unknown_source", 403, "No trunk matches the source address: add one with `callgate trunks add`.";
    TrunkNotActive = "trunk_not_active", 403, "The trunk is suspended or closed.";
    GatewaysOut = "gateways_out", 500, "Every gateway of the group has asked to be left alone for a while (503 with Retry-After).";
    EmergencyWithoutGateway = "emergency_without_gateway", 404, "An emergency number was dialled and no gateway serves emergency calls.";
    NumberUndialable = "number_undialable", 484, "The dialled string is empty or cannot be decoded.";
    TrunkLimit = "trunk_limit", 486, "The trunk's limit of calls at once or per second is reached.";
    AccountLimit = "account_limit", 486, "The account's limit of calls at once or per second is reached.";
    // This node.
    Draining = "draining", 503, "This node is shutting down or has no directory yet.";
    Overloaded = "overloaded", 503, "This node has more to do than it can.";
    JournalFull = "journal_full", 503, "The disk is full or too slow: no call is admitted that could be lost.";
    Internal = "internal", 500, "A fault of callgate's own; the log has more.";
    // The message.
    BadRequest = "bad_request", 400, "The message is malformed; the reason phrase names the header.";
    UnsupportedScheme = "unsupported_scheme", 416, "The Request-URI is neither sip, sips nor tel, or a sips address did not come over TLS.";
    BadExtension = "bad_extension", 420, "Require names an extension that is not supported.";
    SessionTooShort = "session_too_short", 422, "Session-Expires asks for a refresh more often than every 90 seconds.";
    MethodNotAllowed = "method_not_allowed", 405, "This method is not served outside a dialog.";
    UnsupportedMedia = "unsupported_media", 415, "The body's type cannot be read.";
    NoSuchDialog = "no_such_dialog", 481, "The dialog or transaction does not exist.";
    Loop = "loop", 482, "The call came back to where it has been, or is a merged copy.";
    TooManyHops = "too_many_hops", 483, "Max-Forwards reached 0.";
    BreadthExceeded = "breadth_exceeded", 440, "The caller's Max-Breadth is smaller than the number of targets rung together.";
    RequestPending = "request_pending", 491, "Another request of this dialog is still pending.";
    ReferWithoutApplication = "refer_without_application", 404, "REFER came in a call whose number has no ReferUrl: set one.";
    ReplacesUnsupported = "replaces_unsupported", 501, "Refer-To asks to replace another dialog (attended transfer), which is not served.";
    BadVersion = "bad_version", 505, "Only SIP/2.0 is spoken.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_code_is_unique_and_found_again() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
    }
}
