use std::time::Duration;

use super::*;
use crate::call::instructions::{Dial, Noun, Target as To, Verb};
use crate::routing::model::Method;

fn base() -> Target {
    Target::parse("https://app.example/calls/in?x=1", None).unwrap()
}

fn read(body: impl AsRef<[u8]>) -> Result<Document, Error> {
    parse(body.as_ref(), &base())
}

fn verbs(inner: &str) -> Vec<Verb> {
    read(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{inner}</Response>"))
        .unwrap_or_else(|error| panic!("{inner}: {error}"))
        .verbs
}

fn reason(inner: &str) -> Reason {
    read(format!("<Response>{inner}</Response>")).expect_err(inner).reason()
}

fn dial(inner: &str) -> Dial {
    match verbs(inner).as_slice() {
        [Verb::Dial(dial)] => dial.clone(),
        other => panic!("{inner} became {other:?}"),
    }
}

fn noun(inner: &str) -> Noun {
    dial(&format!("<Dial>{inner}</Dial>")).nouns.remove(0)
}

#[test]
fn a_dial_has_its_defaults_and_its_attributes() {
    let plain = dial("<Dial><Sip>sip:alice@10.0.0.1:5090;transport=tcp</Sip></Dial>");
    assert_eq!(plain.nouns[0].target, To::Sip("sip:alice@10.0.0.1:5090;transport=tcp".into()));
    assert_eq!((plain.timeout.as_secs(), plain.time_limit.as_secs()), (30, 14_400));
    assert_eq!((plain.caller_id, plain.action), (None, None));
    let full = dial(
        "<Dial timeout=' 12 ' timeLimit='60' callerId='+16505551234' action='done?a=1&amp;b=2' method='get'>
            <Number>\n  +1 (650) 825-1255 </Number></Dial>",
    );
    assert_eq!((full.timeout.as_secs(), full.time_limit.as_secs()), (12, 60));
    assert_eq!(full.caller_id.as_deref(), Some("+16505551234"));
    let action = full.action.unwrap();
    assert_eq!((&*action.url, action.method), ("https://app.example/calls/done?a=1&b=2", Method::Get));
    assert_eq!(full.nouns[0].target, To::Number("+16508251255".into()));
}

#[test]
fn bare_text_is_read_as_restcomm_reads_it() {
    let target = |text: &str| dial(&format!("<Dial>{text}</Dial>")).nouns.remove(0).target;
    assert_eq!(target(" +12155550111 "), To::Number("+12155550111".into()));
    assert_eq!(target("alice@example.com"), To::Sip("sip:alice@example.com".into()));
    assert_eq!(target("sip:alice@example.com"), To::Sip("sip:alice@example.com".into()));
    assert_eq!(target("client:bob"), To::Client("bob".into()));
}

#[test]
fn several_nouns_ring_together_and_carry_their_own() {
    let dial = dial(
        "<Dial><Client>bob</Client>
          <Sip username='u' password='p' statusCallback='/cb' statusCallbackMethod='GET'
               statusCallbackEvent='initiated,  answered'>sip:bob@[::1]:5070</Sip></Dial>",
    );
    assert_eq!(dial.nouns.len(), 2);
    assert_eq!(dial.nouns[0].callback, None);
    let sip = &dial.nouns[1];
    let credentials = sip.credentials.as_ref().unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("u", "p"));
    let callback = sip.callback.as_ref().unwrap();
    assert_eq!((&*callback.hook.url, callback.hook.method), ("https://app.example/cb", Method::Get));
    assert_eq!(callback.events, 1 | 4);
}

#[test]
fn a_noun_without_events_hears_all_four() {
    let events = |attribute: &str| {
        noun(&format!("<Client statusCallback='/cb' {attribute}>bob</Client>")).callback.unwrap().events
    };
    assert_eq!(events(""), 15);
    assert_eq!(events("statusCallbackEvent='ringing completed'"), 2 | 8);
}

