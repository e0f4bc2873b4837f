//! Gateways as operators see them: what they answer, and taking one out.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::phone::Phone;
use crate::router::Router;

/// What the command line lists of the only gateway.
fn standing(router: &Router) -> Value {
    let listed = router.callgate(&["gateways", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed["gateways"][0]["standing"].clone()
}

/// Answers the next OPTIONS, and waits until the operator sees it.
fn answers(router: &Router, gateway: &Phone, status: &str, expected: (&str, u64)) {
    let options = gateway.request("OPTIONS");
    gateway.respond(&options, status, "t", "");
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let seen = standing(router);
        if (seen["state"].as_str(), seen["last_check"]["code"].as_u64())
            == (Some(expected.0), Some(expected.1))
        {
            return;
        }
        assert!(Instant::now() < until, "{expected:?} is not seen: {seen}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_gateway_that_drains_is_asked_all_the_same_and_its_answers_are_seen() {
    let router = Router::launch("gateway-check-seconds = 1", 1);
    let gateway = Phone::new(router.udp);
    let port = gateway.port();
    router.sql(&format!("INSERT INTO gateways (name, host, port) VALUES ('out', '127.0.0.1', {port})"));
    assert_eq!(standing(&router)["state"], "unknown");
    answers(&router, &gateway, "404 Not Found", ("up", 404));
    let drained = router.callgate(&["gateways", "drain", "out"]);
    assert!(drained.contains("draining"), "{drained}");
    answers(&router, &gateway, "200 OK", ("draining", 200));
    router.callgate(&["gateways", "resume", "out"]);
    answers(&router, &gateway, "486 Busy Here", ("up", 486));
    let listed = router.callgate(&["gateways", "list"]);
    let head = listed.lines().next().unwrap_or_default();
    assert!(head.contains("STATE") && head.contains("LAST_CHECK") && head.contains("ACTIVE"), "{listed}");
}
