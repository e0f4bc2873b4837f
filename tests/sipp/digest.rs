//! Targets that want to know who calls, checked by sipp's and Kamailio's own digest.

use crate::app::App;
use crate::peers::kamailio_that_asks;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

#[test]
fn sipp_asks_and_is_answered() {
    let (router, app, port) = (Router::launch("", 1), App::start(), free_port());
    router.number("1", &app.url(&format!("/as/bob/pass+word/{port}")), &app.url("/status"));
    let callee = Sipp::new(&router, "callee-asks").port(port).start();
    Sipp::new(&router, "caller").dials("1").run();
    callee.success();
    let log = router.log();
    assert!(!log.contains("pass word") && !log.contains("Digest"), "{log}");
}

#[test]
fn sipp_refuses_a_wrong_password() {
    let (router, app, port) = (Router::launch("", 1), App::start(), free_port());
    router.number("1", &app.url(&format!("/as/bob/wrong/{port}")), &app.url("/status"));
    let callee = Sipp::new(&router, "callee-asks").port(port).start();
    Sipp::new(&router, "caller-refused").dials("1").with("CODE", "403").run();
    callee.success();
}

#[test]
fn kamailio_asks_every_request_by_both_algorithms() {
    for algorithm in ["MD5", "SHA-256"] {
        let (router, app, callee) = (Router::launch("", 1), App::start(), free_port());
        let proxy = kamailio_that_asks(callee, algorithm);
        router.number("1", &app.url(&format!("/as/bob/secret/{}", proxy.port())), &app.url("/status"));
        let uas = Sipp::new(&router, "callee").port(callee).start();
        Sipp::new(&router, "caller").dials("1").run();
        uas.success();
    }
}