#[test]
fn headers_on_a_noun_are_x_headers_and_hold_one_line() {
    let headers = |text: &str| {
        let noun = noun(&format!("<Sip>{text}</Sip>"));
        noun.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect::<Vec<_>>()
    };
    assert_eq!(headers("sip:a@b?X-One=1&amp;x-two=a%20b"), ["X-One: 1", "x-two: a b"]);
    assert_eq!(headers("sip:a@b?X-Custom-Header1=1234&X-Custom-Header2=4321").len(), 2, "a lone &");
    assert_eq!(noun("<Client>alice?X-A=1</Client>").target, To::Client("alice".into()));
    assert_eq!(noun("<Sip>sip:a@b;p=1?X-A=1</Sip>").target, To::Sip("sip:a@b;p=1".into()));
    for text in [
        "sip:a@b?X-Evil=%0d%0aX-Two:%201",
        "sip:a@b?X-Evil=a%00b",
        "sip:a@b?Route=%3Csip:evil%3E",
        "sip:a@b?X-=1",
        "sip:a@b?X-A%0d%0aX-B=1",
        "sip:a@b?X-A%3A%20b=1",
        "sip:a@b?Subject=x",
    ] {
        assert_eq!(reason(&format!("<Dial><Sip>{text}</Sip></Dial>")), Reason::WebhookNotRcml, "{text}");
    }
}

#[test]
fn a_target_smuggles_no_header() {
    for hostile in [
        "sip:a@h?Route=%3Csip:evil.example;lr%3E",
        "sip:a@h?route=x",
        "sip:a@h?%52oute=x",
        "sip:a@h?Rout%65=x",
        "sip:a@h?X-A=1&Route=x",
        "sip:a@h?X-A=1&%56ia=x",
        "sip:a@h?body=v%3D0",
        "sip:a@h?X-A=1&body=x",
        "sip:a@h?method=BYE",
        "sip:a@h?From=x",
        "sip:a@h?Content-Length=0",
        "sip:a@h?P-Asserted-Identity=%3Csip:ceo@h%3E",
        "sip:a@h?X-A=1%0D%0ARoute:%20x",
        "sip:a@h?X-A=%0a",
        "sip:a@h?X-A=1%0d",
        "sip:a@h?X-A=%00",
        "sip:a@h?X-A=%7f",
        "sip:a@h?X-A=%c2%85Via:%20x",
        "sip:a@h?X-A=%ff",
        "sip:a@h?X-A:b=1",
        "sip:a@h?X-A%20=1",
        "sip:a@h?X-A%09b=1",
        "sip:a@h?%20Route=1",
        "sip:a@h?X-Callgate-Reason=ok",
        "sip:a@h?x-callgat%65-Reason=ok",
        "sip:a@h?=1",
        "sip:a@h;x=%3f?Via=x",
        "sip:a%0d%0a@h?Contact=x",
        "sips:a@h?Identity=x",
    ] {
        let escaped = hostile.replace('&', "&amp;");
        for document in [
            format!("<Dial><Sip>{escaped}</Sip></Dial>"),
            format!("<Dial>{escaped}</Dial>"),
            format!("<Refer><Sip>{escaped}</Sip></Refer>"),
        ] {
            assert_eq!(reason(&document), Reason::WebhookNotRcml, "{document}");
        }
        let query = escaped.split_once('?').expect("a query").1;
        for noun in ["Number>+1", "Client>a"] {
            let name = noun.split('>').next().expect("a name");
            let document = format!("<Dial><{noun}?{query}</{name}></Dial>");
            assert_eq!(reason(&document), Reason::WebhookNotRcml, "{document}");
        }
    }
    // The same name twice is two headers, as in SIP; an escaped name is the name.
    let headers = noun("<Sip>sip:a@h?X-A=1&amp;%58-A=2&amp;x-b=%25</Sip>").headers;
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, ["X-A: 1", "X-A: 2", "x-b: %"]);
}

#[test]
fn reject_pause_hangup_redirect_and_refer() {
    assert_eq!(verbs("<Reject/>"), [Verb::Reject { status: 603 }]);
    assert_eq!(verbs("<Reject reason='busy'/>"), [Verb::Reject { status: 486 }]);
    assert_eq!(verbs("<Reject reason='rejected'></Reject>"), [Verb::Reject { status: 603 }]);
    assert_eq!(verbs("<Reject status='480'/>"), [Verb::Reject { status: 480 }]);
    for status in ["401", "407", "302", "399", "700", "x", "-1", "200"] {
        assert_eq!(reason(&format!("<Reject status='{status}'/>")), Reason::WebhookNotRcml, "{status}");
    }
    assert_eq!(verbs("<Pause/>"), [Verb::Pause(Duration::from_secs(1))]);
    assert_eq!(verbs("<Pause length='7'/>"), [Verb::Pause(Duration::from_secs(7))]);
    assert_eq!(verbs("<Hangup/>"), [Verb::Hangup]);
    assert_eq!(verbs(""), []);
    assert_eq!(verbs("<Redirect> </Redirect><Hangup/>"), [Verb::Hangup]);
    let [Verb::Redirect(hook)] = &verbs("<Redirect method='GET'>../next.xml#tt=900</Redirect>")[..] else {
        panic!("one Redirect");
    };
    assert_eq!((&*hook.url, hook.method), ("https://app.example/next.xml#tt=900", Method::Get));
    let refer = verbs("<Refer><Sip>sip:bob@example.com</Sip></Refer>");
    assert_eq!(refer, [Verb::Refer { target: "sip:bob@example.com".into() }]);
}

