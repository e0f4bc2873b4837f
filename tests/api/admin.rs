//! `/admin/v1`, metrics and health.

use std::sync::Arc;
use std::time::Duration;

use callgate::call::facts::CallFacts;
use callgate::call::outcome::{CallStatus, HangupSource, Terminal};
use callgate::call::trace::TraceItem;
use callgate::engine::door::{Counter, GatewayNews};
use callgate::ids::{CallSid, GatewaySid};
use callgate::reason::Reason;
use callgate::telemetry::health::Severity;
use callgate::time::Instant;
use hyper::Method;
use serde_json::json;

use crate::world::Api;

crate::on_both_servers!(
    trunks_come_and_go,
    gateways_come_and_go,
    a_gateways_password_is_sealed_and_never_shown,
    header_rules_name_what_they_may_not,
    a_gateway_drains_and_says_how_it_stands,
    numbers_of_any_account,
    a_write_becomes_live,
    explain_says_who_won,
    the_linter_speaks,
    calls_are_shown_while_they_live_and_after,
    health_says_what_is_wrong,
    metrics_are_read,
    what_is_not_there_is_said,
);

async fn trunks_come_and_go(api: Api) {
    let body = json!({"name": "carrier", "sources": ["192.0.2.0/24", "2001:db8::1"], "max_calls": 30,
        "number_rules": [{"prefix": "00", "strip": 2, "prepend": "+"}], "nat": "on"});
    let answer = api.json(Method::POST, "/admin/v1/trunks", body).await.expect(201);
    assert!(answer.header("x-callgate-generation").is_some());
    let made = answer.json();
    assert_eq!(made["sources"], json!(["192.0.2.0/24", "2001:db8::1/128"]));
    assert_eq!(
        (&made["number_rules"][0]["strip"], &made["nat"], &made["limit_code"]),
        (&json!(2), &json!("on"), &json!(486))
    );
    // By sid and by name.
    let sid = made["sid"].as_str().unwrap();
    assert_eq!(api.get(&api.admin, &format!("/admin/v1/trunks/{sid}")).await.expect(200).json(), made);
    let changed = api
        .json(Method::PATCH, "/admin/v1/trunks/carrier", json!({"max_calls": "", "mode": "redirect"}))
        .await;
    let changed = changed.expect(200).json();
    assert_eq!(
        (&changed["max_calls"], &changed["mode"], &changed["nat"]),
        (&json!(null), &json!("redirect"), &json!("on"))
    );
    for (body, status, expected) in [
        (
            json!({"name": "twin", "sources": "192.0.2.0/24"}),
            400,
            "sources tie with another trunk: trunk `twin` and trunk `carrier`",
        ),
        (
            json!({"name": "carrier", "sources": "198.51.100.1"}),
            409,
            "name `carrier` is taken: choose another",
        ),
        (
            json!({"name": "b", "source": "198.51.100.1"}),
            400,
            "source is no field here; did you mean sources?",
        ),
        (
            json!({"name": "b", "sources": "198.51.100.0/40"}),
            400,
            "sources is `198.51.100.0/40`: use a list of addresses",
        ),
        (json!({"name": "b", "limit_code": 302}), 400, "limit_code is 302: use 400 to 699"),
        (json!({"name": "two words"}), 400, "name is no name"),
    ] {
        let error = api.json(Method::POST, "/admin/v1/trunks", body).await.expect(status).json();
        assert!(error["message"].as_str().unwrap().starts_with(expected), "{error}");
    }
    let narrowed = json!({"name": "narrowed", "sources": "192.0.2.0/24", "source_port": 5080});
    api.json(Method::POST, "/admin/v1/trunks", narrowed).await.expect(201);
    assert_eq!(api.get(&api.admin, "/admin/v1/trunks").await.json()["total"], 2);
    api.delete(&api.admin, "/admin/v1/trunks/carrier").await.expect(204);
    api.delete(&api.admin, "/admin/v1/trunks/carrier").await.expect(404);
}

