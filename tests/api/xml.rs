//! XML beside JSON.

use hyper::Method;

use crate::client::{Answer, over_tcp, request};
use crate::world::Api;

crate::on_both_servers!(
    one_number_in_xml,
    a_page_in_xml,
    the_other_resources_in_xml,
    errors_are_a_rest_exception,
    without_suffix_accept_decides
);

/// Asks with this `Accept`, or with none.
async fn ask(api: &Api, path: &str, accept: Option<&'static str>) -> Answer {
    let mut request = request(&api.admin.credentials, Method::GET, path, None);
    request.headers_mut().remove("accept");
    if let Some(accept) = accept {
        request.headers_mut().insert("accept", accept.parse().unwrap());
    }
    over_tcp(api.address, request).await
}

/// The names of the elements in order, each once.
fn elements(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in text.split('<').skip(2) {
        let name = part.split(['>', '/', ' ']).next().unwrap();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

async fn one_number_in_xml(api: Api) {
    let who = &api.admin;
    let pairs = [
        ("PhoneNumber", "+14155550101"),
        ("FriendlyName", "Tom & <Jerry>"),
        ("ReferUrl", "https://a.example/?x=1&y=2"),
    ];
    let path = who.numbers().replace(".json", ".xml");
    let answer = api.post(who, &path, &pairs).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    assert!(answer.header("x-callgate-generation").is_some());
    let text = &answer.text;
    assert!(text.contains("<FriendlyName>Tom &amp; &lt;Jerry&gt;</FriendlyName>"), "{text}");
    assert!(text.contains("<ReferUrl>https://a.example/?x=1&amp;y=2</ReferUrl>"), "{text}");
    assert!(text.contains("<SmsUrl/>") && text.contains("<VoiceCallerIdLookup>false</VoiceCallerIdLookup>"));
    assert!(!text.contains("<VoiceUrl") && !text.contains(".json"), "{text}");
    let documented = [
        "RestcommResponse",
        "IncomingPhoneNumber",
        "Sid",
        "AccountSid",
        "FriendlyName",
        "PhoneNumber",
        "VoiceMethod",
        "VoiceFallbackUrl",
        "VoiceFallbackMethod",
        "StatusCallback",
        "StatusCallbackMethod",
        "VoiceCallerIdLookup",
        "VoiceApplicationSid",
        "DateCreated",
        "DateUpdated",
        "SmsUrl",
        "SmsMethod",
        "SmsFallbackUrl",
        "SmsFallbackMethod",
        "SmsApplicationSid",
        "UssdUrl",
        "UssdMethod",
        "UssdFallbackUrl",
        "UssdFallbackMethod",
        "UssdApplicationSid",
        "ReferUrl",
        "ReferMethod",
        "ReferApplicationSid",
        "Capabilities",
        "Voice",
        "Sms",
        "Mms",
        "Fax",
        "ApiVersion",
        "Uri",
    ];
    assert_eq!(elements(text), documented);
}

async fn a_page_in_xml(api: Api) {
    let who = &api.admin;
    for number in ["+14155550101", "+14155550102", "+14155550103"] {
        api.post(who, &who.numbers(), &[("PhoneNumber", number)]).await.expect(200);
    }
    let path = who.numbers().replace(".json", ".xml");
    let text = api.get(who, &format!("{path}?PageSize=2")).await.expect(200).text;
    let uri = path.as_str();
    let head = format!(
        "<IncomingPhoneNumbers page=\"0\" numpages=\"1\" pagesize=\"2\" total=\"3\" start=\"0\" end=\"1\" uri=\"{uri}\" \
         firstpageuri=\"{uri}?Page=0&amp;PageSize=2\" previouspageuri=\"null\" nextpageuri=\"{uri}?Page=1&amp;PageSize=2&amp;AfterSid="
    );
    assert!(text.contains(&head), "{text}\n{head}");
    assert_eq!(text.matches("<IncomingPhoneNumber>").count(), 2);
}

async fn the_other_resources_in_xml(api: Api) {
    let who = &api.admin;
    let pairs = [("FriendlyName", "APPX"), ("RcmlUrl", "https://a.example/rcml")];
    let made = api.post(who, &who.applications().replace(".json", ".xml"), &pairs).await.expect(200).text;
    assert_eq!(
        elements(&made)[..12],
        [
            "RestcommResponse",
            "Application",
            "Sid",
            "DateCreated",
            "DateUpdated",
            "FriendlyName",
            "AccountSid",
            "ApiVersion",
            "VoiceCallerIdLookup",
            "Uri",
            "RcmlUrl",
            "Kind"
        ]
    );
    for (path, list, one) in [
        (format!("Accounts/{}/Applications.xml", who.sid), "Applications", "Application"),
        ("Accounts.xml".to_owned(), "Accounts", "Account"),
        ("Organizations.xml".to_owned(), "Organizations", "Organization"),
    ] {
        let text = api.get(who, &format!("/api/2012-04-24/{path}")).await.expect(200).text;
        assert_eq!(elements(&text)[..4], ["RestcommResponse", list, one, "Sid"], "{text}");
    }
}

async fn errors_are_a_rest_exception(api: Api) {
    let who = &api.admin;
    let path = who.number("PN00000000000000000000000000000000").replace(".json", "");
    let answer = ask(&api, &path, None).await.expect(404);
    assert_eq!(
        elements(&answer.text),
        ["RestcommResponse", "RestException", "Status", "Code", "Message", "MoreInfo"]
    );
    assert!(answer.text.contains("<Code>404</Code>"));
    for (path, status) in
        [("/restcomm/2012-04-24/Nothing.xml", 404), ("/restcomm/2012-04-24/Organizations.xml?Status=x", 400)]
    {
        let answer = ask(&api, path, None).await.expect(status);
        assert!(answer.text.contains("<RestException>"), "{}", answer.text);
    }
    let mut foreign = who.clone();
    foreign.credentials.0.as_mut().unwrap().1 = "wrong".to_owned();
    let answer = api.get(&foreign, &who.numbers().replace(".json", ".xml")).await.expect(401);
    assert!(answer.text.contains("<RestException>") && answer.header("www-authenticate").is_some());
}

async fn without_suffix_accept_decides(api: Api) {
    let path = api.admin.numbers().replace(".json", "");
    for (path, accept, json) in [
        (path.clone(), None, false),
        (path.clone(), Some("*/*"), false),
        (path.clone(), Some("application/xml"), false),
        (path.clone(), Some("text/html, application/json"), true),
        (format!("{path}.json"), Some("application/xml"), true),
        (format!("{path}.xml"), Some("application/json"), false),
    ] {
        let answer = ask(&api, &path, accept).await.expect(200);
        let expected = if json { "application/json" } else { "application/xml" };
        assert_eq!(answer.header("content-type"), Some(expected), "{path} {accept:?}");
        assert_eq!(answer.text.starts_with("<?xml"), !json);
    }
}