#[test]
fn a_message_has_its_text_and_its_parties() {
    let [Verb::Message(plain)] = &verbs("<Sms> Thanks,\n we call you. </Sms>")[..] else { panic!("one") };
    assert_eq!((&*plain.text, &plain.to, &plain.from), ("Thanks,\n we call you.", &None, &None));
    let [Verb::Message(said)] = &verbs("<Message to='+1650' from='100'>x</Message>")[..] else {
        panic!("one")
    };
    assert_eq!((said.to.as_deref(), said.from.as_deref()), (Some("+1650"), Some("100")));
    let long = format!("<Sms>{}</Sms>", "x".repeat(1_001));
    for inner in ["<Sms/>", "<Sms><Body>x</Body></Sms>", "<Sms body='x'>y</Sms>", &long] {
        let document = format!("<Response>{inner}</Response>");
        let target = Target::parse("https://app.example/voice/main.xml", None).unwrap();
        assert!(parse(document.as_bytes(), &target).is_err(), "{inner}");
    }
}

#[test]
fn what_needs_media_is_named_and_not_read() {
    for (inner, name) in [
        ("<Say voice='alice'>Hello <break/></Say>", "Say"),
        ("<Gather><Say>1</Say></Gather>", "Gather"),
        ("<Dial><Conference>room</Conference></Dial>", "Conference"),
        ("<Dial record='true'>+1650</Dial>", "Dial record"),
        ("<Dial><Number url='/whisper'>+1650</Number></Dial>", "Dial url"),
    ] {
        assert_eq!(verbs(inner), [Verb::Media(name.into())], "{inner}");
    }
}

#[test]
fn entities_are_the_five_and_character_references() {
    let action = |text: &str| dial(&format!("<Dial action=\"{text}\">1</Dial>")).action.unwrap().url;
    assert_eq!(&*action("/a?b=1&amp;c=&#x41;&#66;&quot;"), "https://app.example/a?b=1&c=AB%22");
    assert_eq!(&*action("/a?b=1&c=2"), "https://app.example/a?b=1&c=2");
    assert_eq!(noun("<Client>a&#98;c</Client>").target, To::Client("abc".into()));
    assert_eq!(noun("<Client><![CDATA[a&b]]></Client>").target, To::Client("a&b".into()));
    for text in
        ["&nbsp;", "&x;", "&#0;", "&#xD800;", "&#x110000;", "&#x+41;", "&#;", "&#x;", "&#99999999999;"]
    {
        assert_eq!(reason(&format!("<Dial>1{text}</Dial>")), Reason::WebhookNotXml, "{text}");
        assert_eq!(reason(&format!("<Dial callerId='1{text}'>1</Dial>")), Reason::WebhookNotXml, "{text}");
    }
}