async fn gateways_come_and_go(api: Api) {
    let body = json!({"name": "out", "host": "sip.example.org", "transport": "tcp", "emergency": true});
    let made = api.json(Method::POST, "/admin/v1/gateways", body).await.expect(201).json();
    assert_eq!(
        (&made["transport"], &made["emergency"], &made["port"]),
        (&json!("tcp"), &json!(true), &json!(null))
    );
    let changed =
        api.json(Method::PATCH, "/admin/v1/gateways/out", json!({"port": "5070", "transport": ""})).await;
    let changed = changed.expect(200).json();
    assert_eq!((&changed["port"], &changed["transport"]), (&json!(5070), &json!(null)));
    let error = api.json(Method::POST, "/admin/v1/gateways", json!({"name": "b", "host": "no host"})).await;
    assert!(error.expect(400).json()["message"].as_str().unwrap().starts_with("host is no host name"));
    api.delete(&api.admin, "/admin/v1/gateways/out").await.expect(204);
}

async fn a_gateways_password_is_sealed_and_never_shown(api: Api) {
    let body = json!({"name": "out", "host": "198.51.100.20", "username": "trunk7", "password": "k33p-it",
        "realm": "carrier.test", "group_name": "premium"});
    let made = api.json(Method::POST, "/admin/v1/gateways", body).await.expect(201).json();
    assert_eq!((&made["password"], &made["realm"]), (&json!(true), &json!("carrier.test")));
    let credentials = || {
        let directory = api.handles.directory.load();
        directory.gateways()[0].credentials.clone().expect("it has some")
    };
    api.catch_up().await;
    assert_eq!((&*credentials().username, &*credentials().password), ("trunk7", "k33p-it"));
    let path = "/admin/v1/gateways/out";
    api.json(Method::PATCH, path, json!({"password": "an0ther"})).await.expect(200);
    api.catch_up().await;
    assert_eq!(&*credentials().password, "an0ther");
    let shown = [path, "/admin/v1/gateways", "/admin/v1/audit"];
    for path in shown {
        let text = api.get(&api.admin, path).await.expect(200).text;
        assert!(!text.contains("k33p-it") && !text.contains("an0ther") && !text.contains("v1."), "{text}");
    }
    let error = api.json(Method::PATCH, path, json!({"username": ""})).await;
    assert_eq!(
        error.expect(400).json()["message"].as_str().map(|text| text.contains("username")),
        Some(true)
    );
    let changed = api.json(Method::PATCH, path, json!({"username": "", "password": "", "realm": ""})).await;
    assert_eq!(changed.expect(200).json()["password"], json!(null));
}

async fn header_rules_name_what_they_may_not(api: Api) {
    let rules = json!([{"header": "X-Site", "direction": "out", "action": "set", "value": "7"}]);
    let body = json!({"name": "out", "host": "198.51.100.20", "header_rules": rules,
        "follow_redirects": "known", "forwarded_as": "diversion"});
    let made = api.json(Method::POST, "/admin/v1/gateways", body).await.expect(201).json();
    assert_eq!(made["header_rules"], rules);
    assert_eq!((&made["follow_redirects"], &made["forwarded_as"]), (&json!("known"), &json!("diversion")));
    api.catch_up().await;
    assert_eq!(api.handles.directory.load().gateways()[0].header_rules.as_slice().len(), 1);
    let rule = |header: &str, value: &str| json!([{"header": header, "direction": "in", "action": "set", "value": value}]);
    // As the command line gives them.
    let text =
        json!({"name": "in", "sources": "192.0.2.1", "header_rules": rule("Subject", "x").to_string()});
    api.json(Method::POST, "/admin/v1/trunks", text).await.expect(201);
    for (rules, expected) in [
        (rule("Via", "x"), "header_rules has a rule that may not be used: Via belongs to the dialog"),
        (rule("m", "x"), "header_rules has a rule that may not be used: m belongs to the dialog"),
        (rule("X-A", "a\r\nVia: b"), "header_rules has a rule that may not be used: the value of X-A"),
        (json!([{"header": "X-A", "action": "drop"}]), "header_rules is no list of rules"),
        (json!({"header": "X-A"}), "header_rules is "),
    ] {
        for path in ["/admin/v1/trunks/in", "/admin/v1/gateways/out"] {
            let error =
                api.json(Method::PATCH, path, json!({"header_rules": rules})).await.expect(400).json();
            assert!(error["message"].as_str().unwrap().starts_with(expected), "{error}");
        }
    }
    let cleared = api.json(Method::PATCH, "/admin/v1/gateways/out", json!({"header_rules": []})).await;
    assert_eq!(cleared.expect(200).json()["header_rules"], json!([]));
}

