//! SIP: messages, the values in them, the streams they come in.

use callgate::net::is_keepalive;
use callgate::sip::{
    Elements, Frame, Framer, Kept, Message, NameAddr, Params, Uri, Via, Writer, unfold, unquote,
};

/// Scans a datagram and looks at every part of what comes out: what is read lies in the input, is read the
/// same again, and can be answered.
pub fn message(data: &[u8]) {
    match Message::scan(data) {
        Ok(message) => {
            assert!(!is_keepalive(data), "a message is swallowed");
            look(&message);
        }
        Err(error) => {
            if let Some(answerable) = error.answerable() {
                let mut out = Vec::new();
                answerable.write(&mut out, error.fault(), b"t", None);
                assert!(out.ends_with(b"\r\n\r\n"));
            }
        }
    }
}

fn look(message: &Message<'_>) {
    let kept = Kept::new(message);
    let again = Message::scan(message.bytes()).expect("a sound message stays one");
    for message in [message, &kept.message(), &again] {
        let parts = (message.top_via(), message.from(), message.to(), message.cseq(), message.max_forwards());
        assert_eq!(parts, (again.top_via(), again.from(), again.to(), again.cseq(), again.max_forwards()));
        for header in message.headers() {
            assert!(header.line.ends_with(b"\r\n"));
            assert!(!header.unfolded().contains(&b'\n'));
            for element in Elements::new(header.value) {
                value(element);
            }
        }
        assert!(message.contacts().count() + message.routes().count() + message.vias().count() > 0);
        if message.is_request() {
            let mut out = Vec::new();
            Writer::response(&mut out, message, 200, b"OK", Some(b"tag"), None).finish();
            let answer = Message::scan(&out).expect("the answer to a sound request is sound");
            assert_eq!(answer.cseq(), message.cseq());
            assert_eq!(answer.vias().count(), message.vias().count());
        }
    }
}

/// Reads anything as each kind of value.
pub fn value(data: &[u8]) {
    if let Some(address) = NameAddr::parse(data) {
        assert!(address.tag().is_none_or(|tag| tag.len() < data.len()));
        assert!(address.display_text().len() <= data.len());
    }
    if let Some(uri) = Uri::parse(data) {
        assert!(uri.decoded_user().len() <= data.len());
        assert!(uri.params.into_iter().count() <= data.len());
    }
    if let Some(via) = Via::parse(data) {
        assert!(!via.host.is_empty());
        assert_eq!(via.received().is_some(), via.params.has("received") && via.received().is_some());
    }
    assert!(Params::new(data).into_iter().all(|param| !param.name.is_empty()));
    assert!(unquote(data).len() <= data.len());
    assert!(unfold(data).len() <= data.len());
}

/// Frames a stream whole and in pieces, which the first octets name; both must give the same.
pub fn frame(data: &[u8]) {
    let (cuts, stream) = data.split_at(data.len().min(4));
    let cuts: Vec<usize> = cuts
        .iter()
        .scan(0, |at, step| {
            *at += usize::from(*step);
            Some(*at)
        })
        .collect();
    assert_eq!(frames(stream, &[]), frames(stream, &cuts));
    // Octet by octet, where that is soon done.
    if stream.len() < 600 {
        assert_eq!(frames(stream, &[]), frames(stream, &(1..stream.len()).collect::<Vec<_>>()));
    }
}

fn frames(data: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut framer = Framer::new();
    let mut seen = Vec::new();
    let mut from = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).chain([data.len()]).collect();
    cuts.sort_unstable();
    for cut in cuts {
        framer.push(&data[from..cut]);
        from = cut;
        loop {
            match framer.take() {
                Ok(Some(Frame::Message(bytes))) => seen.push(String::from_utf8_lossy(bytes).into_owned()),
                Ok(Some(Frame::Ping)) => seen.push("ping".to_owned()),
                Ok(None) => break,
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
        }
    }
    seen
}
