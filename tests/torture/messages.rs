//! Each message of the corpus has its outcome, and its facts are read out of it.

use callgate::sip::{Kept, Message, Method, Start, Writer};

use crate::corpus::{self, Case};

#[test]
fn every_message_has_its_outcome() {
    let cases = corpus::all();
    assert!(cases.len() >= 70, "only {} messages were found", cases.len());
    let failures: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let name = &case.name;
    match (Message::scan(&case.bytes), &case.refused_for) {
        (Ok(_), Some(place)) => Err(format!("{name}: accepted, should be refused for {place}")),
        (Err(error), None) => Err(format!("{name}: refused: {error}")),
        (Err(error), Some(place)) if error.fault().place != place => {
            Err(format!("{name}: refused for {error}, not {place}"))
        }
        (Err(error), Some(_)) => answered(name, &error),
        (Ok(message), None) => facts(case, &message),
    }
}

/// A refused request can be answered, and the answer is a sound response.
fn answered(name: &str, error: &callgate::sip::Malformed<'_>) -> Result<(), String> {
    let Some(answerable) = error.answerable() else {
        return Ok(());
    };
    let mut out = Vec::new();
    answerable.write(&mut out, error.fault(), b"t", None);
    let text = String::from_utf8_lossy(&out);
    let status = format!("SIP/2.0 {} ", error.fault().status);
    if text.starts_with(&status) && text.ends_with("Content-Length: 0\r\n\r\n") {
        Ok(())
    } else {
        Err(format!("{name}: answered {text}"))
    }
}

fn facts(case: &Case, message: &Message<'_>) -> Result<(), String> {
    let kept = Kept::new(message);
    for message in [message, &kept.message()] {
        for (key, wanted) in &case.facts {
            let found = fact(message, key);
            if found != *wanted {
                return Err(format!("{}: {key} is {found}, should be {wanted}", case.name));
            }
        }
        let same = relayed(message);
        let same = same == message.bytes() || same == [message.bytes(), b"\r\n"].concat();
        if message.is_request() && !same {
            return Err(format!("{}: changed when relayed", case.name));
        }
    }
    if case.facts.len() == 9 { Ok(()) } else { Err(format!("{}: has {} facts", case.name, case.facts.len())) }
}

fn fact(message: &Message<'_>, key: &str) -> String {
    let or_dash = |value: Option<&[u8]>| {
        value.map_or("-".to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    };
    match key {
        "start" => match message.start() {
            Start::Request { method, uri } => format!("{method} {}", String::from_utf8_lossy(uri)),
            Start::Status { code, .. } => code.to_string(),
        },
        "headers" => message.headers().count().to_string(),
        "call-id" => String::from_utf8_lossy(message.call_id()).into_owned(),
        "cseq" => message.cseq().number.to_string(),
        "branch" => or_dash(message.top_via().branch()),
        "vias" => message.vias().count().to_string(),
        "from-tag" => or_dash(message.from().tag()),
        "to-tag" => or_dash(message.to().tag()),
        "body" => message.body().len().to_string(),
        other => panic!("unknown fact {other}"),
    }
}

/// The message written again from its parts.
fn relayed(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::request(&mut out, message.method().unwrap_or(Method::Ack), message.uri_bytes());
    for header in message.headers() {
        writer.bytes(header.line);
    }
    writer.end().bytes(message.body());
    out
}

#[test]
fn addresses_of_ipv6_are_read() {
    let cases = corpus::all();
    let message = |name: &str| {
        let case = cases.iter().find(|case| case.name == name).expect("it is in the corpus");
        Message::scan(&case.bytes).expect("it is accepted")
    };
    let uri = message("port-ambiguous").uri().unwrap();
    assert_eq!((uri.ip(), uri.port), (Some("2001:db8::10:5070".parse().unwrap()), None));
    let uri = message("port-unambiguous").uri().unwrap();
    assert_eq!((uri.ip(), uri.port), (Some("2001:db8::10".parse().unwrap()), Some(5070)));
    let received = Some("2001:db8::9:255".parse().unwrap());
    assert_eq!(message("via-received-param-with-delim").top_via().received(), received);
    assert_eq!(message("via-received-param-no-delim").top_via().received(), received);
}
