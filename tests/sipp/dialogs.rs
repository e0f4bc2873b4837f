//! What goes on inside calls: rung reliably, changed, held, resumed, and left alone by both sides.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::legs::local;
use crate::peers::kamailio;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

/// The last status that was told, once it is a terminal one.
pub fn ended(app: &App) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let last = app.told().pop().map(|one| one.get("CallStatus").to_owned()).unwrap_or_default();
        if !["", "ringing", "in-progress"].contains(&last.as_str()) {
            return last;
        }
        assert!(Instant::now() < until, "no terminal callback after `{last}`");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The target knows no session timers, so that the caller is bound to refresh.
const BOUND: &str = "Session-Expires: 1800;refresher=uac";

#[test]
fn rung_reliably_updated_held_and_resumed() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let uas = Sipp::new(&router, "callee-is-changed").port(callee).start();
    Sipp::new(&router, "caller-changes").dials("1").with("SESSION", BOUND).run();
    uas.success();
    assert_eq!(ended(&app), "completed");
}

#[test]
fn the_same_between_two_proxies() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let (before, behind) = (kamailio(router.udp.port()), kamailio(callee));
    router.number("1", &app.url(&format!("/dial/{}", behind.port())), &app.url("/status"));
    let own = "      Via: [$4]\n      Record-Route: [$5]\n";
    let uas = Sipp::new(&router, "callee-is-changed").port(callee).with("OWN", own).start();
    let caller = Sipp::new(&router, "caller-changes").dials("1").with("SESSION", BOUND);
    caller.toward(local(before.port())).run();
    uas.success();
    assert_eq!(ended(&app), "completed");
}

#[test]
fn the_callee_transfers_the_caller() {
    let (router, app) = (Router::start(), App::start());
    let (bob, carol) = (free_port(), free_port());
    router.number("1", &app.url(&format!("/dial/{bob}")), &app.url("/status"));
    router.sql(&format!("UPDATE numbers SET refer_url = '{}'", app.url(&format!("/dial/{carol}"))));
    let transferor = Sipp::new(&router, "callee-transfers").port(bob).with("CODE", 200).start();
    let target = Sipp::new(&router, "callee-offers").port(carol).with("SEEN", "INVITE").start();
    Sipp::new(&router, "caller-is-transferred").dials("1").run();
    transferor.success();
    target.success();
    assert_eq!(ended(&app), "completed");
}

#[test]
fn a_late_offer_is_answered_in_prack() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let uas = Sipp::new(&router, "callee-offers-reliably").port(callee).start();
    Sipp::new(&router, "caller-answers-in-prack").dials("1").run();
    uas.success();
    assert_eq!(ended(&app), "completed");
}

/// Both telephones are gone without a BYE: the call ends by itself, and its application hears of it.
#[test]
fn a_call_whose_both_ends_vanish_ends() {
    let router = Router::start_with("liveness-seconds = 1\nt1-ms = 50");
    let (app, callee) = (App::start(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let uas = Sipp::new(&router, "callee-vanishes").port(callee).start();
    Sipp::new(&router, "caller-vanishes").dials("1").run();
    uas.success();
    assert_eq!(ended(&app), "completed");
    let last = app.told().pop().expect("told");
    assert_eq!(last.get("ReasonCode"), "peer_lost");
}
