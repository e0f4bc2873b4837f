//! `/admin/v1/accounts`, `…/applications`, `…/organizations`, and rows replaced whole.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Credentials, over_tcp, request};
use crate::world::Api;

crate::on_both_servers!(
    organizations_come_and_go,
    accounts_come_and_go,
    applications_come_and_go,
    secrets_of_an_account_are_shown_once,
    an_account_has_its_place_in_the_tree,
    a_row_is_replaced_whole,
);

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    api.json(Method::POST, path, body).await
}

async fn patch(api: &Api, path: &str, body: Value) -> Answer {
    api.json(Method::PATCH, path, body).await
}

fn message(answer: Answer, status: u16) -> String {
    answer.expect(status).json()["message"].as_str().unwrap().to_owned()
}

async fn organizations_come_and_go(api: Api) {
    let made = post(&api, "/admin/v1/organizations", json!({"domain": "Harbour.Example."})).await;
    let made = made.expect(201).json();
    assert_eq!(
        (&made["domain"], &made["friendly_name"], &made["is_default"]),
        (&json!("harbour.example"), &json!("harbour.example"), &json!(false))
    );
    let one = "/admin/v1/organizations/harbour.example";
    let changed = patch(&api, one, json!({"match_mode": "search", "base_url": "https://a.example/"})).await;
    assert_eq!(changed.expect(200).json()["match_mode"], "search");
    let twin = post(&api, "/admin/v1/organizations", json!({"domain": "harbour.example"})).await;
    assert_eq!(message(twin, 409), "domain `harbour.example` is taken: choose another");
    let account = json!({"friendly_name": "Pier", "organization_sid": made["sid"]});
    let account = post(&api, "/admin/v1/accounts", account).await.expect(201).json();
    let refused = message(api.delete(&api.admin, one).await, 409);
    assert!(refused.ends_with("an account is in it; move or remove that one first"), "{refused}");
    let path = format!("/admin/v1/accounts/{}", account["sid"].as_str().unwrap());
    patch(&api, &path, json!({"organization_sid": api.admin.organization})).await.expect(200);
    api.delete(&api.admin, one).await.expect(204);
    let default = message(api.delete(&api.admin, "/admin/v1/organizations/example.com").await, 409);
    assert!(default.contains("it is the default organization"), "{default}");
}

async fn accounts_come_and_go(api: Api) {
    let body = json!({"friendly_name": "Pier", "gateway_group": "premium", "max_numbers": 1,
        "allow_additions": true});
    let answer = post(&api, "/admin/v1/accounts", body).await;
    assert!(answer.header("x-callgate-warning").unwrap().starts_with("no gateway is in the group premium"));
    let made = answer.expect(201).json();
    assert_eq!(
        (&made["gateway_group"], &made["max_numbers"], &made["allow_additions"], &made["organization_sid"]),
        (&json!("premium"), &json!(1), &json!(true), &json!(api.admin.organization))
    );
    let path = format!("/admin/v1/accounts/{}", made["sid"].as_str().unwrap());
    let read = api.get(&api.admin, &path).await.expect(200);
    assert_eq!(read.json(), made);
    // By name, while one has it.
    assert_eq!(api.get(&api.admin, "/admin/v1/accounts/Pier").await.expect(200).json()["sid"], made["sid"]);
    post(&api, "/admin/v1/accounts", json!({"friendly_name": "Pier"})).await.expect(201);
    let several = message(api.get(&api.admin, "/admin/v1/accounts/Pier").await, 400);
    assert!(several.contains("the name of several"), "{several}");
    // What was changed since is not written over.
    let tag = read.header("etag").unwrap().to_owned();
    patch(&api, &path, json!({"max_calls": 5})).await.expect(200);
    api.json_if(Method::PATCH, &path, &tag, json!({"max_calls": 6})).await.expect(412);
    // The cap holds, and closing gives the numbers back.
    let number = |text: &str| json!({"number": text, "account_sid": made["sid"]});
    post(&api, "/admin/v1/numbers", number("+16505550100")).await.expect(201);
    assert!(
        message(post(&api, "/admin/v1/numbers", number("+16505550101")).await, 409).contains("max_numbers")
    );
    assert!(message(api.delete(&api.admin, &path).await, 409).contains("set status=closed first"));
    patch(&api, &path, json!({"status": "closed"})).await.expect(200);
    let number = api.get(&api.admin, "/admin/v1/numbers/+16505550100").await.expect(200).json();
    assert_eq!(number["state"], "aging");
    assert!(message(api.delete(&api.admin, &path).await, 409).contains("it has numbers"));
    let page = api.get(&api.admin, "/admin/v1/accounts?limit=1&offset=1").await.expect(200).json();
    assert_eq!((&page["total"], page["accounts"].as_array().unwrap().len()), (&json!(3), 1));
}

