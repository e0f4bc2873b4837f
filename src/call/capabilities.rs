//! What each side of a call hears of the other's abilities: no more than passes through us.

use crate::call::compose::ALLOW;
use crate::call::headers;
use crate::sip::{Message, Name, Writer};

/// What of our methods the far side of a call is said to take where it says nothing itself: UPDATE
/// and PRACK are left to those who know them (RFC 3311 4, RFC 3262 4).
const COMMON: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, NOTIFY";

/// The far side's Allow without what does not pass through us; `always`: one of ours where it has
/// none, as INVITE and its 2xx (13.2.1, 13.3.1.4) and 405 (21.4.6) must.
pub(super) fn allow(writer: &mut Writer<'_>, message: &Message<'_>, always: bool) {
    let mut methods = message.values(Name::Allow).filter(|method| is_served(method));
    match methods.next() {
        Some(first) => {
            writer.begin(Name::Allow).bytes(first);
            for method in methods {
                writer.bytes(b", ").bytes(method);
            }
            writer.end();
        }
        None if always => {
            writer.header(Name::Allow, &[COMMON]);
        }
        None => {}
    }
}

fn is_served(method: &[u8]) -> bool {
    ALLOW.split(|&byte| byte == b',').any(|known| known.trim_ascii() == method)
}

/// An option-tag list without the tags we are not transparent to, and without `except`.
pub(super) fn options(writer: &mut Writer<'_>, message: &Message<'_>, name: Name, except: &[&[u8]]) {
    let passes = |tag: &&[u8]| {
        headers::transparent_option(tag) && !except.iter().any(|not| not.eq_ignore_ascii_case(tag))
    };
    let mut tags = message.values(name).filter(passes);
    let Some(first) = tags.next() else { return };
    writer.begin(name).bytes(first);
    for tag in tags {
        writer.bytes(b", ").bytes(tag);
    }
    writer.end();
}

/// What the caller hears of a target's refusal: the code, and the header lines that say what to do
/// about it. A refusal that names nothing the caller could change becomes one that asks nothing.
pub(super) fn refusal(code: u16, response: &Message<'_>, caller: &Message<'_>) -> (u16, Box<[u8]>) {
    let mut lines = Vec::new();
    let mut writer = Writer::append(&mut lines);
    let otherwise = match code {
        // 21.4.15: what of the caller's Require the target does not know.
        420 => {
            let asked = [Name::Require, Name::ProxyRequire];
            let of_caller = |tag: &&[u8]| asked.iter().any(|name| lists(caller, *name, tag));
            for tag in response.values(Name::Unsupported).filter(of_caller) {
                writer.header(Name::Unsupported, &[tag]);
            }
            500
        }
        // 21.4.16: what the caller would have to support, and could.
        421 => {
            let news = |tag: &&[u8]| headers::transparent_option(tag) && !lists(caller, Name::Supported, tag);
            for tag in response.values(Name::Require).filter(news) {
                writer.header(Name::Require, &[tag]);
            }
            480
        }
        // RFC 4028 6: the caller's own wish was too short.
        422 => {
            if caller.session_expires().is_some() {
                pass(&mut writer, response, Name::MinSe);
            }
            500
        }
        // 21.4.13: what it would take instead.
        415 => {
            for name in [Name::Accept, Name::AcceptEncoding, Name::AcceptLanguage] {
                pass(&mut writer, response, name);
            }
            488
        }
        488 | 606 => {
            pass(&mut writer, response, Name::Warning);
            code
        }
        _ => code,
    };
    let code = if lines.is_empty() { otherwise } else { code };
    (code, lines.into())
}

fn pass(writer: &mut Writer<'_>, message: &Message<'_>, name: Name) {
    for header in message.all(name) {
        writer.bytes(header.line);
    }
}

fn lists(message: &Message<'_>, name: Name, tag: &[u8]) -> bool {
    message.values(name).any(|known| known.eq_ignore_ascii_case(tag))
}
