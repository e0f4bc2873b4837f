//! Where names lead (RFC 3263): the resolver against a name server of its own, and calls that go on
//! when the first place is dead.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use callgate::dns::{DnsConfig, Resolver, Setup};
use callgate::flow::Transport;
use callgate::transport::next_hop::{Unresolved, next_hop};

use crate::app::App;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};
use crate::zone::{Data, Zone};

const HERE: Data = Data::A(Ipv4Addr::LOCALHOST);

fn resolver(zone: &Zone) -> Resolver {
    let config = DnsConfig { servers: vec![zone.address.to_string()], ..DnsConfig::default() };
    let transports = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
    Resolver::new(Setup { config, transports }).expect("a server")
}

fn unresolved(uri: &str) -> Unresolved {
    let uri = callgate::sip::Uri::parse(uri.as_bytes()).expect("a URI");
    next_hop(&uri).expect("a way").unresolved().expect("a name")
}

async fn places(resolver: &Resolver, uri: &str) -> Vec<String> {
    let found = resolver.locate(&unresolved(uri)).await;
    found.unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn other(last: u8) -> Data {
    Data::A(Ipv4Addr::new(127, 0, 0, last))
}

#[tokio::test]
async fn naptr_chooses_the_transport_srv_the_port_and_a_the_address() {
    let zone = Zone::serve(vec![
        ("pbx.test", 60, Data::Naptr(10, 20, "SIP+D2U", "_sip._udp.pbx.test")),
        ("pbx.test", 60, Data::Naptr(10, 10, "SIPS+D2T", "_sips._tcp.secure.test")),
        ("_sips._tcp.secure.test", 60, Data::Srv(1, 1, 5071, "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(20, 0, 5090, "b.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(10, 0, 5080, "a.test")),
        ("a.test", 60, HERE),
        ("b.test", 60, other(2)),
        ("b.test", 60, other(3)),
        ("pbx.test", 60, other(9)),
    ]);
    let resolver = resolver(&zone);
    let all = ["TLS 127.0.0.1:5071", "UDP 127.0.0.1:5080", "UDP 127.0.0.2:5090", "UDP 127.0.0.3:5090"];
    assert_eq!(places(&resolver, "sip:pbx.test").await, all);
    // A transport that is named leaves NAPTR out, a port SRV too; sips is TLS and nothing else.
    assert_eq!(places(&resolver, "sip:pbx.test;transport=udp").await, all[1..]);
    assert_eq!(places(&resolver, "sip:pbx.test:5066").await, ["UDP 127.0.0.9:5066"]);
    assert_eq!(places(&resolver, "sip:pbx.test:5066;transport=tcp").await, ["TCP 127.0.0.9:5066"]);
    assert_eq!(places(&resolver, "sips:pbx.test").await, all[..1]);
    assert_eq!(places(&resolver, "sip:pbx.test;transport=tcp").await, ["TCP 127.0.0.9:5060"]);
}

#[tokio::test]
async fn without_naptr_srv_is_asked_of_every_transport_and_without_srv_the_address() {
    let zone = Zone::serve(vec![
        ("_sip._tcp.two.test", 60, Data::Srv(1, 1, 5082, "a.test")),
        ("_sip._udp.two.test", 60, Data::Srv(1, 1, 5081, "a.test")),
        ("_sip._udp.not.test", 60, Data::Srv(0, 0, 0, "")),
        ("not.test", 60, HERE),
        ("a.test", 60, HERE),
    ]);
    let resolver = resolver(&zone);
    assert_eq!(places(&resolver, "sip:two.test").await, ["UDP 127.0.0.1:5081", "TCP 127.0.0.1:5082"]);
    assert_eq!(places(&resolver, "sip:a.test").await, ["UDP 127.0.0.1:5060"]);
    assert_eq!(places(&resolver, "sips:a.test").await, ["TLS 127.0.0.1:5061"]);
    assert!(places(&resolver, "sip:nobody.test").await.is_empty());
    // RFC 2782: "." says that it is not served, at no address either.
    assert!(places(&resolver, "sip:not.test").await.is_empty());
}

#[tokio::test]
async fn answers_are_kept_for_their_ttl_and_what_is_missing_too() {
    let zone = Zone::serve(vec![("long.test", 60, HERE), ("short.test", 1, HERE)]);
    let resolver = resolver(&zone);
    for _ in 0..3 {
        for host in ["long.test", "short.test"] {
            resolver.lookup(host).await.expect("an address");
        }
        resolver.lookup("none.test").await.expect_err("no address");
    }
    let count = |zone: &Zone, question: &str| zone.asked().iter().filter(|asked| *asked == question).count();
    assert_eq!((count(&zone, "long.test 1"), count(&zone, "none.test 1")), (1, 1));
    zone.set(vec![("long.test", 60, other(5)), ("short.test", 1, other(6))]);
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let first = |found: std::sync::Arc<[std::net::IpAddr]>| found[0].to_string();
    assert_eq!(first(resolver.lookup("short.test").await.expect("an address")), "127.0.0.6");
    assert_eq!(first(resolver.lookup("long.test").await.expect("an address")), "127.0.0.1");
    // A reload forgets what was known.
    resolver.reload().expect("the same server");
    assert_eq!(first(resolver.lookup("long.test").await.expect("an address")), "127.0.0.5");
}

#[test]
fn a_call_goes_on_where_the_first_place_of_srv_is_dead() {
    let (dead, alive) = (free_port(), free_port());
    let zone = Zone::serve(vec![
        ("_sip._udp.pbx.test", 60, Data::Srv(10, 0, dead, "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(20, 0, alive, "a.test")),
        ("a.test", 60, HERE),
    ]);
    let router = Router::launch(&zone.section("first-response-ms = 700"), 1);
    let app = App::start();
    router.number("1", &app.url("/at/pbx.test"), &app.url("/status"));
    let callee = Sipp::new(&router, "callee").port(alive).calls(2, 10).start();
    let began = Instant::now();
    Sipp::new(&router, "caller").dials("1").run();
    let first = began.elapsed();
    let began = Instant::now();
    Sipp::new(&router, "caller").dials("1").run();
    let second = began.elapsed();
    callee.success();
    assert!(first >= Duration::from_millis(700), "the dead one is tried first: {first:?}");
    assert!(second + Duration::from_millis(300) < first, "and then spared: {second:?} after {first:?}");
    assert_eq!(zone.asked().iter().filter(|asked| *asked == "a.test 1").count(), 1);
}

#[test]
fn a_call_goes_on_where_the_first_place_answers_503_or_refuses_the_connection() {
    let (dead, sick, alive) = (free_port(), free_port(), free_port());
    let zone = Zone::serve(vec![
        ("pbx.test", 60, Data::Naptr(10, 10, "SIP+D2T", "_sip._tcp.pbx.test")),
        ("pbx.test", 60, Data::Naptr(10, 20, "SIP+D2U", "_sip._udp.pbx.test")),
        ("_sip._tcp.pbx.test", 60, Data::Srv(10, 0, dead, "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(10, 0, sick, "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(20, 0, alive, "a.test")),
        ("a.test", 60, HERE),
    ]);
    let router = Router::launch(&zone.section(""), 1);
    let app = App::start();
    router.number("1", &app.url("/at/pbx.test"), &app.url("/status"));
    let busy = Sipp::new(&router, "callee-refuses").port(sick).with("CODE", "503").start();
    let callee = Sipp::new(&router, "callee").port(alive).start();
    Sipp::new(&router, "caller").dials("1").run();
    busy.success();
    callee.success();
}
