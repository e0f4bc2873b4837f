//! One notice as a signed request, and the answer as what came of it.

use std::time::{Duration, SystemTime};

use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::fmt::rfc2822;

use super::notice::Notice;
use super::receiver::Result as TryResult;
use crate::call::outcome::Terminal;
use crate::call::record::LegEvent;
use crate::ids::InstanceSid;
use crate::outbound::{
    BadUrl, Failure, Identity, Params, Request, Response, Targets, rfc2822 as rfc2822_date, seconds_up,
    voice_params,
};
use crate::routing::model::SigningKeys;

/// The request of one try.
pub(super) fn request(
    notice: &Notice,
    keys: &SigningKeys,
    instance: InstanceSid,
    targets: &Targets,
    now: SystemTime,
) -> Result<Request, BadUrl> {
    let hook = notice.hook().ok_or(BadUrl::Relative)?;
    let facts = &notice.facts;
    let target = targets.of(&hook.url, &facts.base_url)?;
    let id = format!("evt_{}_{}", notice.line(), notice.event.sequence);
    let identity = Identity { id: &id, keys, now };
    let mut params = params(notice, instance);
    if let Some(form) = &notice.form {
        params = params.with_form(form.clone());
    }
    Request::signed(target, hook.method, &params, identity, facts.post_query_in_body)
}

/// The form-encoded parameters of a notice, as the list of deliveries shows them.
#[must_use]
pub fn body(notice: &Notice, instance: InstanceSid) -> String {
    params(notice, instance).encode(String::new())
}

/// The voice list, and what is known of the event.
fn params(notice: &Notice, instance: InstanceSid) -> Params<'_> {
    if let Some(event) = &notice.leg {
        return leg_params(notice, event, instance);
    }
    let event = notice.event;
    let mut params = voice_params(&notice.facts, instance, event.status, notice.outbound, notice.started);
    params.push("CallbackEvent", event.status.callback_event());
    params.push("SequenceNumber", event.sequence.to_string());
    params.push("Timestamp", rfc2822_date(notice.at));
    if let Some(terminal) = &notice.terminal {
        push_terminal(&mut params, terminal);
    }
    params
}

/// What a noun's callback is told of its leg.
fn leg_params<'n>(notice: &'n Notice, event: &'n LegEvent, instance: InstanceSid) -> Params<'n> {
    let facts = &notice.facts;
    let mut params = Params::default();
    params.push("CallSid", event.leg.leg.to_string());
    params.push("ParentCallSid", facts.call.to_string());
    params.push("InstanceId", instance.to_string());
    params.push("AccountSid", facts.account.to_string());
    params.push("From", &*event.leg.from);
    params.push("To", &*event.leg.to);
    params.push("CallStatus", event.status.as_str());
    params.push("ApiVersion", "2012-04-24");
    params.push("Direction", "outbound-dial");
    params.push("CallerName", &*facts.caller_name);
    params.push("ForwardedFrom", &*facts.forwarded_from);
    params.push("CallbackSource", "call-progress-events");
    params.push("SequenceNumber", event.sequence().to_string());
    params.push("Timestamp", rfc2822_date(notice.at));
    if event.status.is_terminal() {
        params.push("CallDuration", seconds_up(event.duration));
        params.push("SipResponseCode", event.sip_code.to_string());
    }
    params
}

fn push_terminal(params: &mut Params<'_>, terminal: &Terminal) {
    params.push("CallDuration", seconds_up(terminal.duration));
    params.push("SipResponseCode", terminal.sip_code.to_string());
    params.push("ReasonCode", terminal.reason.code());
    params.push("HangupSource", terminal.source.as_str());
}

/// What a try came to: for the plan, and in words.
pub(super) fn judge(answer: &Result<Response, Failure>, now: SystemTime) -> (TryResult, Option<u16>, String) {
    match answer {
        Ok(response) => {
            let status = response.status;
            let result = match status {
                200..=299 => TryResult::Taken,
                410 => TryResult::Gone,
                _ => TryResult::Failed { outage: false, retry_after: retry_after(&response.headers, now) },
            };
            let error = match result {
                TryResult::Taken => String::new(),
                _ => format!("HTTP {status}"),
            };
            (result, Some(status), error)
        }
        Err(failure) => {
            let outage = !matches!(failure, Failure::Overloaded);
            let cause = std::error::Error::source(failure);
            let error = cause.map_or_else(|| failure.to_string(), |cause| format!("{failure}: {cause}"));
            (TryResult::Failed { outage, retry_after: None }, None, error)
        }
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // RFC 9110 5.6.7 writes the zone of its dates as GMT.
    let date = rfc2822::parse(&text.replace("GMT", "+0000")).ok()?;
    let at = SystemTime::from(date.timestamp());
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_530_785_730);
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            retry_after(&headers, now)
        };
        assert_eq!(read("3600"), Some(Duration::from_secs(3600)));
        assert_eq!(read("Thu, 05 Jul 2018 10:16:30 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("Thu, 05 Jul 2018 10:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
