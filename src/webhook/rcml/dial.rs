//! `<Dial>` and its nouns.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::tree::Element;
use super::values::{client, number, sip_uri, with_headers, wrong};
use crate::call::instructions::{Credentials, Dial, Noun, NounCallback, Target as DialTarget, Verb};
use crate::outbound::Target;

/// Nouns rung together at most: a document must not turn one call into a flood.
const NOUNS: usize = 20;

/// Nouns that need media.
const MEDIA: &[&str] = &["Conference", "Queue", "Video"];

/// Callback attributes of every noun.
const CALLBACK: [&str; 3] = ["statusCallback", "statusCallbackMethod", "statusCallbackEvent"];

pub(super) fn dial(element: &Element, base: &Target) -> Result<Verb, Error> {
    element.only(&["action", "method", "timeout", "timeLimit", "callerId", "record", "answerOnBridge"])?;
    let recording = !matches!(element.get("record")?, None | Some("false" | "do-not-record"));
    if recording {
        return Ok(Verb::Media("Dial record".into()));
    }
    // As in Restcomm, a conference among the nouns wins over the others.
    let media = element.children.iter().find(|noun| MEDIA.contains(&noun.name.as_str()));
    if let Some(noun) = media {
        return Ok(Verb::Media(noun.name.as_str().into()));
    }
    // A screening document is played to the callee.
    if element.children.iter().any(|noun| noun.attributes.iter().any(|(name, _)| name == "url")) {
        return Ok(Verb::Media("Dial url".into()));
    }
    let nouns = nouns(element, base)?;
    let caller_id = element.get("callerId")?;
    if caller_id.is_some_and(|id| id.len() > 64) {
        return Err(wrong("Dial callerId is longer than 64 octets"));
    }
    Ok(Verb::Dial(Dial {
        nouns,
        timeout: element.seconds("timeout", (1, 3_600))?.unwrap_or(Duration::from_secs(30)),
        time_limit: element.seconds("timeLimit", (1, 86_400))?.unwrap_or(Duration::from_secs(14_400)),
        caller_id: caller_id.map(Arc::from),
        action: element.hook("action", "method", base)?,
    }))
}

fn nouns(element: &Element, base: &Target) -> Result<Vec<Noun>, Error> {
    let text = element.trimmed()?;
    if element.children.is_empty() {
        return Ok(vec![bare(text)?]);
    }
    if !text.is_empty() {
        return Err(wrong("Dial holds both text and nouns"));
    }
    if element.children.len() > NOUNS {
        return Err(wrong("Dial rings more than 20 targets"));
    }
    element.children.iter().map(|child| noun(child, base)).collect()
}

/// Text instead of a noun: with an `@` a SIP URI, `client…` a client, else a number.
fn bare(text: &str) -> Result<Noun, Error> {
    let (target, headers) = with_headers(text)?;
    let target = if target.contains('@') {
        DialTarget::Sip(sip_uri(target)?)
    } else if let Some(name) = target.strip_prefix("client") {
        DialTarget::Client(client(name.trim_start_matches([':', ' ']))?)
    } else {
        DialTarget::Number(number(target)?)
    };
    Ok(Noun { target, headers, credentials: None, group: None, callback: None })
}

fn noun(element: &Element, base: &Target) -> Result<Noun, Error> {
    element.childless()?;
    let (text, headers) = with_headers(element.trimmed()?)?;
    let target = match element.name.as_str() {
        "Sip" | "Uri" => DialTarget::Sip(sip_uri(text)?),
        "Number" => DialTarget::Number(number(text)?),
        "Client" => DialTarget::Client(client(text)?),
        name => return Err(wrong(format!("{name} may not stand inside Dial"))),
    };
    let credentials = match &target {
        DialTarget::Sip(_) => {
            element.only(&[&CALLBACK[..], &["username", "password", "realm"]].concat())?;
            credentials(element)?
        }
        DialTarget::Number(_) => {
            element.only(&[&CALLBACK[..], &["gatewayGroup"]].concat())?;
            None
        }
        DialTarget::Client(_) | DialTarget::Media(_) => {
            element.only(&CALLBACK)?;
            None
        }
    };
    let group = element.get("gatewayGroup")?.filter(|name| !name.is_empty()).map(Arc::from);
    Ok(Noun { target, headers, credentials, group, callback: callback(element, base)? })
}

fn credentials(element: &Element) -> Result<Option<Arc<Credentials>>, Error> {
    let password = element.get("password")?.unwrap_or_default().to_owned();
    let username = element.get("username")?.map(str::to_owned);
    let realm = element.get("realm")?.map(str::to_owned);
    Ok(username.map(|username| Arc::new(Credentials { username, password, realm })))
}

fn callback(element: &Element, base: &Target) -> Result<Option<Arc<NounCallback>>, Error> {
    let hook = element.hook("statusCallback", "statusCallbackMethod", base)?;
    let mut events = 0;
    let words = element.get("statusCallbackEvent")?.unwrap_or("initiated ringing answered completed");
    for word in words.split([' ', ',']).filter(|word| !word.is_empty()) {
        events |= match word {
            "initiated" => 1,
            "ringing" => 2,
            "answered" => 4,
            "completed" => 8,
            _ => return Err(wrong(format!("{} statusCallbackEvent: `{word}` is no event", element.name))),
        };
    }
    Ok(hook.map(|hook| Arc::new(NounCallback { hook, events })))
}