async fn a_gateway_drains_and_says_how_it_stands(api: Api) {
    let body = json!({"name": "out", "host": "198.51.100.20"});
    let made = api.json(Method::POST, "/admin/v1/gateways", body).await.expect(201).json();
    let sid: GatewaySid = made["sid"].as_str().unwrap().parse().unwrap();
    let told = |news| api.handles.metrics.gateways.note(sid, Some("out"), news, Instant::ZERO);
    let listed = async || {
        let listed = api.get(&api.admin, "/admin/v1/gateways").await.expect(200).json();
        listed["gateways"][0]["standing"].clone()
    };
    assert_eq!(
        made["standing"],
        json!({"state": "unknown", "since": null, "answers_checks": null,
        "last_check": null, "active": 0, "calls": 0, "answers": 0, "failures": 0})
    );
    for (news, state, code) in [
        (GatewayNews::Tried, "unknown", json!(null)),
        (GatewayNews::Checked(None), "unknown", json!(null)),
        (GatewayNews::Down, "down", json!(null)),
        (GatewayNews::Checked(Some(200)), "down", json!(200)),
        (GatewayNews::Up, "up", json!(200)),
        (GatewayNews::Out(Instant::from_millis(60_000)), "out", json!(200)),
    ] {
        told(news);
        let standing = listed().await;
        assert_eq!(
            (&standing["state"], &standing["last_check"]["code"]),
            (&json!(state), &code),
            "{standing}"
        );
        assert_eq!(standing["since"].is_string(), state != "unknown");
    }
    // What is told is no part of the row.
    let tag = |answer: &crate::client::Answer| answer.header("etag").map(str::to_owned);
    let path = "/admin/v1/gateways/out";
    let before = tag(&api.get(&api.admin, path).await.expect(200));
    told(GatewayNews::Tried);
    assert_eq!(tag(&api.get(&api.admin, path).await.expect(200)), before);

    let drain = async || api.json(Method::POST, &format!("{path}/drain"), json!({})).await.expect(200);
    let drained = drain().await;
    assert!(drained.header("x-callgate-generation").is_some() && tag(&drained) != before);
    let since = drained.json()["draining_since"].clone();
    let expected = json!({"state": "draining", "since": since, "answers_checks": true,
        "active": 2, "calls": 2, "answers": 0, "failures": 0});
    let mut standing = drained.json()["standing"].clone();
    standing.as_object_mut().unwrap().remove("last_check");
    assert_eq!(standing, expected);
    assert_eq!(drain().await.json()["draining_since"], since, "it drains since then");
    api.catch_up().await;
    assert!(api.handles.directory.load().gateways()[0].draining);
    let error = api.json(Method::PATCH, path, json!({"draining_since": "x"})).await;
    assert!(error.expect(400).text.contains("draining_since"));
    // What was read can be sent back whole; it drains on.
    let whole = api.get(&api.admin, path).await.expect(200).json();
    let put = api.json(Method::PUT, path, whole).await.expect(200).json();
    assert_eq!(put["draining_since"], since);
    let resumed = api.json(Method::POST, &format!("{path}/resume"), json!({})).await.expect(200).json();
    assert_eq!((&resumed["draining_since"], &resumed["standing"]["state"]), (&json!(null), &json!("out")));
    api.json(Method::POST, "/admin/v1/gateways/nobody/drain", json!({})).await.expect(404);
}