#[test]
fn an_unknown_root_verb_noun_or_attribute_is_an_error() {
    for body in [
        "<response><Hangup/></response>",
        "<html><body>Login</body></html>",
        "<Responses/>",
        "<Response version='1'/>",
        "<Response>text<Hangup/></Response>",
    ] {
        assert_eq!(read(body).unwrap_err().reason(), Reason::WebhookNotRcml, "{body}");
    }
    for inner in [
        "<Frobnicate/><Dial>+12155550111</Dial>",
        "<dial>+1</dial>",
        "<Dial><Fax>1</Fax></Dial>",
        "<Dial/>",
        "<Dial></Dial>",
        "<Dial timeOut='3'>+1</Dial>",
        "<Dial><Number username='u'>+1</Number></Dial>",
        "<Dial>1<Number>2</Number></Dial>",
        "<Dial><Sip></Sip></Dial>",
        "<Dial><Sip>tel:+1650</Sip></Dial>",
        "<Dial><Sip>http://x/</Sip></Dial>",
        "<Dial><Sip>sip:a b@c</Sip></Dial>",
        "<Dial><Sip>&lt;sip:a@b></Sip></Dial>",
        "<Dial><Sip>sip:a@</Sip></Dial>",
        "<Dial><Number>alice</Number></Dial>",
        "<Dial><Number>+</Number></Dial>",
        "<Dial><Client>a@b</Client></Dial>",
        "<Dial><Client>a b</Client></Dial>",
        "<Dial action='ftp://x/'>1</Dial>",
        "<Dial action='/a' method='PUT'>1</Dial>",
        "<Dial timeout='-1'>1</Dial>",
        "<Dial timeout='99999999999999999999'>1</Dial>",
        "<Dial timeout='NaN'>1</Dial>",
        "<Dial timeout='0'>1</Dial>",
        "<Dial timeout='1.5'>1</Dial>",
        "<Dial timeout='+5'>1</Dial>",
        "<Pause length='-1'/>",
        "<Pause>5</Pause>",
        "<Hangup now='1'/>",
        "<Redirect><Hangup/></Redirect>",
        "<Redirect>sip:a@b</Redirect>",
        "<Refer/>",
        "<Refer><Number>1</Number></Refer>",
        "<Reject><Sip>1</Sip></Reject>",
        "<Dial><Client statusCallback='/x' statusCallbackEvent='ring'>b</Client></Dial>",
    ] {
        assert_eq!(reason(inner), Reason::WebhookNotRcml, "{inner}");
    }
}

/// CPU time of this thread so far: other tests' load is none of this one's business.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|field| field.parse().ok()).expect("a number"))
}

