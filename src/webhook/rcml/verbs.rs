//! Elements to instructions.

use std::time::Duration;

use super::Error;
use super::dial;
use super::tree::Element;
use super::values::{resolve, sip_uri, with_headers, wrong};
use crate::call::instructions::{Document, Reply, Verb};
use crate::outbound::Target;
use crate::routing::model::Hook;

/// Verbs that are known and need media, which this router has none of: they are handed
/// over whole, so what stands in them is not read.
const MEDIA: &[&str] = &[
    "Say",
    "Play",
    "Gather",
    "Record",
    "Enqueue",
    "Leave",
    "Fax",
    "Email",
    "Conference",
    "Connect",
    "Start",
    "Stop",
    "Echo",
    "Prompt",
    "Pay",
];

/// The longest text of a message: it leaves in one datagram (RFC 3428 8).
const MESSAGE: usize = 1_000;

/// The document of a root element.
pub(super) fn document(root: &Element, base: &Target) -> Result<Document, Error> {
    if root.name != "Response" {
        return Err(wrong(format!("the root is {}, not Response", root.name)));
    }
    let foreign = root.attributes.iter().find(|(name, _)| !is_namespace(name));
    if let Some((name, _)) = foreign {
        return Err(wrong(format!("Response has no attribute {name}")));
    }
    if !root.text.trim().is_empty() {
        return Err(wrong("there is text between the verbs"));
    }
    let mut verbs = Vec::with_capacity(root.children.len());
    for element in &root.children {
        verbs.extend(verb(element, base)?);
    }
    Ok(Document { verbs, url: base.url().into() })
}

/// Declares a prefix; nothing here has one, so it is harmless.
fn is_namespace(name: &str) -> bool {
    name == "xmlns" || name.starts_with("xmlns:")
}

fn verb(element: &Element, base: &Target) -> Result<Option<Verb>, Error> {
    match element.name.as_str() {
        "Dial" => dial::dial(element, base).map(Some),
        "Reject" => reject(element).map(Some),
        "Redirect" => redirect(element, base),
        "Pause" => {
            element.only(&["length"])?;
            element.hollow()?;
            let length = element.seconds("length", (0, 3_600))?.unwrap_or(Duration::from_secs(1));
            Ok(Some(Verb::Pause(length)))
        }
        "Hangup" => {
            element.only(&[])?;
            element.hollow()?;
            Ok(Some(Verb::Hangup))
        }
        "Refer" => refer(element).map(Some),
        "Sms" | "Message" => message(element).map(Some),
        name if MEDIA.contains(&name) => Ok(Some(Verb::Media(name.into()))),
        name => Err(wrong(format!("the verb {name} is not known"))),
    }
}

fn reject(element: &Element) -> Result<Verb, Error> {
    element.only(&["reason", "status"])?;
    element.hollow()?;
    let by_reason = if element.get("reason")? == Some("busy") { 486 } else { 603 };
    let Some(text) = element.get("status")? else { return Ok(Verb::Reject { status: by_reason }) };
    // 401 and 407 would ask the caller for credentials nobody checks.
    let status =
        text.parse().ok().filter(|status| (400..=699).contains(status) && ![401, 407].contains(status));
    let status = status.ok_or_else(|| {
        wrong(format!("Reject status=\"{text}\": expected 400 to 699, without 401 and 407"))
    })?;
    Ok(Verb::Reject { status })
}

fn message(element: &Element) -> Result<Verb, Error> {
    element.only(&["to", "from", "action", "method", "statusCallback"])?;
    element.childless()?;
    let text = element.text.trim();
    let printable = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    if text.is_empty() || text.len() > MESSAGE || !printable {
        return Err(wrong(format!("{} holds 1 to {MESSAGE} octets of text", element.name)));
    }
    let party = |name: &str| -> Result<Option<std::sync::Arc<str>>, Error> {
        match element.get(name)? {
            Some(who) if who.len() > 128 => Err(wrong(format!("{} {name} is too long", element.name))),
            who => Ok(who.map(Into::into)),
        }
    };
    Ok(Verb::Message(Reply { to: party("to")?, from: party("from")?, text: text.into() }))
}

/// An empty one is passed over, as Restcomm does.
fn redirect(element: &Element, base: &Target) -> Result<Option<Verb>, Error> {
    element.only(&["method"])?;
    element.childless()?;
    let method = element.method("method")?;
    match element.trimmed()? {
        "" => Ok(None),
        text => Ok(Some(Verb::Redirect(Hook { url: resolve(text, base)?, method }))),
    }
}

fn refer(element: &Element) -> Result<Verb, Error> {
    element.only(&[])?;
    match element.children.as_slice() {
        [sip] if sip.name == "Sip" && element.text.trim().is_empty() => {
            sip.only(&[])?;
            sip.childless()?;
            // Its headers, X- ones only, are for whoever follows the 302.
            let text = sip.trimmed()?;
            with_headers(text)?;
            Ok(Verb::Refer { target: sip_uri(text)? })
        }
        _ => Err(wrong("Refer holds exactly one Sip")),
    }
}