async fn numbers_of_any_account(api: Api) {
    let tenant = api.tenant("tenant", Some("tenant.example.org")).await;
    let body = json!({"number": "1234", "account_sid": tenant.sid, "is_sip": true, "voice_url": "https://a.example/"});
    let made = api.json(Method::POST, "/admin/v1/numbers", body).await.expect(201).json();
    assert_eq!(
        (&made["account_sid"], &made["organization_sid"]),
        (&json!(tenant.sid), &json!(tenant.organization))
    );
    let own = api.json(Method::POST, "/admin/v1/numbers", json!({"number": "16.*"})).await.expect(201).json();
    assert_eq!((&own["account_sid"], &own["is_sip"]), (&json!(api.admin.sid), &json!(true)));
    let changed = api.json(Method::PATCH, "/admin/v1/numbers/16.%2A", json!({"state": "reserved"})).await;
    assert_eq!(changed.expect(200).json()["state"], "reserved");
    let list =
        api.get(&api.admin, &format!("/admin/v1/numbers?account={}", tenant.sid)).await.expect(200).json();
    assert_eq!((&list["total"], &list["numbers"][0]["number"]), (&json!(1), &json!("1234")));
    // The same SIP number in two organizations is named by its sid alone.
    api.json(Method::POST, "/admin/v1/numbers", json!({"number": "1234", "is_sip": true})).await.expect(201);
    let error = api.delete(&api.admin, "/admin/v1/numbers/1234").await.expect(400).json();
    assert!(error["message"].as_str().unwrap().contains("several organizations"), "{error}");
    api.delete(&api.admin, &format!("/admin/v1/numbers/{}", made["sid"].as_str().unwrap())).await.expect(204);
    api.delete(&api.admin, "/admin/v1/numbers/1234").await.expect(204);
}

async fn a_write_becomes_live(api: Api) {
    let who = &api.admin;
    let answer = api.post(who, &who.numbers(), &[("PhoneNumber", "+14155550010")]).await.expect(200);
    let generation = answer.header("x-callgate-generation").unwrap();
    let path = format!("/admin/v1/generation?wait={generation}");
    api.get(who, &format!("{path}&timeout_ms=20")).await.expect(504);
    let check = api.form(who, Method::POST, "/admin/v1/reload?check_only=true", &[]).await.expect(200).json();
    assert_eq!((&check["applied"], &check["numbers_after"]), (&json!(false), &json!(1)));
    let waiting = api.get(who, &path);
    let reloading = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        api.post(who, "/admin/v1/reload", &[]).await.expect(200).json()
    };
    let (waited, reloaded) = tokio::join!(waiting, reloading);
    assert_eq!(waited.expect(200).json()["generation"].to_string(), generation);
    assert_eq!((&reloaded["applied"], &reloaded["to"].to_string()), (&json!(true), &generation.to_owned()));
    assert_eq!(
        api.get(who, "/admin/v1/generations/live").await.json()["generations"][0]["at"],
        "2023-11-14T22:13:20.001Z"
    );
    // The shrink guard is a conflict that says what to do.
    let sid = answer.json()["sid"].as_str().unwrap().to_owned();
    api.delete(who, &who.number(&sid)).await.expect(204);
    let error = api.post(who, "/admin/v1/reload", &[]).await.expect(409).json();
    assert!(error["message"].as_str().unwrap().contains("force=true"), "{error}");
    api.post(who, "/admin/v1/reload?force=true", &[]).await.expect(200);
}

