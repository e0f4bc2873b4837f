//! What applications are told about a call, in the order in which it is sent.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::call::facts::CallFacts;
use crate::call::outcome::{CallStatus, DialOutcome};
use crate::ids::{CallSid, InstanceSid};
use crate::moment::iso8601;

/// Names and values of one request, in order.
#[derive(Clone, Debug, Default)]
pub struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Their form, where it is known.
    form: Option<Arc<str>>,
}

impl<'a> Params<'a> {
    /// Adds one at the end.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.form = None;
        self.pairs.push((name.into(), value.into()));
    }

    /// Gives the first with this name another value.
    pub fn set(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        self.form = None;
        if let Some(pair) = self.pairs.iter_mut().find(|(known, _)| known == name) {
            pair.1 = value.into();
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// They were encoded before, and that was what came of it.
    #[must_use]
    pub fn with_form(mut self, form: Arc<str>) -> Self {
        self.form = Some(form);
        self
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { pairs: Vec::with_capacity(capacity), form: None }
    }

    /// The value of the first with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// `application/x-www-form-urlencoded`, UTF-8, appended to `out`.
    #[must_use]
    pub fn encode(&self, out: String) -> String {
        let mut out = out;
        if let Some(form) = &self.form {
            out.push_str(form);
            return out;
        }
        // Escapes aside; a form that grows as it is written is copied five times over.
        out.reserve(self.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() * 5 / 4);
        form_urlencoded::Serializer::for_suffix(out, 0).extend_pairs(self.iter()).finish()
    }

    /// What is told of a Dial that is over, to its `action`.
    pub fn push_dial(&mut self, outcome: &'a DialOutcome) {
        self.push("DialCallSid", outcome.leg.map_or_else(String::new, |leg| leg.to_string()));
        self.push("DialCallStatus", outcome.status.as_str());
        self.push("DialCallDuration", seconds_up(outcome.duration));
        self.push("DialRingDuration", seconds_up(outcome.ring_duration));
        if let Some(call_id) = &outcome.sip_call_id {
            self.push("DialSipCallId", call_id.as_str());
        }
        if let Some(code) = outcome.sip_code {
            self.push("DialSipResponseCode", code.to_string());
        }
        for (name, value) in &outcome.sip_headers {
            self.push(format!("DialSipHeader_{name}"), &**value);
        }
    }
}

/// The parameters every request about a call carries (the voice list): always present, empty when
/// unknown, and where they apply SipTo, OutboundCallSid and the SIP headers.
#[must_use]
pub fn voice_params<'a>(
    facts: &'a CallFacts,
    instance: InstanceSid,
    status: CallStatus,
    outbound: Option<CallSid>,
    started: SystemTime,
) -> Params<'a> {
    let mut params = Params::with_capacity(24 + facts.sip_headers.len());
    params.push("CallSid", facts.call.to_string());
    params.push("InstanceId", instance.to_string());
    if let Some(outbound) = outbound {
        params.push("OutboundCallSid", outbound.to_string());
    }
    params.push("AccountSid", facts.account.to_string());
    params.push("From", &*facts.from);
    params.push("To", &*facts.to);
    params.push("CallStatus", status.as_str());
    params.push("ApiVersion", "2012-04-24");
    params.push("Direction", "inbound");
    params.push("CallerName", &*facts.caller_name);
    params.push("ForwardedFrom", &*facts.forwarded_from);
    params.push("CallTimestamp", iso8601(timestamp(started)));
    params.push("PhoneNumberSid", facts.number.map_or_else(String::new, |sid| sid.to_string()));
    params.push("PhoneNumber", &*facts.number_text);
    params.push("OrganizationSid", facts.organization.to_string());
    params.push("TrunkSid", facts.trunk.map_or_else(String::new, |sid| sid.to_string()));
    params.push("SipCallId", &*facts.sip_call_id);
    params.push("SipSourceIp", facts.sip_source.to_string());
    // Nothing verifies callers yet, so nothing is known of them.
    params.push("StirVerstat", "");
    if let Some(to) = &facts.sip_to {
        params.push("SipTo", &**to);
    }
    for (name, value) in &facts.sip_headers {
        params.push(format!("SipHeader_{name}"), &**value);
    }
    params
}

