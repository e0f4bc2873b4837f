//! Who may ask, and how long: tokens that are given for a while, where they may stand, what is kept of it.

use hyper::Method;
use md5::{Digest, Md5};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use super::script::{ask, id, token};
use crate::client::{Credentials, over_tcp, over_unix, request};
use crate::world::{Api, Caller};

crate::on_both_servers!(
    a_user_gets_a_token_for_a_digest,
    a_key_gets_a_token,
    a_token_ends,
    a_token_stands_in_four_places,
    browsers_and_request_ids,
    every_change_is_audited,
);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

async fn put(api: &Api, path: &str, data: Value) -> crate::client::Answer {
    ask(api, None, "PUT", path, Some(&json!({ "data": data }).to_string())).await
}

/// The status of a list asked for with this token.
async fn listed(api: &Api, who: &Caller, token: &str) -> u16 {
    ask(api, Some(token), "GET", &format!("/accounts/{}/phone_numbers", id(who)), None).await.status.as_u16()
}

async fn a_user_gets_a_token_for_a_digest(api: Api) {
    let who = api.tenant("Front Desk", Some("desk.example")).await;
    let password = token(&who).to_owned();
    let number = format!("INSERT INTO numbers (number, account_id) VALUES ('+12125550100', '{}')", id(&who));
    api.world.by_hand(&number).unwrap();
    let credentials = md5(&format!("front desk:{password}"));
    for claim in [
        json!({ "account_name": "front desk" }),
        json!({ "account_name": id(&who), "method": "md5" }),
        json!({ "account_realm": "desk.example" }),
        json!({ "phone_number": "2125550100" }),
    ] {
        let mut data = claim.clone();
        data["credentials"] = credentials.clone().into();
        let told = put(&api, "/user_auth", data).await.expect(201).json();
        assert_eq!(
            (&told["data"]["account_id"], &told["data"]["account_name"]),
            (&json!(id(&who)), &json!("Front Desk"))
        );
        let given = told["auth_token"].as_str().unwrap();
        assert_eq!(given.len(), 32);
        assert_ne!(given, password);
        assert_eq!(listed(&api, &who, given).await, 200, "{claim}");
        assert_eq!(listed(&api, &api.admin, given).await, 403);
    }
    let sha = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{}:{password}", id(&who)).as_bytes()).as_ref());
    let data = json!({ "account_name": "Front Desk", "credentials": sha, "method": "sha" });
    put(&api, "/user_auth", data.clone()).await.expect(201);
    for (name, value) in
        [("credentials", json!("00")), ("account_name", json!("Nobody")), ("method", json!("md5"))]
    {
        let mut wrong = data.clone();
        wrong[name] = value;
        let told = put(&api, "/user_auth", wrong).await.expect(401).json();
        assert_eq!(
            (&told["message"], &told["auth_token"]),
            (&json!("invalid_credentials"), &json!("")),
            "{name}"
        );
    }
    put(&api, "/user_auth", json!({ "credentials": credentials })).await.expect(400);
    put(&api, "/user_auth", json!({ "account_name": "Front Desk" })).await.expect(400);
    let mut odd = data;
    odd["method"] = "crc".into();
    put(&api, "/user_auth", odd).await.expect(400);
}

async fn a_key_gets_a_token(api: Api) {
    let who = api.tenant("one", None).await;
    let told = put(&api, "/api_auth", json!({ "api_key": token(&who) })).await.expect(201).json();
    assert_eq!(listed(&api, &who, told["auth_token"].as_str().unwrap()).await, 200);
    let told = put(&api, "/api_auth", json!({ "api_key": "nobody's" })).await.expect(404).json();
    assert_eq!((&told["message"], &told["data"]), (&json!("bad identifier"), &json!(["nobody's"])));
    put(&api, "/api_auth", json!({})).await.expect(400);
    api.world
        .by_hand(&format!("UPDATE accounts SET status = 'suspended' WHERE id = '{}'", id(&who)))
        .unwrap();
    put(&api, "/api_auth", json!({ "api_key": token(&who) })).await.expect(423);
}