async fn explain_says_who_won(api: Api) {
    let who = &api.admin;
    api.json(Method::POST, "/admin/v1/trunks", json!({"name": "carrier", "sources": "192.0.2.0/24"}))
        .await
        .expect(201);
    for number in ["16508251256", "16.*", "16508.*"] {
        let pairs = [("PhoneNumber", number), ("isSIP", "true"), ("VoiceUrl", "https://a.example/")];
        api.post(who, &who.numbers(), &pairs).await.expect(200);
    }
    api.catch_up().await;
    let told = api.get(who, "/admin/v1/explain?number=16508251255&source=192.0.2.7").await.expect(200).json();
    assert_eq!((&told["outcome"]["number"], &told["trunk"]["name"]), (&json!("16508.*"), &json!("carrier")));
    assert!(told["text"].as_str().unwrap().contains("=> 16508.*"), "{told:#}");
    let told = api.get(who, "/admin/v1/explain?number=%2B16508251256").await.expect(200).json();
    assert_eq!(told["outcome"]["number"], "16508251256");
    let told = api.get(who, "/admin/v1/explain?number=99").await.expect(200).json();
    assert_eq!(
        (&told["outcome"]["reason"], &told["outcome"]["status"]),
        (&json!("unknown_number"), &json!(404))
    );
    let error = api.get(who, "/admin/v1/explain?number=1&source=203.0.113.9").await.expect(404).json();
    assert!(
        error["message"].as_str().unwrap().contains("callgate trunks add NAME sources=203.0.113.9"),
        "{error}"
    );
    api.get(who, "/admin/v1/explain").await.expect(400);
    api.get(who, "/admin/v1/explain?number=1&trunk=nope").await.expect(404);
}