async fn applications_come_and_go(api: Api) {
    let body = json!({"friendly_name": "Desk", "voice_url": "https://a.example/voice"});
    let made = post(&api, "/admin/v1/applications", body).await.expect(201).json();
    assert_eq!((&made["account_sid"], &made["kind"]), (&json!(api.admin.sid), &json!("voice")));
    let path = "/admin/v1/applications/Desk";
    for (body, expected) in [
        (json!({"kind": "fax"}), "kind is `fax`: use voice, sms or ussd"),
        (json!({"voice_url": "ftp://a.example/"}), "has the scheme ftp: use http or https"),
        (json!({"friendly_name": ""}), "friendly_name can not be null."),
    ] {
        assert!(message(patch(&api, path, body).await, 400).contains(expected), "{expected}");
    }
    let account = format!("/admin/v1/accounts/{}", api.admin.sid);
    let default = json!({"default_application_sid": made["sid"]});
    assert_eq!(
        patch(&api, &account, default.clone()).await.expect(200).json()["default_application_sid"],
        made["sid"]
    );
    patch(&api, "/admin/v1/organizations/example.com", default).await.expect(200);
    assert!(message(api.delete(&api.admin, path).await, 409).contains("has it as its default"));
    let none = json!({"default_application_sid": null});
    patch(&api, &account, none.clone()).await.expect(200);
    patch(&api, "/admin/v1/organizations/example.com", none).await.expect(200);
    // One of another organization is none.
    let other = api.tenant("other", Some("other.example")).await;
    let body = json!({"friendly_name": "Theirs", "account_sid": other.sid});
    let theirs = post(&api, "/admin/v1/applications", body).await.expect(201).json();
    let strange = patch(&api, &account, json!({"default_application_sid": theirs["sid"]})).await;
    assert!(message(strange, 400).contains("which is no application of this account"));
    api.delete(&api.admin, path).await.expect(204);
    api.delete(&api.admin, path).await.expect(404);
}