async fn a_token_ends(api: Api) {
    let who = api.tenant("one", None).await;
    let give = async || {
        let told = put(&api, "/api_auth", json!({ "api_key": token(&who) })).await.expect(201).json();
        told["auth_token"].as_str().unwrap().to_owned()
    };
    let (first, second) = (give().await, give().await);
    let told = ask(&api, Some(&first), "GET", "/token_auth", None).await.expect(200).json();
    assert_eq!(told["data"]["account_id"], json!(id(&who)));
    ask(&api, Some(&first), "DELETE", "/token_auth", None).await.expect(200);
    assert_eq!(listed(&api, &who, &first).await, 401);
    assert_eq!(listed(&api, &who, &second).await, 200, "the other lives on");
    ask(&api, Some(token(&who)), "DELETE", "/token_auth", None).await.expect(404);
    // Use lengthens a life that is half over; an hour without use ends it.
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(20);
    api.world.by_hand(&format!("UPDATE sessions SET expires_at = '{soon:.3}'")).unwrap();
    assert_eq!(listed(&api, &who, &second).await, 200);
    let until = api.world.by_hand("SELECT expires_at FROM sessions").unwrap();
    assert!(until.trim() > format!("{:.3}", soon + jiff::SignedDuration::from_mins(30)).as_str(), "{until}");
    api.world.by_hand("UPDATE sessions SET expires_at = '2001-01-01T00:00:00.000Z'").unwrap();
    assert_eq!(listed(&api, &who, &second).await, 401);
    give().await;
    let kept = api.world.by_hand("SELECT count(*) FROM sessions").unwrap();
    assert_eq!(kept.trim(), "1", "those that expired are forgotten");
    assert!(!api.world.by_hand("SELECT token_hash FROM sessions").unwrap().contains(&second));
}

async fn a_token_stands_in_four_places(api: Api) {
    let who = api.tenant("one", None).await;
    let path = format!("/accounts/{}/phone_numbers/%2B12125550100/reserve", id(&who));
    ask(&api, None, "PUT", &path, None).await.expect(401);
    ask(&api, Some("wrong"), "PUT", &path, None).await.expect(401);
    ask(&api, None, "PUT", &format!("{path}?auth_token={}", token(&who)), None).await.expect(404);
    let body = json!({ "data": {}, "auth_token": token(&who) }).to_string();
    ask(&api, None, "PUT", &path, Some(&body)).await.expect(404);
    let mut bearer = request(&Credentials::default(), Method::PUT, &format!("/v2{path}"), None);
    bearer.headers_mut().insert("authorization", format!("Bearer {}", token(&who)).parse().unwrap());
    over_tcp(api.address, bearer).await.expect(404);
    // The command line's socket needs none.
    let local = request(
        &Credentials::default(),
        Method::GET,
        &format!("/v2/accounts/{}/phone_numbers", id(&who)),
        None,
    );
    over_unix(&api.socket, local).await.expect(200);
}

async fn browsers_and_request_ids(api: Api) {
    let asked = request(&Credentials::default(), Method::OPTIONS, "/v2/accounts/x/phone_numbers", None);
    let answer = over_tcp(api.address, asked).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("X-Auth-Token"));
    let mut asked = request(&Credentials::default(), Method::GET, "/v2/phone_numbers/classifiers", None);
    asked.headers_mut().insert("x-request-id", "abc-123".parse().unwrap());
    let answer = over_tcp(api.address, asked).await.expect(200);
    assert_eq!(
        (answer.header("x-request-id"), &answer.json()["request_id"]),
        (Some("abc-123"), &json!("abc-123"))
    );
    let answer = ask(&api, None, "GET", "/phone_numbers/classifiers", None).await;
    assert_eq!(answer.header("x-request-id").unwrap().len(), 32);
    let answer = ask(&api, None, "GET", "/phone_numbers/classifiers/911?jsonp=tell", None).await.expect(200);
    assert!(answer.text.starts_with("tell({") && answer.text.ends_with("});"), "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/javascript"));
    let answer =
        ask(&api, None, "GET", "/phone_numbers/classifiers/911?jsonp=alert(1)//", None).await.expect(200);
    assert!(answer.text.starts_with('{'), "no name of a function");
}

async fn every_change_is_audited(api: Api) {
    let who = api.tenant("one", None).await;
    let path = format!("/accounts/{}/phone_numbers/%2B12125550100", id(&who));
    let made = ask(&api, Some(token(&api.admin)), "PUT", &path, None).await.expect(201);
    assert!(made.header("x-callgate-generation").is_some());
    for (method, path) in [("PUT", format!("{path}/activate")), ("POST", path.clone()), ("DELETE", path)] {
        ask(&api, Some(token(&who)), method, &path, Some(r#"{"data":{"a":1}}"#))
            .await
            .expect(if method == "PUT" { 201 } else { 200 });
    }
    let sql = "SELECT actor, action FROM audit WHERE subject = 'numbers' ORDER BY generation, at";
    let lines = api.world.by_hand(sql).unwrap();
    let (admin, who) = (&api.admin.sid, &who.sid);
    assert_eq!(lines, format!("{admin}|create\n{who}|update\n{who}|update\n{who}|update"));
}
