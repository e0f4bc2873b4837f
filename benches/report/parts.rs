//! What one HTTP request costs alone, without SIP, journal and store: how near to the floor a call can come at all.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use callgate::outbound::{AllowPrivate, Client, Config, Identity, Lookup, Params, Request, Target, Urls};
use callgate::routing::model::{Method, SigningKeys};

use crate::app::App;
use crate::machine::own_cpu;
use crate::results::{Row, Section, median};
use crate::rounds::count;

/// Requests in one round.
const REQUESTS: u32 = 1_000;

/// Between two requests that come alone: as the questions of 500 calls/s do.
const ALONE: Duration = Duration::from_millis(2);

/// A blocking request of bytes that are there already, callgate's client with a request that is, and with one that is
/// made and signed each time; one after the other, and alone.
pub fn requests(section: &mut Section) {
    let app = App::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    section.line(&format!(
        "\nOne HTTP request of a callback, us of CPU of its thread, median of {} rounds of {REQUESTS}:\n\n\
         | | blocking, nothing read | hyper | hyper, made and signed |\n|---|---|---|---|",
        count()
    ));
    for (how, pause) in [("one after the other", Duration::ZERO), ("one each 2 ms", ALONE)] {
        let mut found: [Vec<f64>; 3] = Default::default();
        for _ in 0..count() {
            found[0].push(blocking(&app, pause));
            found[1].push(runtime.block_on(through(&app, pause, false)));
            found[2].push(runtime.block_on(through(&app, pause, true)));
        }
        let [bare, kept, made] = found.map(|figures| median(&figures));
        section.line(&format!("| {how} | {bare:.0} | {kept:.0} | {made:.0} |"));
        section.row(Row {
            what: format!("one HTTP request through hyper, {how}, against a blocking one"),
            budget: "none: what the library costs".to_owned(),
            measured: format!("{:.1}x; made and signed {:.1}x", kept / bare, made / bare),
            met: None,
            why: String::new(),
        });
    }
}

/// CPU of each of `REQUESTS` since `began`, in microseconds.
fn each(began: f64) -> f64 {
    (own_cpu() - began) / 1000.0 / f64::from(REQUESTS)
}

fn blocking(app: &App, pause: Duration) -> f64 {
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).expect("the application");
    stream.set_nodelay(true).expect("a socket");
    let body = params().encode(String::new());
    let request = format!(
        "POST /status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = [0; 4096];
    let began = own_cpu();
    for _ in 0..REQUESTS {
        stream.write_all(request.as_bytes()).expect("sent");
        assert!(stream.read(&mut answer).expect("answered") > 0, "the application closed");
        thread::sleep(pause);
    }
    each(began)
}

async fn through(app: &App, pause: Duration, is_made: bool) -> f64 {
    let client = client();
    let target = Arc::new(Target::parse(&app.url("/status"), None).expect("a URL"));
    let keys =
        SigningKeys { auth_token: "0123456789abcdef0123456789abcdef".into(), ..SigningKeys::default() };
    let make = || {
        let identity =
            Identity { id: "evt_CA00000000000000000000000000000001_0", keys: &keys, now: SystemTime::now() };
        Request::signed(Arc::clone(&target), Method::Post, &params(), identity, false).expect("a request")
    };
    let kept = make();
    let began = own_cpu();
    for _ in 0..REQUESTS {
        let made = is_made.then(make);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let answer = client.send(made.as_ref().unwrap_or(&kept), deadline).await.expect("answered");
        assert_eq!(answer.status, 200);
        thread::sleep(pause);
    }
    each(began)
}

fn client() -> Client {
    let lookup: Lookup =
        Arc::new(|_: &str| Box::pin(async { Ok(Arc::from([IpAddr::from([127, 0, 0, 1])])) }));
    let config = Config { allow_private: AllowPrivate::All, ..Config::default() };
    Client::new(config, lookup, Arc::new(Urls::default())).expect("a client")
}

/// As many and as long as a callback's.
fn params() -> Params<'static> {
    let mut params = Params::default();
    for (name, value) in [
        ("CallSid", "CA00000000000000000000000000000001"),
        ("InstanceId", "ID00000000000000000000000000000001"),
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("From", "+14155550100"),
        ("To", "1"),
        ("CallStatus", "in-progress"),
        ("ApiVersion", "2012-04-24"),
        ("Direction", "inbound"),
        ("CallerName", ""),
        ("ForwardedFrom", ""),
        ("CallTimestamp", "2026-11-23T10:15:30.123Z"),
        ("PhoneNumberSid", "PN00000000000000000000000000000001"),
        ("PhoneNumber", "1"),
        ("OrganizationSid", "OR00000000000000000000000000000001"),
        ("TrunkSid", "TR00000000000000000000000000000001"),
        ("SipCallId", "1-4711@127.0.0.1"),
        ("SipSourceIp", "127.0.0.1"),
        ("StirVerstat", ""),
        ("CallbackEvent", "answered"),
        ("SequenceNumber", "1"),
        ("Timestamp", "Mon, 23 Nov 2026 10:15:30 +0000"),
    ] {
        params.push(name, value);
    }
    params
}
