//! Who looks at a call before it rings: one that wants a password (digest, RFC 7616, computed here by
//! itself), and one that sends it elsewhere (3xx).

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::plan::Todo;
use super::{Hands, MS, Phone};
use crate::people::{GUIDES, MUTE, SICK};
use crate::provision::{PASSWORD, REALM, USER};
use crate::text::Text;
use crate::world::TARGETS;

/// What it does with an INVITE first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clerk {
    /// It asks who calls.
    Guard,
    /// It says where else the call may go.
    Guide,
}

/// What one caller was asked for.
pub struct Asked {
    code: u16,
    sha: bool,
    realm: &'static str,
    nonce: String,
    /// Its next right answer is too late.
    stale: u32,
    /// How often its nonce was used.
    used: u32,
}

impl Phone {
    /// Whether the clerk deals with the INVITE of this branch.
    pub(super) fn clerk_answers(&mut self, hands: &mut Hands<'_>, branch: &str) -> bool {
        let Some(clerk) = self.clerk else { return false };
        let Some(at) = self.server.iter().rposition(|server| server.branch == branch) else { return false };
        let invite = self.server[at].request.clone();
        let refusal = match clerk {
            Clerk::Guard => self.challenge(hands, &invite),
            Clerk::Guide => Some(self.elsewhere(hands, &invite)),
        };
        let Some((code, extra)) = refusal else { return false };
        self.server[at].extra = extra;
        let mut when = hands.now + hands.rng.between(5, 400) * MS;
        let tag = format!("k{}", self.fresh());
        let plan = |phone: &mut Self, when: u64, code: u16| {
            phone.later(when, Todo::Respond { branch: branch.to_owned(), code, tag: tag.clone() });
        };
        if !self.plain && hands.rng.chance(15) {
            plan(self, when, hands.rng.pick(&[180, 183]));
            when += hands.rng.between(20, 900) * MS;
        }
        plan(self, when, code);
        true
    }

    /// The challenge to an INVITE; `None`: it said the password.
    fn challenge(&mut self, hands: &mut Hands<'_>, invite: &Text) -> Option<(u16, String)> {
        let id = invite.call_id().to_owned();
        let nonce = format!("n{}\\\"{}", self.fresh(), hands.rng.below(1_000_000));
        let Some(asked) = self.asked.get_mut(&id) else {
            let realm = if self.plain || hands.rng.chance(75) { REALM } else { "elsewhere" };
            let stale = if hands.rng.chance(30) { 1 } else { 0 };
            let asked = Asked {
                code: hands.rng.pick(&[401, 407]),
                sha: hands.rng.chance(50),
                realm,
                nonce,
                stale,
                used: 0,
            };
            let said = asked.say(false, hands.rng.chance(50));
            self.asked.insert(id, asked);
            return Some(said);
        };
        let header = if asked.code == 401 { "authorization" } else { "proxy-authorization" };
        let answer = invite.get(header).to_owned();
        if answer.is_empty() {
            return Some(asked.say(false, false));
        }
        let count = u32::from_str_radix(&parameter(&answer, "nc").unwrap_or_default(), 16).unwrap_or(0);
        let right = asked.is_right(&answer, invite.uri()) && count > asked.used;
        asked.used = count;
        let by_name = parameter(&answer, "username").as_deref() == Some(USER);
        let stale = right && asked.stale > 0;
        if right && !stale {
            return None;
        }
        asked.stale = asked.stale.saturating_sub(1);
        (asked.nonce, asked.used) = (nonce, 0);
        let (code, mut lines) = asked.say(stale, false);
        if by_name && !right {
            lines += "X-Refused: digest\r\n";
        }
        Some((code, lines))
    }

    /// Where the call may go instead.
    fn elsewhere(&mut self, hands: &mut Hands<'_>, invite: &Text) -> (u16, String) {
        let rng = &mut hands.rng;
        let user = invite.uri().split('@').next().unwrap_or_default().to_owned();
        let mut lines = String::new();
        for at in 0..rng.between(1, 4) {
            let last = match rng.below(8) {
                _ if self.plain && at == 0 => 1,
                0 if !self.plain => rng.pick(&[SICK, MUTE]),
                1 => rng.pick(&[61, 62]),
                2 if !self.plain => rng.pick(&GUIDES),
                3 if !self.plain => self
                    .place
                    .addr
                    .ip()
                    .to_string()
                    .rsplit('.')
                    .next()
                    .map_or(1, |last| last.parse().expect("an address ends in a number")),
                _ => u8::try_from(rng.between(1, u64::from(TARGETS))).expect("a target"),
            };
            let port = if last > 60 { "" } else { ":5060" };
            let smuggled = if rng.chance(20) { "?X-Evil=1&Route=%3Csip:evil%3E" } else { "" };
            let uri = match rng.below(20) {
                0 if at > 0 => "tel:+15551".to_owned(),
                1 if at > 0 => format!("{user}@203.0.113.{last}{port};method=BYE"),
                _ => format!("{user}@203.0.113.{last}{port}{smuggled}"),
            };
            let q = rng.pick(&["", ";q=1.0", ";q=0.9", ";q=0.5", ";q=0.05", ";q=0.5"]);
            lines += &format!("Contact: <{uri}>{q}\r\n");
        }
        (if self.plain { 302 } else { rng.pick(&[300, 301, 302, 302]) }, lines)
    }
}

impl Asked {
    /// The code and the challenge, SHA-256 with MD5 beside it or one alone.
    fn say(&self, stale: bool, both: bool) -> (u16, String) {
        let name = if self.code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        let stale = if stale { ", stale=TRUE" } else { "" };
        let line = |algorithm: &str| {
            format!(
                "{name}: Digest realm=\"{}\", nonce=\"{}\", opaque=\"o, p\"{stale}, qop=\"auth,auth-int\"{algorithm}\r\n",
                self.realm, self.nonce
            )
        };
        let lines = match (self.sha, both) {
            (true, true) => line(", algorithm=MD5") + &line(", algorithm=SHA-256"),
            (true, false) => line(", algorithm=SHA-256"),
            _ => line(""),
        };
        (self.code, lines)
    }

    fn is_right(&self, answer: &str, uri: &str) -> bool {
        let of = |name: &str| parameter(answer, name).unwrap_or_default();
        let sha = of("algorithm") == "SHA-256";
        let hash = |text: String| match sha {
            true => hex(&Sha256::digest(text.as_bytes())),
            false => hex(&Md5::digest(text.as_bytes())),
        };
        let one = hash(format!("{USER}:{}:{PASSWORD}", self.realm));
        let two = hash(format!("INVITE:{}", of("uri")));
        let wanted = hash(format!("{one}:{}:{}:{}:{}:{two}", of("nonce"), of("nc"), of("cnonce"), of("qop")));
        of("username") == USER
            && of("realm") == self.realm
            && of("nonce") == self.nonce
            && of("opaque") == "o, p"
            && of("uri") == uri
            && of("qop") == "auth"
            && sha == self.sha
            && of("response") == wanted
    }
}

/// A parameter of a Digest header, its quotes taken off and what they escape kept.
pub fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.strip_prefix("Digest ")?;
    loop {
        let (own, value) = rest.trim_start_matches([' ', ',']).split_once('=')?;
        let end = match value.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let closing = quoted.find(|sign| {
                    let closes = sign == '"' && !escaped;
                    escaped = sign == '\\' && !escaped;
                    closes
                })?;
                closing + 2
            }
            None => value.find(',').unwrap_or(value.len()),
        };
        if own == name {
            return Some(value[..end].trim_matches('"').to_owned());
        }
        rest = &value[end..];
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
