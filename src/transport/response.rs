//! Where a response goes (RFC 3261, 18.2.2; RFC 3581, 4).

use std::net::SocketAddr;

use crate::flow::{Flow, Transport};
use crate::sip::{Stamp, Via};

/// What is noted in the top Via of a request that came through `flow` (18.2.1).
#[must_use]
pub const fn stamp(flow: &Flow) -> Stamp {
    Stamp { address: flow.peer.ip(), port: flow.peer.port() }
}

/// The flow of the responses to a request: back to the source address and out of the address that
/// received, over a stream through the same connection. The port over UDP is the source port where
/// the client asked for it by `rport`, or the trunk is set to `force_rport`, and else the one of
/// Via. `maddr` is ignored: nobody sends our answers to a third party.
#[must_use]
pub fn flow(received: Flow, via: &Via<'_>, force_rport: bool) -> Flow {
    if received.transport.is_reliable() || force_rport || via.rport().is_some() {
        return received;
    }
    Flow { peer: SocketAddr::new(received.peer.ip(), via_port(received.transport, via)), ..received }
}

/// Where a response goes when the connection of its request is gone: a new one to the source
/// address at the port of Via (18.2.2). `None` for UDP, which has no connection to lose.
#[must_use]
pub fn fallback(received: Flow, via: &Via<'_>) -> Option<Flow> {
    received.connection?;
    let peer = SocketAddr::new(received.peer.ip(), via_port(received.transport, via));
    Some(Flow { peer, connection: None, ..received })
}

fn via_port(transport: Transport, via: &Via<'_>) -> u16 {
    via.port.unwrap_or_else(|| super::next_hop::default_port(transport))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ConnectionId, ListenerId};

    fn received(transport: Transport) -> Flow {
        Flow {
            transport,
            listener: ListenerId(3),
            local: "192.0.2.1".parse().unwrap(),
            peer: "198.51.100.7:40000".parse().unwrap(),
            connection: transport.is_reliable().then_some(ConnectionId(8)),
            domain: None,
        }
    }

    fn udp(via: &str, force: bool) -> String {
        let flow = flow(received(Transport::Udp), &Via::parse(via.as_bytes()).unwrap(), force);
        assert_eq!((flow.listener, flow.local), (ListenerId(3), "192.0.2.1".parse().unwrap()));
        flow.peer.to_string()
    }

    #[test]
    fn without_rport_a_response_goes_to_the_port_of_via_18_2_2() {
        assert_eq!(udp("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", false), "198.51.100.7:5070");
        assert_eq!(udp("SIP/2.0/UDP host.example;branch=z9hG4bK1", false), "198.51.100.7:5060");
    }

    #[test]
    fn with_rport_or_force_rport_it_goes_to_the_source_port_rfc3581_4() {
        assert_eq!(udp("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1", false), "198.51.100.7:40000");
        assert_eq!(udp("SIP/2.0/UDP 10.0.0.1:5070;rport=9;branch=z9hG4bK1", false), "198.51.100.7:40000");
        assert_eq!(udp("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", true), "198.51.100.7:40000");
    }

    #[test]
    fn maddr_sends_no_answer_to_a_third_party() {
        assert_eq!(udp("SIP/2.0/UDP 10.0.0.1;maddr=203.0.113.9;branch=z9hG4bK1", false), "198.51.100.7:5060");
    }

    #[test]
    fn over_a_stream_the_connection_answers_and_then_the_port_of_via_18_2_2() {
        let via = Via::parse(b"SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bK1").unwrap();
        let source = received(Transport::Tcp);
        assert_eq!(flow(source, &via, false), source);
        let again = fallback(source, &via).unwrap();
        assert_eq!((again.peer.to_string().as_str(), again.connection), ("198.51.100.7:5070", None));
        assert_eq!(fallback(received(Transport::Udp), &via), None);
    }
}
