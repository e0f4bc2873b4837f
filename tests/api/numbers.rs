//! IncomingPhoneNumbers and Applications, case by case, on both database servers.

use callgate::store::{AccountRow, OrganizationRow};
use hyper::Method;
use serde_json::{Value, json};

use crate::world::{Api, Caller};

crate::on_both_servers!(
    a_did_is_created_as_documented,
    a_sip_number_stays_as_it_was_given,
    an_mms_address_is_no_pattern,
    an_update_changes_what_it_names,
    a_number_is_released,
    what_cannot_be_had_is_21452,
    what_is_wrong_is_named,
    the_list_has_pages,
    the_list_filters,
    two_creates_of_one_number_make_one,
    two_updates_of_different_fields_both_hold,
    a_private_address_is_warned_of,
    a_pattern_is_remarked_upon,
    applications_come_and_go,
    a_number_is_handed_over,
    every_property_is_kept_and_cleared,
    an_omnichannel_number_is_created_as_documented,
);

/// The documentation's company line.
const LINE: [(&str, &str); 3] = [
    ("VoiceUrl", "http://demo.telestax.com/docs/voice.xml"),
    ("FriendlyName", "My Company Line"),
    ("VoiceMethod", "GET"),
];

async fn create(api: &Api, who: &Caller, pairs: &[(&str, &str)]) -> Value {
    api.post(who, &who.numbers(), pairs).await.expect(200).json()
}

