//! The demo: a router, an application and two telephones on one machine.
//!
//! One call goes from a telephone through the router to the other; the SIP ladder, the question to
//! the application and its callbacks are printed as they happen.
//!
//! - `router`: the router, a child process. `application`: what decides. `http`: what both speak.
//! - `phone`: a telephone, written with `rsip`. `wire`: what carries its messages.

pub mod application;
pub mod http;
pub mod phone;
pub mod router;
pub mod wire;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use application::Exchange;
use phone::{Listener, Phone, Rung};
use router::{DemoError, Router};
use wire::Wire;

/// What is dialled.
const NUMBER: &str = "+16508251255";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs the demo; with `once` it ends after the call, with 0 when everything went as it should.
#[must_use]
pub fn run(once: bool) -> ExitCode {
    match demo(once) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("callgate demo: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn demo(once: bool) -> Result<(), DemoError> {
    let io = |what| move |error| DemoError::Io(what, error);
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let target = Phone::new(Wire::udp(local).map_err(io("no socket for the target"))?, "demo", ladder(40));
    let target_at = target.local().map_err(io("no socket for the target"))?;
    answer_for_ever(target);
    let (told, exchanges) = channel();
    let application = application::start(target_at, told).map_err(io("no socket for the application"))?;

    println!("callgate demo: a telephone calls {NUMBER}; the application sends the call to another one.\n");
    let mut router = Router::start()?;
    println!("  router        sip:{0} (UDP and TCP), API http://{1}", router.sip, router.http);
    println!("  application   http://{application}/voice and /status");
    println!("  target        sip:demo@{target_at}\n");
    provision(&router, application)?;

    println!("  {:<18}{:<40}target", "caller", "callgate");
    let wire = Wire::udp(local).map_err(io("no socket for the caller"))?;
    let mut caller = Phone::new(wire, "alice", ladder(0));
    let mut dialog = caller.call(router.sip, NUMBER, PATIENCE)?;
    std::thread::sleep(Duration::from_millis(300));
    let bye = caller.hang_up(&mut dialog, PATIENCE)?;
    if bye != 200 {
        return Err(DemoError::Unexpected(format!("the BYE was answered {bye}")));
    }
    let statuses = report(&exchanges)?;
    if statuses != ["ringing", "in-progress", "completed"] {
        return Err(DemoError::Unexpected(format!("the callbacks were {}", statuses.join(", "))));
    }
    println!("\n  answered, hung up, and all three callbacks delivered.");
    if once {
        return Ok(());
    }
    what_next(&router, application);
    std::thread::spawn(move || while exchanges.recv().map(|exchange| print_exchange(&exchange)).is_ok() {});
    router.wait().map_err(io("the router is lost"))
}

/// A trunk for this machine and the number, through the API; what is there already stays.
fn provision(router: &Router, application: SocketAddr) -> Result<(), DemoError> {
    let admin = (router.sid.as_str(), router.token.as_str());
    let ask = |what, line: &str, kind, body: &str| {
        let answer = http::request(router.http, admin, line, kind, body)
            .map_err(|error| DemoError::Io("the API does not answer", error))?;
        println!("  {line} -> {}", answer.status());
        match answer.status() {
            200..300 => Ok(answer),
            // A second demo on the same data finds its trunk.
            409 => Ok(answer),
            status => Err(DemoError::Refused { what, status, body: answer.body }),
        }
    };
    let trunk = r#"{"name":"demo","sources":["127.0.0.0/8"]}"#;
    ask("the trunk", "POST /admin/v1/trunks", "application/json", trunk)?;
    let numbers = format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers", router.sid);
    let urls = form_urlencoded::Serializer::new(String::new())
        .append_pair("VoiceUrl", &format!("http://{application}/voice"))
        .append_pair("StatusCallback", &format!("http://{application}/status"))
        .finish();
    let found = ask("the list", &format!("GET {numbers}.json?PhoneNumber=%2B16508251255"), "text/plain", "")?;
    let found: serde_json::Value = serde_json::from_str(&found.body).unwrap_or_default();
    let known = found["incoming_phone_numbers"][0]["sid"]
        .as_str()
        .or(found["incomingPhoneNumbers"][0]["sid"].as_str());
    let form = "application/x-www-form-urlencoded";
    let answer = match known {
        Some(sid) => ask("the number", &format!("POST {numbers}/{sid}.json"), form, &urls)?,
        None => {
            let body = format!("PhoneNumber=%2B16508251255&{urls}");
            ask("the number", &format!("POST {numbers}.json"), form, &body)?
        }
    };
    live(router, admin, answer.header("x-callgate-generation"))?;
    println!();
    Ok(())
}

/// Waits until the generation that holds the number routes.
fn live(router: &Router, admin: (&str, &str), generation: Option<&str>) -> Result<(), DemoError> {
    let line = format!("GET /admin/v1/generation?wait={}", generation.unwrap_or("1"));
    http::request(router.http, admin, &line, "text/plain", "")
        .map(drop)
        .map_err(|error| DemoError::Io("the API does not answer", error))
}

fn answer_for_ever(mut target: Phone) {
    std::thread::spawn(move || {
        loop {
            if let Err(error) = target.answer(Duration::from_millis(400), Duration::from_secs(3600)) {
                eprintln!("  the target: {error}");
            }
        }
    });
}

/// Prints one telephone's side of the ladder, `indent` characters in.
fn ladder(indent: usize) -> Listener {
    Box::new(move |rung: &Rung| {
        let caller = indent == 0;
        let arrow = if rung.inbound == caller { "<--" } else { "-->" };
        println!("  {:indent$}  {arrow} {}", "", rung.start);
    })
}

/// Prints the exchanges until the terminal callback; the statuses in the order they came.
fn report(exchanges: &Receiver<Exchange>) -> Result<Vec<String>, DemoError> {
    let mut statuses = Vec::new();
    let until = Instant::now() + PATIENCE;
    println!();
    while statuses.len() < 3 {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(exchange) = exchanges.recv_timeout(left) else {
            return Err(DemoError::Unexpected(format!("only {} callback(s) came", statuses.len())));
        };
        print_exchange(&exchange);
        if let Exchange::Status { params } = exchange {
            statuses
                .extend(params.into_iter().find(|(name, _)| name == "CallStatus").map(|(_, value)| value));
        }
    }
    Ok(statuses)
}

fn print_exchange(exchange: &Exchange) {
    let show = |params: &[(String, String)], wanted: &[&str]| {
        let chosen =
            params.iter().filter(|(name, value)| wanted.contains(&name.as_str()) && !value.is_empty());
        chosen.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    match exchange {
        Exchange::Voice { params, document } => {
            println!("  webhook   POST /voice  {}", show(params, &["CallSid", "From", "To", "CallStatus"]));
            for line in document.lines() {
                println!("              {line}");
            }
        }
        Exchange::Status { params } => {
            let names = ["CallStatus", "SequenceNumber", "CallDuration", "SipResponseCode", "ReasonCode"];
            println!("  callback  POST /status {}", show(params, &names));
        }
    }
}

fn what_next(router: &Router, application: SocketAddr) {
    let Router { sip, http, sid, token, .. } = router;
    // As it was called, so that the words work without a PATH.
    let callgate = std::env::args().next().unwrap_or_else(|| "callgate".into());
    println!(
        "
It goes on serving; Ctrl-C ends it. Try next, in another terminal:

  # another number for the same application
  curl -u {sid}:{token} http://{http}/restcomm/2012-04-24/Accounts/{sid}/IncomingPhoneNumbers.json \\
       --data-urlencode PhoneNumber=+16505550100 -d VoiceUrl=http://{application}/voice

  # calls with sipp: ten, then hung up
  sipp -sn uac {sip} -s 16508251255 -i 127.0.0.1 -m 10 -d 500

  # why a number goes where it goes; the last calls
  {callgate} explain {NUMBER}
  {callgate} calls list
"
    );
}