async fn secrets_of_an_account_are_shown_once(api: Api) {
    let made = post(&api, "/admin/v1/accounts", json!({"friendly_name": "Pier"})).await.expect(201).json();
    assert_eq!((&made["webhook_secret"], &made["former_webhook_secret"]), (&Value::Null, &Value::Null));
    let sid = made["sid"].as_str().unwrap();
    let path = format!("/admin/v1/accounts/{sid}");
    let token = post(&api, &format!("{path}/auth-token"), json!({})).await.expect(200).json();
    let token = token["auth_token"].as_str().unwrap().to_owned();
    let asks = |token: &str| {
        let credentials = Credentials(Some((sid.to_owned(), token.to_owned())));
        let path = format!("/restcomm/2012-04-24/Accounts/{sid}.json");
        over_tcp(api.address, request(&credentials, Method::GET, &path, None))
    };
    asks(&token).await.expect(200);
    post(&api, &format!("{path}/auth-token"), json!({})).await.expect(200);
    asks(&token).await.expect(401);
    let secrets = || async {
        api.catch_up().await;
        let directory = api.handles.directory.load();
        let account = directory.account(sid.parse().unwrap()).expect("it is live");
        account.keys.webhook_secrets.clone()
    };
    let first = post(&api, &format!("{path}/webhook-secret"), json!({})).await.expect(200).json();
    assert!(first["webhook_secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(secrets().await.len(), 1);
    // One of the operator's own rotates, too; what is none is refused.
    let own = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let changed = patch(&api, &path, json!({"webhook_secret": own})).await.expect(200).json();
    assert_eq!((&changed["webhook_secret"], &changed["former_webhook_secret"]), (&json!(true), &json!(true)));
    let both = secrets().await;
    assert_eq!((both.len(), both[0].as_slice()), (2, &b"01234567890123456789012345678901"[..]));
    patch(&api, &path, json!({"former_webhook_secret": null})).await.expect(200);
    assert_eq!(secrets().await.len(), 1);
    assert!(message(patch(&api, &path, json!({"webhook_secret": "hush"})).await, 400).contains("whsec_"));
    for path in [path.as_str(), "/admin/v1/accounts", "/admin/v1/audit"] {
        let text = api.get(&api.admin, path).await.expect(200).text;
        assert!(!text.contains("whsec_") && !text.contains("v1.") && !text.contains(&token), "{text}");
    }
}

async fn an_account_has_its_place_in_the_tree(api: Api) {
    let make = |name: &'static str, parent: Value| {
        let body = json!({"friendly_name": name, "parent_sid": parent});
        let api = &api;
        async move { post(api, "/admin/v1/accounts", body).await.expect(201).json()["sid"].clone() }
    };
    let top = make("top", Value::Null).await;
    let middle = make("middle", top.clone()).await;
    let low = make("low", middle.clone()).await;
    for parent in [&low, &middle, &top] {
        let ring = patch(&api, "/admin/v1/accounts/top", json!({"parent_sid": parent})).await;
        assert!(message(ring, 400).contains("the account itself or one under it"));
    }
    patch(&api, "/admin/v1/accounts/low", json!({"parent_sid": top})).await.expect(200);
    // Suspending goes down the tree, moving to another organization does.
    let there =
        post(&api, "/admin/v1/organizations", json!({"domain": "there.example"})).await.expect(201).json();
    let both = json!({"status": "suspended", "organization_sid": there["sid"]});
    patch(&api, "/admin/v1/accounts/top", both).await.expect(200);
    for name in ["top", "middle", "low"] {
        let row = api.get(&api.admin, &format!("/admin/v1/accounts/{name}")).await.expect(200).json();
        assert_eq!(
            (&row["status"], &row["organization_sid"]),
            (&json!("suspended"), &there["sid"]),
            "{name}"
        );
    }
    let own = format!("/admin/v1/accounts/{}", api.admin.sid);
    message(patch(&api, &own, json!({"status": "closed"})).await, 403);
}

async fn a_row_is_replaced_whole(api: Api) {
    let body = json!({"name": "out", "host": "198.51.100.20", "username": "trunk7", "password": "k33p-it", "weight": 3});
    post(&api, "/admin/v1/gateways", body).await.expect(201);
    let path = "/admin/v1/gateways/out";
    // As it was read it may be written: nothing changes.
    let read = api.get(&api.admin, path).await.expect(200).json();
    let mut again = api.json(Method::PUT, path, read.clone()).await.expect(200).json();
    again["updated"] = read["updated"].clone();
    assert_eq!(again, read);
    // What is not said is as in a new one; the secret stays.
    let body = json!({"name": "out", "host": "198.51.100.21", "username": "trunk7"});
    let whole = api.json(Method::PUT, path, body).await.expect(200).json();
    assert_eq!(
        (&whole["weight"], &whole["password"], &whole["sid"]),
        (&json!(10), &json!(true), &read["sid"])
    );
    assert!(
        message(api.json(Method::PUT, path, json!({"name": "out"})).await, 400).contains("host is no host")
    );
    let number =
        json!({"number": "+16505550100", "friendly_name": "Desk", "voice_url": "https://a.example/"});
    post(&api, "/admin/v1/numbers", number).await.expect(201);
    let path = "/admin/v1/numbers/+16505550100";
    let whole =
        api.json(Method::PUT, path, json!({"voice_url": "https://b.example/"})).await.expect(200).json();
    assert_eq!(
        (&whole["number"], &whole["friendly_name"], &whole["voice_url"], &whole["state"]),
        (&json!("+16505550100"), &Value::Null, &json!("https://b.example/"), &json!("in_service"))
    );
}