/// The parameters of a MESSAGE: `SmsSid` (also as `MessageSid`) is `SM` and 32 hex.
#[must_use]
pub fn sms_params<'a>(facts: &'a CallFacts, instance: InstanceSid, text: &'a str) -> Params<'a> {
    let mut params = Params::with_capacity(18 + facts.sip_headers.len());
    let sid = format!("SM{:032x}", facts.call.0);
    params.push("SmsSid", sid.clone());
    params.push("MessageSid", sid);
    params.push("InstanceId", instance.to_string());
    params.push("AccountSid", facts.account.to_string());
    params.push("From", &*facts.from);
    params.push("To", &*facts.to);
    params.push("Body", text);
    params.push("SmsStatus", "received");
    params.push("ApiVersion", "2012-04-24");
    params.push("Direction", "inbound");
    params.push("PhoneNumberSid", facts.number.map_or_else(String::new, |sid| sid.to_string()));
    params.push("PhoneNumber", &*facts.number_text);
    params.push("OrganizationSid", facts.organization.to_string());
    params.push("TrunkSid", facts.trunk.map_or_else(String::new, |sid| sid.to_string()));
    params.push("SipCallId", &*facts.sip_call_id);
    params.push("SipSourceIp", facts.sip_source.to_string());
    for (name, value) in &facts.sip_headers {
        params.push(format!("SipHeader_{name}"), &**value);
    }
    params
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sat, 21 Nov 2026 22:40:19 +0000`.
#[must_use]
pub fn rfc2822(at: SystemTime) -> String {
    let at = TimeZone::UTC.to_datetime(timestamp(at));
    let weekday = WEEKDAYS[usize::from(at.weekday().to_sunday_zero_offset().unsigned_abs())];
    let month = MONTHS[usize::from(at.month().unsigned_abs()) - 1];
    let (day, year) = (at.day(), at.year());
    format!("{weekday}, {day:02} {month} {year} {:02}:{:02}:{:02} +0000", at.hour(), at.minute(), at.second())
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// Whole seconds, rounded up: what is billed.
pub(crate) fn seconds_up(duration: Duration) -> String {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_their_readers_know_them() {
        let at = UNIX_EPOCH + Duration::from_millis(1_530_785_730_123);
        assert_eq!(iso8601(timestamp(at)), "2018-07-05T10:15:30.123Z");
        assert_eq!(rfc2822(at), "Thu, 05 Jul 2018 10:15:30 +0000");
        for step in 0..20_000 {
            let at = UNIX_EPOCH + Duration::from_millis(step * 123_456_789);
            let (whole, date) = ("%Y-%m-%dT%H:%M:%S.%3fZ", "%a, %d %b %Y %H:%M:%S +0000");
            assert_eq!(iso8601(timestamp(at)), timestamp(at).strftime(whole).to_string());
            assert_eq!(rfc2822(at), timestamp(at).strftime(date).to_string());
        }
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(seconds_up(Duration::ZERO), "0");
        assert_eq!(seconds_up(Duration::from_millis(1)), "1");
        assert_eq!(seconds_up(Duration::from_secs(3)), "3");
        assert_eq!(seconds_up(Duration::from_millis(3_001)), "4");
    }

    #[test]
    fn a_form_keeps_order_and_escapes() {
        let mut params = Params::default();
        params.push("To", "+1650");
        params.push("From", "a b&c=é");
        assert_eq!(params.encode(String::new()), "To=%2B1650&From=a+b%26c%3D%C3%A9");
        assert_eq!(params.get("To"), Some("+1650"));
        let mut known = params.with_form("known".into());
        assert_eq!(known.encode("a".to_owned()), "aknown");
        known.push("a", "b");
        assert_eq!(known.encode(String::new()), "To=%2B1650&From=a+b%26c%3D%C3%A9&a=b");
    }
}