async fn a_did_is_created_as_documented(api: Api) {
    let who = &api.admin;
    let pairs = [LINE[0], LINE[1], LINE[2], ("PhoneNumber", "+14156902867")];
    let answer = api.post(who, &who.numbers(), &pairs).await.expect(200);
    assert!(answer.header("x-callgate-generation").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(answer.warnings(), [] as [&str; 0]);
    let body = answer.json();
    let sid = body["sid"].as_str().unwrap();
    assert!(sid.starts_with("PN") && sid.len() == 34);
    let (made, updated) = (body["date_created"].clone(), body["date_updated"].clone());
    assert!(made.as_str().unwrap().ends_with(" +0000") && made == updated, "{made} {updated}");
    let expected = json!({
        "sid": sid, "account_sid": who.sid, "friendly_name": "My Company Line",
        "phone_number": "+14156902867", "voice_url": "http://demo.telestax.com/docs/voice.xml",
        "voice_method": "GET", "voice_fallback_url": null, "voice_fallback_method": "POST",
        "status_callback": null, "status_callback_method": "POST", "voice_caller_id_lookup": false,
        "voice_application_sid": null, "date_created": made, "date_updated": updated,
        "sms_url": null, "sms_method": "POST", "sms_fallback_url": null, "sms_fallback_method": "POST",
        "sms_application_sid": null, "ussd_url": null, "ussd_method": "POST", "ussd_fallback_url": null,
        "ussd_fallback_method": "POST", "ussd_application_sid": null, "refer_url": null,
        "refer_method": "POST", "refer_application_sid": null,
        "capabilities": {
            "voice_capable": true, "sms_capable": true, "mms_capable": false, "fax_capable": false
        },
        "api_version": "2012-04-24",
        "uri": format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers/{sid}.json", who.sid),
    });
    assert_eq!(body, expected);
    assert_eq!(keys_in_order(&answer.text), NUMBER_KEYS);
    // Read back, under the other base and without the suffix.
    let path = format!("/api/2012-04-24/Accounts/{}/IncomingPhoneNumbers/{sid}", who.sid);
    let again = api.get(who, &path).await.expect(200).json();
    assert_eq!(again["uri"], format!("{path}.json"));
    assert_eq!(again["phone_number"], "+14156902867");
}

const NUMBER_KEYS: [&str; 30] = [
    "sid",
    "account_sid",
    "friendly_name",
    "phone_number",
    "voice_url",
    "voice_method",
    "voice_fallback_url",
    "voice_fallback_method",
    "status_callback",
    "status_callback_method",
    "voice_caller_id_lookup",
    "voice_application_sid",
    "date_created",
    "date_updated",
    "sms_url",
    "sms_method",
    "sms_fallback_url",
    "sms_fallback_method",
    "sms_application_sid",
    "ussd_url",
    "ussd_method",
    "ussd_fallback_url",
    "ussd_fallback_method",
    "ussd_application_sid",
    "refer_url",
    "refer_method",
    "refer_application_sid",
    "capabilities",
    "api_version",
    "uri",
];

/// The keys of the outermost object as they stand in the pretty-printed text.
fn keys_in_order(text: &str) -> Vec<&str> {
    let key = |line: &'_ str| line.starts_with("  \"").then(|| line[3..].split('"').next().unwrap().len());
    text.lines().filter_map(|line| key(line).map(|length| &line[3..3 + length])).collect()
}

async fn a_sip_number_stays_as_it_was_given(api: Api) {
    let url = ("VoiceUrl", "https://mycompany.com/restcomm/demos/hello-play.xml");
    let body = create(&api, &api.admin, &[("PhoneNumber", "1234"), url, ("isSIP", "true")]).await;
    assert_eq!((&body["phone_number"], &body["friendly_name"]), (&json!("1234"), &json!("1234")));
    let did = create(&api, &api.admin, &[("PhoneNumber", "+15105555555"), url]).await;
    assert_eq!(did["friendly_name"], "15105555555");
    // Another organization may have the same SIP number, the same organization may not.
    let other = api.tenant("other", Some("other.example.org")).await;
    create(&api, &other, &[("PhoneNumber", "1234"), ("isSIP", "TRUE")]).await;
    let sibling = api.tenant("sibling", None).await;
    let pairs = [("PhoneNumber", "1234"), ("isSIP", "true")];
    let refused = api.post(&sibling, &sibling.numbers(), &pairs).await.expect(400).json();
    assert_eq!(refused["code"], 21452);
}

async fn an_mms_address_is_no_pattern(api: Api) {
    let pairs = [
        ("PhoneNumber", "mms:+12345678"),
        ("SmsUrl", "https://mycompany.com/api/demos/echo.xml"),
        ("isSIP", "true"),
        ("FriendlyName", "MMSApp"),
    ];
    let answer = api.post(&api.admin, &api.admin.numbers(), &pairs).await.expect(200);
    assert_eq!(answer.warnings(), [] as [&str; 0]);
    let body = answer.json();
    assert_eq!((&body["phone_number"], &body["sms_method"]), (&json!("mms:+12345678"), &json!("POST")));
}

async fn an_update_changes_what_it_names(api: Api) {
    let who = &api.admin;
    let made = create(&api, who, &[LINE[0], LINE[1], LINE[2], ("PhoneNumber", "+14206902867")]).await;
    let sid = made["sid"].as_str().unwrap();
    let pairs = [
        ("VoiceUrl", "http://demo.telestax.com/docs/voice2.xml"),
        ("SmsUrl", "http://demo.telestax.com/docs/sms2.xml"),
        ("VoiceMethod", "POST"),
        ("SMSMethod", "GET"),
    ];
    let answer = api.post(who, &who.number(sid), &pairs).await.expect(200);
    assert_eq!(answer.warnings(), ["SMSMethod is unknown and was ignored; did you mean SmsMethod?"]);
    let body = answer.json();
    assert_eq!(body["voice_url"], "http://demo.telestax.com/docs/voice2.xml");
    assert_eq!(body["sms_url"], "http://demo.telestax.com/docs/sms2.xml");
    assert_eq!((&body["voice_method"], &body["sms_method"]), (&json!("POST"), &json!("POST")));
    assert_eq!(body["friendly_name"], "My Company Line");
    // PUT is the same; an empty value clears; the number itself never changes.
    let pairs = [("SmsUrl", ""), ("FriendlyName", ""), ("PhoneNumber", "+1999")];
    let answer = api.form(who, Method::PUT, &who.number(sid), &pairs).await.expect(200);
    assert_eq!(answer.warnings(), ["PhoneNumber cannot be changed and was ignored"]);
    let body = answer.json();
    assert_eq!((&body["sms_url"], &body["friendly_name"]), (&Value::Null, &json!("14206902867")));
    assert_eq!(body["phone_number"], "+14206902867");
    let unknown = who.number("PN00000000000000000000000000000000");
    api.post(who, &unknown, &[("VoiceUrl", "")]).await.expect(404);
}

async fn a_number_is_released(api: Api) {
    let who = &api.admin;
    let made = create(&api, who, &[("PhoneNumber", "+14196902867")]).await;
    let path = who.number(made["sid"].as_str().unwrap());
    let answer = api.delete(who, &path).await.expect(204);
    assert_eq!(answer.text, "");
    assert!(answer.header("x-callgate-generation").is_some());
    api.delete(who, &path).await.expect(404);
    api.get(who, &path).await.expect(404);
    create(&api, who, &[("PhoneNumber", "+14196902867")]).await;
}

async fn what_cannot_be_had_is_21452(api: Api) {
    let who = &api.admin;
    create(&api, who, &[("PhoneNumber", "+14156902867")]).await;
    let other = api.tenant("other", Some("other.example.org")).await;
    for caller in [who, &other] {
        let answer =
            api.post(caller, &caller.numbers(), &[("PhoneNumber", "+14156902867")]).await.expect(400);
        let body = answer.json();
        assert_eq!((&body["status"], &body["code"]), (&json!(400), &json!(21452)));
        assert!(body["message"].as_str().unwrap().contains("+14156902867"), "{body}");
        assert_eq!(keys_in_order(&pretty(&body)), ["code", "message", "more_info", "status"]);
    }
    // Both given: the area counts, and there is none to be had.
    let pairs = [("AreaCode", "305"), ("PhoneNumber", "+13055550100")];
    assert_eq!(api.post(who, &who.numbers(), &pairs).await.expect(400).json()["code"], 21452);
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

async fn what_is_wrong_is_named(api: Api) {
    let who = &api.admin;
    let long = "x".repeat(65);
    let unknown_application = "AP00000000000000000000000000000001";
    for (pairs, expected) in [
        (vec![], "Phone number can not be null."),
        (vec![("PhoneNumber", "16(")], "PhoneNumber `16(` is no valid pattern"),
        (vec![("PhoneNumber", "+1"), ("VoiceMethod", "PUT")], "VoiceMethod is `PUT`: use GET or POST"),
        (
            vec![("PhoneNumber", "+1"), ("VoiceUrl", "ftp://x/")],
            "VoiceUrl has the scheme ftp: use http or https",
        ),
        (
            vec![("PhoneNumber", "+1"), ("ApiVersion", "2010-04-01")],
            "ApiVersion is `2010-04-01`: use 2012-04-24",
        ),
        (
            vec![("PhoneNumber", "+1"), ("VoiceCallerIdLookup", "1")],
            "VoiceCallerIdLookup is `1`: use true or false",
        ),
        (
            vec![("PhoneNumber", "+1"), ("FriendlyName", &long)],
            "FriendlyName is 65 characters long: use at most 64",
        ),
        (vec![("PhoneNumber", "+1"), ("VoiceApplicationSid", "AP12")], "VoiceApplicationSid: `AP12` is no"),
        (
            vec![("PhoneNumber", "+1"), ("VoiceApplicationSid", unknown_application)],
            "VoiceApplicationSid is AP00000000000000000000000000000001, which is no application of this account",
        ),
        (vec![("PhoneNumber", "+1"), ("FallbackTarget", "bob")], "FallbackTarget is no SIP URI"),
    ] {
        let body = api.post(who, &who.numbers(), &pairs).await.expect(400).json();
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with(expected), "{pairs:?}: {message}");
    }
    assert_eq!(api.get(who, &who.numbers()).await.json()["total"], 0);
}

async fn the_list_has_pages(api: Api) {
    use callgate::ids::NumberSid;
    use callgate::store::NumberRow;
    let who = &api.admin;
    let (account, organization) = (api.world.account.id, api.world.organization.id);
    for at in 0..501 {
        let row = NumberRow {
            id: NumberSid(at + 1),
            ..NumberRow::new(account, organization, format!("+1650{at:07}"))
        };
        api.world.store.create("test", row).await.unwrap();
    }
    let base = who.numbers();
    for (page, items, start, end, previous, next) in [
        (0, 50, "0", "49", None, Some(1)),
        (2, 50, "100", "149", Some(1), Some(3)),
        (10, 1, "500", "500", Some(9), None),
    ] {
        let body = api.get(who, &format!("{base}?Page={page}&PageSize=50")).await.expect(200).json();
        assert_eq!(body["total"], 501);
        assert_eq!(
            (&body["page"], &body["num_pages"], &body["page_size"]),
            (&json!(page), &json!(10), &json!(50))
        );
        assert_eq!((&body["start"], &body["end"]), (&json!(start), &json!(end)));
        let numbers = body["incomingPhoneNumbers"].as_array().unwrap();
        assert_eq!(numbers.len(), items);
        assert_eq!(body["uri"], base);
        let is = |value: &Value, number: Option<u32>| match number {
            Some(number) => value.as_str().unwrap().starts_with(&format!("{base}?Page={number}&PageSize=50")),
            None => value == "null",
        };
        assert!(is(&body["previous_page_uri"], previous) && is(&body["next_page_uri"], next), "{body:#}");
        assert!(is(&body["first_page_uri"], Some(0)) && is(&body["last_page_uri"], Some(10)));
    }
    // Following the documents' own links visits every number once.
    let mut seen = std::collections::BTreeSet::new();
    let mut uri = format!("{base}?PageSize=100");
    while uri != "null" {
        let body = api.get(who, &uri).await.expect(200).json();
        for number in body["incomingPhoneNumbers"].as_array().unwrap() {
            assert!(seen.insert(number["sid"].as_str().unwrap().to_owned()));
        }
        uri = body["next_page_uri"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen.len(), 501);
    for bad in ["Page=11", "Page=x", "PageSize=0", "PageSize=5000"] {
        api.get(who, &format!("{base}?{bad}")).await.expect(400);
    }
}

async fn the_list_filters(api: Api) {
    let who = &api.admin;
    create(&api, who, &[("PhoneNumber", "+14216902867"), ("FriendlyName", "My Company Line")]).await;
    create(&api, who, &[("PhoneNumber", "+15216902867"), ("FriendlyName", "My 2nd Company Line")]).await;
    let found = async |query: &str| {
        let body = api.get(who, &format!("{}?{query}", who.numbers())).await.expect(200).json();
        let numbers = body["incomingPhoneNumbers"].as_array().unwrap();
        numbers.iter().map(|number| number["phone_number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("").await.len(), 2);
    assert_eq!(found("PhoneNumber=%2B15216902867").await, ["+15216902867"]);
    assert_eq!(found("PhoneNumber=+15216902867").await, ["+15216902867"], "an unescaped plus");
    assert_eq!(found("PhoneNumber=6902867").await.len(), 2);
    assert_eq!(found("PhoneNumber=4216").await, ["+14216902867"]);
    assert_eq!(found("FriendlyName=My+Company+Line").await, ["+14216902867"]);
    assert_eq!(found("FriendlyName=My").await, [] as [&str; 0]);
    assert_eq!(found("Beta=true").await.len(), 2);
    let answer = api.get(who, &format!("{}?phonenumber=1", who.numbers())).await.expect(200);
    assert_eq!(answer.warnings(), ["phonenumber is unknown and was ignored; did you mean PhoneNumber?"]);
}

async fn two_creates_of_one_number_make_one(api: Api) {
    let who = &api.admin;
    let pairs = [("PhoneNumber", "+14150000001")];
    let path = who.numbers();
    let (a, b, c) = tokio::join!(
        api.post(who, &path, &pairs),
        api.post(who, &path, &pairs),
        api.post(who, &path, &pairs)
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400]);
    assert_eq!(api.get(who, &path).await.json()["total"], 1);
}

async fn two_updates_of_different_fields_both_hold(api: Api) {
    let who = &api.admin;
    let made = create(&api, who, &[("PhoneNumber", "+14150000002")]).await;
    let path = who.number(made["sid"].as_str().unwrap());
    for round in 0..5 {
        let (voice, status) = (format!("https://a.example/{round}"), format!("https://b.example/{round}"));
        let (first, second) = ([("VoiceUrl", voice.as_str())], [("StatusCallback", status.as_str())]);
        let (a, b) = tokio::join!(api.post(who, &path, &first), api.post(who, &path, &second));
        a.expect(200);
        b.expect(200);
        let body = api.get(who, &path).await.json();
        assert_eq!((&body["voice_url"], &body["status_callback"]), (&json!(voice), &json!(status)));
    }
}

async fn a_private_address_is_warned_of(api: Api) {
    let pairs = [("PhoneNumber", "+14150000003"), ("VoiceUrl", "http://127.0.0.1:3000/voice")];
    let answer = api.post(&api.admin, &api.admin.numbers(), &pairs).await.expect(200);
    let [warning] = answer.warnings()[..] else { panic!("{:?}", answer.warnings()) };
    assert!(
        warning.contains("127.0.0.1") && warning.contains("webhook.allow-private-addresses"),
        "{warning}"
    );
}

async fn a_pattern_is_remarked_upon(api: Api) {
    let who = &api.admin;
    let answer = api.post(who, &who.numbers(), &[("PhoneNumber", "1650*")]).await.expect(200);
    assert!(
        answer.warnings().iter().any(|warning| warning.contains("zero or more 0")),
        "{:?}",
        answer.warnings()
    );
    let answer = api.post(who, &who.numbers(), &[("PhoneNumber", "7777\\8888")]).await.expect(200);
    assert_eq!(answer.json()["phone_number"], "7777|8888");
    assert!(
        answer.warnings().iter().any(|warning| warning.contains("read as `|`")),
        "{:?}",
        answer.warnings()
    );
}

async fn applications_come_and_go(api: Api) {
    let who = &api.admin;
    let path = who.applications();
    let refused = api.post(who, &path, &[("RcmlUrl", "https://a.example/rcml")]).await.expect(400).json();
    assert_eq!(refused["message"], "Friendly name can not be null.");
    let pairs = [("FriendlyName", "APPX"), ("RcmlUrl", "https://a.example/rcml"), ("Kind", "voice")];
    let answer = api.post(who, &path, &pairs).await.expect(200);
    let made = answer.json();
    let sid = made["sid"].as_str().unwrap();
    let documented = [
        "sid",
        "date_created",
        "date_updated",
        "friendly_name",
        "account_sid",
        "api_version",
        "voice_caller_id_lookup",
        "uri",
        "rcml_url",
        "kind",
    ];
    assert_eq!(keys_in_order(&answer.text)[..10], documented);
    let element = format!("/restcomm/2012-04-24/Accounts/{}/Applications/{sid}.json", who.sid);
    assert_eq!(made["uri"], element);
    // The alias, by PUT.
    let pairs = [("VoiceUrl", "https://b.example/rcml"), ("VoiceMethod", "GET"), ("FriendlyName", "APPY")];
    let body = api.form(who, Method::PUT, &element, &pairs).await.expect(200).json();
    assert_eq!(
        (&body["rcml_url"], &body["voice_method"], &body["friendly_name"]),
        (&json!("https://b.example/rcml"), &json!("GET"), &json!("APPY"))
    );
    // A number names it; the name comes with the number, the number with the application.
    let number = create(&api, who, &[("PhoneNumber", "+14150000004"), ("VoiceApplicationSid", sid)]).await;
    assert_eq!(
        (&number["voice_application_sid"], &number["voice_application_name"]),
        (&json!(sid), &json!("APPY"))
    );
    let list = api.get(who, &format!("{path}?includeNumbers=true")).await.expect(200).json();
    assert_eq!(list[0]["numbers"][0]["phone_number"], "+14150000004");
    assert!(api.get(who, &path).await.json()[0].get("numbers").is_none());
    api.delete(who, &element).await.expect(409);
    let named = who.number(number["sid"].as_str().unwrap());
    for name in ["VoiceApplicationSid", "SmsApplicationSid", "UssdApplicationSid", "ReferApplicationSid"] {
        api.post(who, &named, &[(name, sid)]).await.expect(200);
        let refused = api.delete(who, &element).await.expect(409);
        assert!(refused.text.contains("a number still names it for"), "{name}: {}", refused.text);
        api.post(who, &named, &[(name, "")]).await.expect(200);
    }
    let (store, application) = (&api.world.store, sid.parse().unwrap());
    for default in [Some(application), None] {
        let change = |row: &mut AccountRow| row.default_application_id = default;
        store.modify::<AccountRow>("test", api.world.account.id, change).await.unwrap();
        let answer = api.delete(who, &element).await;
        if default.is_some() {
            assert!(answer.expect(409).text.contains("an account has it"));
            let change = |row: &mut OrganizationRow| row.default_application_id = default;
            store.modify::<OrganizationRow>("test", api.world.organization.id, change).await.unwrap();
        } else {
            assert!(answer.expect(409).text.contains("an organization has it"));
            let change = |row: &mut OrganizationRow| row.default_application_id = None;
            store.modify::<OrganizationRow>("test", api.world.organization.id, change).await.unwrap();
        }
    }
    assert_eq!(api.delete(who, &element).await.expect(200).text, "");
    api.get(who, &element).await.expect(404);
}

async fn a_number_is_handed_over(api: Api) {
    let who = &api.admin;
    let receiver = api.tenant("receiver", Some("receiver.example.org")).await;
    let made = create(&api, who, &[("PhoneNumber", "+14150000005")]).await;
    let sid = made["sid"].as_str().unwrap();
    let body = api.post(who, &who.number(sid), &[("AccountSid", &receiver.sid)]).await.expect(200).json();
    assert_eq!(body["account_sid"], receiver.sid);
    api.get(who, &who.number(sid)).await.expect(404);
    api.get(&receiver, &receiver.number(sid)).await.expect(200);
    // The receiver may not hand it up to somebody else's account.
    api.post(&receiver, &receiver.number(sid), &[("AccountSid", &who.sid)]).await.expect(403);
}

async fn every_property_is_kept_and_cleared(api: Api) {
    let who = &api.admin;
    let made = create(&api, who, &[("PhoneNumber", "+14150000006")]).await;
    let path = who.number(made["sid"].as_str().unwrap());
    let application =
        api.post(who, &who.applications(), &[("FriendlyName", "APPZ")]).await.expect(200).json();
    let sid = application["sid"].as_str().unwrap();
    let snake = |name: &str| {
        let mut text = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !text.is_empty() {
                text.push('_');
            }
            text.push(c.to_ascii_lowercase());
        }
        text
    };
    let url = "https://a.example/x?y=1";
    let urls = [
        "VoiceUrl",
        "VoiceFallbackUrl",
        "StatusCallback",
        "SmsUrl",
        "SmsFallbackUrl",
        "UssdUrl",
        "UssdFallbackUrl",
        "ReferUrl",
    ];
    let methods = [
        "VoiceMethod",
        "VoiceFallbackMethod",
        "StatusCallbackMethod",
        "SmsMethod",
        "SmsFallbackMethod",
        "UssdMethod",
        "UssdFallbackMethod",
        "ReferMethod",
    ];
    let applications =
        ["VoiceApplicationSid", "SmsApplicationSid", "UssdApplicationSid", "ReferApplicationSid"];
    let groups = [
        (&urls[..], url, Value::Null),
        (&methods[..], "GET", json!("POST")),
        (&applications[..], sid, Value::Null),
    ];
    for method in [Method::POST, Method::PUT] {
        for (names, value, cleared) in &groups {
            for name in *names {
                let body = api.form(who, method.clone(), &path, &[(name, value)]).await.expect(200).json();
                assert_eq!(body[snake(name)], *value, "{name}");
            }
            let body = api.get(who, &path).await.json();
            assert!(
                names.iter().all(|name| body[snake(name)] == *value),
                "one at a time leaves the others: {body:#}"
            );
            if value == &sid {
                for name in applications {
                    assert_eq!(body[snake(name).replace("_sid", "_name")], "APPZ");
                }
            }
            for name in *names {
                let body = api.form(who, method.clone(), &path, &[(name, "")]).await.expect(200).json();
                assert_eq!(body[snake(name)], *cleared, "{name}");
            }
        }
        for (name, key) in
            [("VoiceCapable", "voice"), ("SmsCapable", "sms"), ("MmsCapable", "mms"), ("FaxCapable", "fax")]
        {
            for value in [true, false] {
                let body = api
                    .form(who, method.clone(), &path, &[(name, &value.to_string())])
                    .await
                    .expect(200)
                    .json();
                assert_eq!(body["capabilities"][format!("{key}_capable")], value);
            }
        }
        let pairs =
            [("VoiceCallerIdLookup", "true"), ("FriendlyName", "Named"), ("ApiVersion", "2012-04-24")];
        let body = api.form(who, method.clone(), &path, &pairs).await.expect(200).json();
        assert_eq!(
            (&body["voice_caller_id_lookup"], &body["friendly_name"]),
            (&json!(true), &json!("Named"))
        );
        let pairs = [("VoiceCallerIdLookup", "false"), ("FriendlyName", "")];
        let body = api.form(who, method.clone(), &path, &pairs).await.expect(200).json();
        assert_eq!(
            (&body["voice_caller_id_lookup"], &body["friendly_name"]),
            (&json!(false), &json!("14150000006"))
        );
    }
    let long = "x".repeat(65);
    for (name, bad) in [
        ("ReferMethod", "PUT"),
        ("UssdMethod", "x"),
        ("ApiVersion", "2010-04-01"),
        ("VoiceCallerIdLookup", "yes"),
        ("FriendlyName", long.as_str()),
        ("SmsUrl", "ftp://a.example/"),
    ] {
        let error = api.post(who, &path, &[(name, bad)]).await.expect(400).json();
        assert!(error["message"].as_str().unwrap().starts_with(name), "{error}");
    }
}

async fn an_omnichannel_number_is_created_as_documented(api: Api) {
    let pairs = [
        ("PhoneNumber", "mms:+12345678"),
        ("SmsUrl", "https://mycompany.com/api/demos/echo.xml"),
        ("isSIP", "true"),
    ];
    let body = create(&api, &api.admin, &pairs).await;
    assert_eq!(
        (&body["phone_number"], &body["sms_url"]),
        (&json!("mms:+12345678"), &json!("https://mycompany.com/api/demos/echo.xml"))
    );
    assert_eq!(body["friendly_name"], "mms:+12345678");
}
