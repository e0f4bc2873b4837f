//! From bound listeners to what the engine shows of them in Via and Contact.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::call::config::Listener;
use crate::net::{Bound, Planned};
use crate::routing::model::Prefix;

/// A listener whose `advertise` or `local-nets` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("listener `{name}`: {what}")]
pub struct BadAdvertise {
    name: String,
    what: String,
}

/// The engine's view of every bound listener.
///
/// # Errors
/// The first whose words cannot be read.
pub fn for_engine(bound: &[Bound]) -> Result<Vec<Listener>, BadAdvertise> {
    bound.iter().map(listener).collect()
}

fn listener(bound: &Bound) -> Result<Listener, BadAdvertise> {
    let plan = &bound.plan;
    let mut advertise = advertised(plan, bound.address.port())?;
    let mut local_nets = local_nets(plan)?;
    if advertise.is_none() && bound.address.ip().is_unspecified() {
        // A wildcard names no address that a peer could answer to: the one this host would use to
        // reach the world stands for it, except toward the host itself.
        advertise = primary(bound.address).map(|ip| (ip.to_string().into(), bound.address.port()));
        local_nets.push(loopback(bound.address));
    }
    Ok(Listener {
        id: bound.id,
        name: plan.name.as_str().into(),
        transport: plan.spec.transport,
        bind: bound.address,
        advertise,
        local_nets,
    })
}

/// Checks the words of a listener that is not bound yet.
///
/// # Errors
/// As `for_engine`.
pub fn check(plan: &Planned) -> Result<(), BadAdvertise> {
    advertised(plan, 5060)?;
    local_nets(plan).map(drop)
}

fn advertised(plan: &Planned, bound_port: u16) -> Result<Option<(Arc<str>, u16)>, BadAdvertise> {
    let Some(text) = &plan.advertise else { return Ok(None) };
    let bad = |what: &str| BadAdvertise {
        name: plan.name.clone(),
        what: format!("advertise `{text}` {what}: write HOST or HOST:PORT, IPv6 as [ADDRESS]:PORT"),
    };
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Some((ip.to_string().into(), bound_port)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad("has no port behind the colon"))?),
        None => (text.as_str(), bound_port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if host.is_empty() || !host.chars().all(name) {
        return Err(bad("names no host"));
    }
    Ok(Some((host.into(), port)))
}

fn local_nets(plan: &Planned) -> Result<Vec<Prefix>, BadAdvertise> {
    let read = |text: &String| {
        prefix(text).ok_or_else(|| BadAdvertise {
            name: plan.name.clone(),
            what: format!("local-nets `{text}` is no prefix: write ADDRESS/LENGTH, as 10.0.0.0/8"),
        })
    };
    plan.local_nets.iter().map(read).collect()
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some(Prefix { address, length })
}

fn loopback(bound: SocketAddr) -> Prefix {
    match bound {
        SocketAddr::V4(_) => Prefix { address: IpAddr::from([127, 0, 0, 0]), length: 8 },
        SocketAddr::V6(_) => Prefix { address: IpAddr::from(Ipv6Addr::LOCALHOST), length: 128 },
    }
}

/// The source address the kernel would take toward the world. Nothing is sent: connecting a
/// datagram socket only looks the route up.
fn primary(bound: SocketAddr) -> Option<IpAddr> {
    let (any, world): (IpAddr, IpAddr) = if bound.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    } else {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((world, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ListenerId;

    fn bound(bind: &str, advertise: Option<&str>, nets: &[&str]) -> Bound {
        let plan = Planned {
            name: "one".into(),
            spec: format!("udp://{bind}").parse().unwrap(),
            advertise: advertise.map(str::to_owned),
            local_nets: nets.iter().map(|net| (*net).to_owned()).collect(),
        };
        Bound { id: ListenerId(0), address: bind.parse().unwrap(), plan, receive_buffer: None }
    }

    #[test]
    fn what_is_advertised_is_read_in_every_spelling() {
        for (text, host, port) in [
            ("sip.example.com", "sip.example.com", 5070),
            ("sip.example.com:5062", "sip.example.com", 5062),
            ("203.0.113.9", "203.0.113.9", 5070),
            ("[2001:db8::1]:5062", "2001:db8::1", 5062),
            ("2001:db8::1", "2001:db8::1", 5070),
        ] {
            let listener = &for_engine(&[bound("10.0.0.1:5070", Some(text), &["10.0.0.0/8"])]).unwrap()[0];
            let (read, at) = listener.advertise.as_ref().unwrap();
            assert_eq!((&**read, *at), (host, port), "{text}");
        }
    }

    #[test]
    fn wrong_words_name_the_listener_and_the_way_to_write_them() {
        for (advertise, nets, part) in [
            (Some("host:x"), &[][..], "has no port"),
            (Some("a b"), &[], "names no host"),
            (None, &["10.0.0.0"], "is no prefix"),
            (None, &["10.0.0.0/33"], "is no prefix"),
        ] {
            let error = for_engine(&[bound("10.0.0.1:5060", advertise, nets)]).unwrap_err().to_string();
            assert!(error.contains("listener `one`") && error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_wildcard_is_never_shown_to_a_peer_of_this_host() {
        let listener = &for_engine(&[bound("0.0.0.0:5060", None, &[])]).unwrap()[0];
        assert_eq!(listener.local_nets, [Prefix { address: IpAddr::from([127, 0, 0, 0]), length: 8 }]);
        if let Some((host, _)) = &listener.advertise {
            assert_ne!(&**host, "0.0.0.0");
        }
    }
}