/// Attacks: each is refused with its own reason, within 50 ms of CPU time.
#[test]
fn hostile_documents_are_refused_at_once() {
    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let doctype = |inner: &str| format!("{HEAD}<!DOCTYPE l [{inner}]><Response><Dial>&a;</Dial></Response>");
    let entities: String = ('b'..='j')
        .map(|c| {
            let before = char::from(c as u8 - 1);
            format!("<!ENTITY {c} \"{}\">", format!("&{before};").repeat(10))
        })
        .collect();
    let utf16: Vec<u8> = "\u{feff}<Response/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let many = |n: usize, f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<String>();
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("billion laughs", doctype(&format!("<!ENTITY a \"aaaaaaaaaa\">{entities}")).into(), Reason::WebhookNotXml),
        ("quadratic blow-up", doctype(&format!("<!ENTITY a \"{}\">", "a".repeat(40_000))).into(), Reason::WebhookNotXml),
        ("a file", doctype("<!ENTITY a SYSTEM \"file:///etc/passwd\">").into(), Reason::WebhookNotXml),
        ("the network", doctype("<!ENTITY a SYSTEM \"http://127.0.0.1:1/x\">").into(), Reason::WebhookNotXml),
        ("a parameter entity", doctype("<!ENTITY % a SYSTEM \"http://127.0.0.1:1/x\">%a;").into(), Reason::WebhookNotXml),
        ("a DTD alone", "<!DOCTYPE Response><Response><Dial>1</Dial></Response>".into(), Reason::WebhookNotXml),
        (
            "XInclude",
            "<Response xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"file:///etc/passwd\"/></Response>".into(),
            Reason::WebhookNotRcml,
        ),
        ("deep", format!("<Response>{}", "<a>".repeat(21_000)).into(), Reason::WebhookTooLarge),
        ("deep in a media verb", format!("<Response><Say>{}", "<a>".repeat(40)).into(), Reason::WebhookTooLarge),
        ("wide", format!("<Response>{}</Response>", "<Hangup/>".repeat(7_000)).into(), Reason::WebhookTooLarge),
        (
            "attributes",
            format!("<Response><Dial {}>1</Dial></Response>", many(6_000, &|n| format!("a{n}=\"\" "))).into(),
            Reason::WebhookTooLarge,
        ),
        ("an attribute twice", "<Response><Dial timeout=\"5\" timeout=\"99\">1</Dial></Response>".into(), Reason::WebhookNotXml),
        ("cut off", "<Response><Dial>+12155".into(), Reason::WebhookNotXml),
        ("cut off in a tag", "<Response><Dial timeout=\"".into(), Reason::WebhookNotXml),
        ("tags crossed", "<Response><Dial>1</Response></Dial>".into(), Reason::WebhookNotXml),
        ("two roots", "<Response/><Response><Dial>1</Dial></Response>".into(), Reason::WebhookNotXml),
        ("text behind", "<Response/>x".into(), Reason::WebhookNotXml),
        ("UTF-16", utf16, Reason::WebhookNotXml),
        (
            "UTF-7",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><Response>+ADw-Dial+AD4-1+ADw-/Dial+AD4-</Response>".into(),
            Reason::WebhookNotXml,
        ),
        ("bad UTF-8", b"<Response><Say>\xff\xfe\xc0\x80</Say></Response>".to_vec(), Reason::WebhookNotXml),
        ("NUL", b"<Response><Dial>+1215\0</Dial></Response>".to_vec(), Reason::WebhookNotXml),
        ("a NUL reference", "<Response><Dial>1&#0;&#xD;&#xA;X-Evil: 1</Dial></Response>".into(), Reason::WebhookNotXml),
        ("CR LF in a number", "<Response><Dial>1&#xD;&#xA;X-Evil: 1</Dial></Response>".into(), Reason::WebhookNotRcml),
        (
            "CR LF in callerId",
            "<Response><Dial callerId=\"+1&#13;&#10;X-Evil: 1\">+12155550111</Dial></Response>".into(),
            Reason::WebhookNotRcml,
        ),
        ("CR LF in a URI", "<Response><Dial><Sip>sip:a&#13;&#10;b@c</Sip></Dial></Response>".into(), Reason::WebhookNotRcml),
        (
            "a fork bomb",
            format!("<Response><Dial>{}</Dial></Response>", many(900, &|n| format!("<Sip>sip:{n}@h</Sip>"))).into(),
            Reason::WebhookNotRcml,
        ),
        ("a huge number", format!("<Response><Dial>+{}</Dial></Response>", "9".repeat(60_000)).into(), Reason::WebhookNotRcml),
        ("a captive page", "<html><body>Login</body></html>".into(), Reason::WebhookNotRcml),
        ("JSON", "[".repeat(60_000).into(), Reason::WebhookNotXml),
        ("gzip", b"\x1f\x8b\x08\0\xff\xff\xff".to_vec(), Reason::WebhookNotXml),
        ("nothing", Vec::new(), Reason::WebhookEmpty),
        ("spaces", " \r\n\t".repeat(10_000).into(), Reason::WebhookEmpty),
        ("a comment alone", "<!-- -->".into(), Reason::WebhookNotXml),
        ("ampersands", format!("<Response><Dial>{}</Dial></Response>", "&".repeat(60_000)).into(), Reason::WebhookNotRcml),
        ("open quotes", format!("<Response><Dial a=\"{}", "<".repeat(60_000)).into(), Reason::WebhookNotXml),
    ];
    for (name, body, expected) in cases {
        let start = cpu();
        let found = read(&body).map_err(|error| error.reason());
        let took = cpu() - start;
        assert_eq!(found, Err(expected), "{name}");
        println!("{name}: {took:?}");
        assert!(took < Duration::from_millis(50), "{name} took {took:?}");
    }
}

#[test]
fn no_value_of_any_document_holds_a_control_character() {
    // What an application can put where: every place that ends in a SIP message.
    for bad in ["&#13;", "&#10;", "&#x85;", "&#x7f;", "a\nb", "a\rb"] {
        for place in [
            format!("<Dial callerId='1{bad}2'>1</Dial>"),
            format!("<Dial>1{bad}2@h</Dial>"),
            format!("<Dial><Client>1{bad}2</Client></Dial>"),
            format!("<Dial><Sip username='a{bad}b'>sip:a@b</Sip></Dial>"),
            format!("<Refer><Sip>sip:a{bad}b@c</Sip></Refer>"),
            format!("<Redirect>/a{bad}b</Redirect>"),
        ] {
            let Ok(document) = read(format!("<Response>{place}</Response>")) else { continue };
            let shown = format!("{document:?}");
            let escaped = shown.contains("\\r") || shown.contains("\\n") || shown.contains("\\u");
            assert!(!escaped && !shown.chars().any(char::is_control), "{place} became {shown}");
        }
    }
}
