//! A stateless proxy that records itself, loose or strict: it shares no line with the router nor with
//! the telephones' dialogs.

use std::net::SocketAddr;

use crate::phone::{bare, hop_of};
use crate::text::Text;
use crate::world::{ROUTER, TARGETS};

pub struct Proxy {
    addr: SocketAddr,
    strict: bool,
    /// Where calls toward the router go first.
    next: Option<SocketAddr>,
}

/// Loose, strict, and one that sends through the strict one, on the callers' side.
pub const NEAR: [SocketAddr; 3] = [near(40), near(41), near(42)];
/// Loose and strict, on the targets' side.
pub const FAR: [SocketAddr; 2] = [far(40), far(41)];

const fn near(last: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, last)), 5060)
}

const fn far(last: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, last)), 5060)
}

pub fn all() -> Vec<(SocketAddr, Proxy)> {
    let proxy =
        |addr: SocketAddr, next| (addr, Proxy { addr, strict: addr.ip().to_string().ends_with("41"), next });
    let mut all: Vec<_> = FAR.iter().chain(&NEAR[..2]).map(|addr| proxy(*addr, None)).collect();
    all.push(proxy(NEAR[2], Some(NEAR[1])));
    all
}

impl Proxy {
    /// What it sends for what it got.
    pub fn forward(&self, bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let text = Text::read(bytes).ok()?;
        if text.is_request() { self.request(text) } else { self.response(text) }
    }

    fn request(&self, mut text: Text) -> Option<(SocketAddr, Vec<u8>)> {
        let method = text.method().to_owned();
        let own = format!("sip:{}", self.addr);
        let is_own = |value: &str| bare(value).split(';').next() == Some(own.as_str());
        let mut uri = text.uri().to_owned();
        let mut routes = crate::phone::list(&text, "route");
        if is_own(&uri) && !routes.is_empty() {
            // What a strict router leaves for the one behind it: the target stands last. A strict
            // one takes the next route, which is the target where no other follows.
            let at = if self.strict { 0 } else { routes.len() - 1 };
            uri = bare(&routes.remove(at)).to_owned();
        }
        if routes.first().is_some_and(|route| is_own(route)) {
            routes.remove(0);
        }
        if routes.first().is_some_and(|route| !route.contains(";lr")) {
            routes.push(format!("<{uri}>"));
            uri = bare(&routes.remove(0)).to_owned();
        }
        if hop_of(&uri).addr == self.addr {
            uri = self.located(&uri)?;
        }
        let target = hop_of(routes.first().unwrap_or(&uri)).addr;
        let to = self.next.filter(|_| target == ROUTER).unwrap_or(target);
        let hops: u32 = text.get("max-forwards").parse().ok()?;
        if hops == 0 {
            return None;
        }
        let records = method == "INVITE" && text.to_tag().is_empty();
        let lr = if self.strict { "" } else { ";lr" };
        let mut added =
            vec![("via".to_owned(), format!("SIP/2.0/UDP {};branch={}", self.addr, self.branch(&text)))];
        added.extend(records.then(|| ("record-route".to_owned(), format!("<{own}{lr}>"))));
        added.extend(routes.into_iter().map(|route| ("route".to_owned(), route)));
        text.headers.retain(|(name, _)| name != "route");
        for (name, value) in &mut text.headers {
            if name == "max-forwards" {
                *value = (hops - 1).to_string();
            }
        }
        text.headers.splice(0..0, added);
        text.start = format!("{method} {uri} SIP/2.0");
        Some((to, text.write()))
    }

    /// Where the telephone of a user is.
    fn located(&self, uri: &str) -> Option<String> {
        let user = uri.strip_prefix("sip:")?.split('@').next()?;
        let number: u8 = user.strip_prefix('d')?.parse().ok()?;
        Some(format!("sip:{user}@203.0.113.{}:5060", number % TARGETS + 1))
    }

    /// The same for the same request, so that CANCEL and ACK meet their INVITE (16.11).
    fn branch(&self, text: &Text) -> String {
        format!("{}p{}", text.branch(), self.addr.ip().to_string().replace('.', ""))
    }

    fn response(&self, mut text: Text) -> Option<(SocketAddr, Vec<u8>)> {
        let own = text.headers.iter().position(|(name, _)| name == "via")?;
        text.headers.remove(own);
        let next = text.all("via").next()?.split(' ').nth(1)?.split(';').next()?.to_owned();
        Some((next.parse().ok()?, text.write()))
    }
}