async fn the_linter_speaks(api: Api) {
    let who = &api.admin;
    for number in ["1650*", ".*"] {
        api.post(who, &who.numbers(), &[("PhoneNumber", number)]).await.expect(200);
    }
    api.catch_up().await;
    let notes = api.get(who, "/admin/v1/lint").await.expect(200).json();
    let kinds: Vec<&str> =
        notes["notes"].as_array().unwrap().iter().map(|note| note["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"star_after_digit") && kinds.contains(&"catch_all"), "{notes:#}");
}

fn facts(api: &Api) -> Arc<CallFacts> {
    Arc::new(CallFacts {
        call: CallSid(0xabc),
        account: api.world.account.id,
        organization: api.world.organization.id,
        number: None,
        number_text: "+16508251255".into(),
        trunk: None,
        profile: Arc::default(),
        base_url: "https://example.com".into(),
        post_query_in_body: false,
        from: "+4930123456".into(),
        to: "+16508251255".into(),
        sip_to: None,
        caller_name: "".into(),
        forwarded_from: "".into(),
        sip_call_id: "a84b4c76e66710@pc33.example.com".into(),
        sip_source: [192, 0, 2, 7].into(),
        sip_headers: Vec::new(),
        started: Instant::from_millis(5),
        generation: 3,
    })
}

async fn calls_are_shown_while_they_live_and_after(api: Api) {
    let (calls, facts) = (&api.handles.calls, facts(&api));
    calls.begin(&facts, 1);
    let routed = TraceItem::Routed("+16508251255 is a number".into());
    calls.trace(facts.call, Instant::from_millis(6), routed);
    let list = api.get(&api.admin, "/admin/v1/calls").await.expect(200).json();
    assert_eq!((&list["live"], &list["calls"][0]["status"]), (&json!(1), &json!("ringing")));
    assert_eq!(list["calls"][0]["to"], "…55");
    for id in ["CA00000000000000000000000000000abc", "a84b4c76e66710%40pc33.example.com"] {
        let trace = api.get(&api.admin, &format!("/admin/v1/calls/{id}/trace")).await.expect(200).json();
        assert_eq!(trace["lines"][0]["text"], "routed: …55 is a number");
        let whole = api.get(&api.admin, &format!("/admin/v1/calls/{id}/trace?numbers=true")).await.json();
        assert_eq!(whole["lines"][0]["text"], "routed: +16508251255 is a number");
        assert_eq!(whole["call"]["from"], "+4930123456");
    }
    let terminal = Terminal {
        status: CallStatus::Busy,
        sip_code: 486,
        reason: Reason::TargetBusy,
        source: HangupSource::Callee,
        duration: Duration::ZERO,
    };
    calls.end(facts.call, terminal);
    assert_eq!(api.get(&api.admin, "/admin/v1/calls?live=true").await.json()["calls"], json!([]));
    let ended =
        api.get(&api.admin, "/admin/v1/calls/CA00000000000000000000000000000abc").await.expect(200).json();
    assert_eq!((&ended["reason"], &ended["hangup_source"]), (&json!("target_busy"), &json!("callee")));
    api.get(&api.admin, "/admin/v1/calls/CA00000000000000000000000000000fff").await.expect(404);
    api.get(&api.admin, "/admin/v1/calls/nobody%40nowhere/trace").await.expect(404);
    let dead = api.get(&api.admin, "/admin/v1/deliveries?state=dead").await.expect(200).json();
    assert_eq!((&dead["total"], &dead["deliveries"]), (&json!(0), &json!([])));
    api.get(&api.admin, "/admin/v1/deliveries?state=lost").await.expect(400);
}

async fn health_says_what_is_wrong(api: Api) {
    let nobody = api.tenant("nobody", None).await;
    api.get(&nobody, "/healthz").await.expect(200);
    assert_eq!(api.get(&nobody, "/ready").await.expect(200).json()["status"], "ready");
    api.handles.health.raise("store", Severity::Degraded, "the store does not answer");
    let body = api.get(&nobody, "/ready").await.expect(200).json();
    assert_eq!((&body["status"], &body["reasons"][0]["name"]), (&json!("degraded"), &json!("store")));
    api.handles.health.raise("drain", Severity::NotReady, "shutting down");
    assert_eq!(api.get(&nobody, "/ready").await.expect(503).json()["status"], "not_ready");
    api.get(&nobody, "/healthz").await.expect(200);
}

async fn metrics_are_read(api: Api) {
    api.handles.metrics.count(Counter::Refused(Reason::UnknownNumber));
    api.get(&api.admin, "/admin/v1/trunks").await.expect(200);
    let answer = api.get(&api.admin, "/metrics").await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "callgate_calls_refused_total{reason=\"unknown_number\"} 1",
        "callgate_api_requests_total{outcome=\"2xx\"} 1",
        "callgate_api_in_flight 0",
        "callgate_directory_numbers 0",
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line} is not in\n{}", answer.text);
    }
}

async fn what_is_not_there_is_said(api: Api) {
    let error = api.get(&api.admin, "/restcomm/2012-04-24/Nothing.json").await.expect(404).json();
    assert!(error["message"].as_str().unwrap().contains("/openapi.json"), "{error}");
    let error = api.delete(&api.admin, "/admin/v1/trunks").await.expect(405).json();
    assert_eq!(error["status"], 405);
}

#[tokio::test]
async fn bans_are_listed_and_lifted() {
    let api = Api::new(crate::servers::Server::Sqlite).await;
    let listed = api.get(&api.admin, "/admin/v1/bans").await.expect(200).json();
    assert_eq!(listed["bans"][0]["over"], "datagrams");
    assert_eq!(
        (&listed["bans"][1]["over"], &listed["bans"][1]["cause"]),
        (&"connections".into(), &"scanner".into())
    );
    let lifted = api.delete(&api.admin, "/admin/v1/bans/198.51.100.7").await.expect(200).json();
    assert_eq!(lifted["lifted"], 2);
    api.delete(&api.admin, "/admin/v1/bans/198.51.100.8").await.expect(404);
    api.delete(&api.admin, "/admin/v1/bans/198.51.100.7%2F32").await.expect(400);
    let tenant = api.tenant("nosy", None).await;
    api.get(&tenant, "/admin/v1/bans").await.expect(403);
}
