//! What applications and peers say: documents, URLs, credentials.

use std::net::IpAddr;

use callgate::call::instructions::Verb;
use callgate::call::proof::Proof;
use callgate::outbound::{AllowPrivate, Guard, Target, without_secrets};
use callgate::routing::model::TrunkDigest;
use callgate::webhook;

/// A webhook's answer. What it says to dial and to ask holds nothing that could end a line of SIP or HTTP.
pub fn document(data: &[u8]) {
    let target = Target::parse("https://app.example/voice?a=b", None).expect("a URL");
    let Ok(document) = webhook::document(data, &target) else { return };
    assert_eq!(webhook::document(data, &target), Ok(document.clone()), "read the same again");
    let whole = |text: &str| assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
    for verb in &document.verbs {
        match verb {
            Verb::Dial(dial) => {
                assert!(!dial.nouns.is_empty());
                dial.caller_id.as_deref().into_iter().for_each(whole);
                dial.action.iter().for_each(|hook| whole(&hook.url));
                for noun in &dial.nouns {
                    for (name, value) in &noun.headers {
                        whole(name);
                        whole(value);
                    }
                    noun.callback.iter().for_each(|callback| whole(&callback.hook.url));
                    use callgate::call::instructions::Target::{Client, Media, Number, Sip};
                    match &noun.target {
                        Sip(text) | Number(text) | Client(text) => whole(text),
                        Media(_) => panic!("no document says so itself"),
                    }
                }
            }
            Verb::Reject { status } => assert!((400..700).contains(status) && ![401, 407].contains(status)),
            Verb::Redirect(hook) => whole(&hook.url),
            Verb::Refer { target } => whole(target),
            Verb::Message(reply) => {
                assert!(reply.text.len() <= 1_000);
                reply.to.iter().chain(&reply.from).for_each(|text| whole(text));
            }
            Verb::Media(name) => whole(name),
            Verb::Pause(_) | Verb::Hangup => {}
        }
    }
}

/// A stored URL or a Location: what is requested is one line, is read the same again, names no private
/// address that the guard does not see, and its log form holds no secret.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let base = Target::parse("https://user:secret@app.example:8443/a/b?c=d", None).expect("a URL");
    // As it was written, one line: what stands for a space is put in where it is requested.
    if let Ok(joined) = base.join(text) {
        assert!(!joined.contains(['\r', '\n', '\0']), "{joined:?}");
    }
    let Ok(target) = Target::parse(text, Some("https://app.example")) else { return };
    let url = target.url();
    assert!(!url.contains(|letter: char| letter.is_control() || letter == ' '), "{url:?}");
    let again = Target::parse(&url, None).expect("what is requested can be read");
    assert_eq!((again.url(), again.is_tls()), (url.clone(), target.is_tls()));
    assert!(again.same_origin(&target), "{url}");
    guarded(&url);
    // A path may hold an `@`, what names the host may not.
    let shown = format!("{target:?}");
    let authority = shown.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    assert!(!authority.contains('@'), "{target:?}");
    assert!(!without_secrets(text).contains('?'));
}

/// An address in any notation is the one that the standard's own reader sees.
fn guarded(url: &str) {
    let Some(host) = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()) else { return };
    let bare = host.trim_start_matches('[').split(']').next().unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let loopback = address.to_canonical().is_loopback();
        assert!(!(loopback && Guard::new(AllowPrivate::None).allows(address)), "{url}");
    }
}

/// Credentials that a trunk shows, and what they are held against.
pub fn digest(data: &[u8]) {
    let Some(proof) = Proof::read(data) else { return };
    assert!([proof.username, proof.realm, proof.nonce, proof.uri].iter().all(|part| part.len() < data.len()));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let digest = TrunkDigest::named(&text(proof.username), &text(proof.realm));
    assert!(!proof.holds(&digest, b"INVITE"), "nothing is proved to who keeps no hash");
}
