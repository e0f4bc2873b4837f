//! Many numbers: bulk requests, their repetition, import and export.

use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::client::{Answer, Credentials, over_tcp};
use crate::commands::run;
use crate::world::Api;

crate::on_both_servers!(
    rows_are_made_changed_left_or_refused,
    a_repeated_request_is_answered_and_not_done,
    a_file_is_imported_and_what_is_wrong_in_it_is_told,
    an_export_is_imported_again,
    a_bulk_request_is_the_super_admins,
    all_that_match_change_at_once,
    what_was_given_back_comes_back_as_it_was,
    a_write_may_name_the_row_it_is_meant_for,
);

const BULK: &str = "/admin/v1/numbers/bulk";

async fn bulk(api: &Api, key: Option<&str>, body: &Value) -> Answer {
    let (sid, token) = api.admin.credentials.0.clone().unwrap();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{sid}:{token}"));
    let mut request =
        Request::post(BULK).header("host", "x").header("authorization", format!("Basic {basic}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    over_tcp(api.address, request.body(body.to_string().into()).unwrap()).await
}

async fn rows_are_made_changed_left_or_refused(api: Api) {
    let rows = json!({ "defaults": { "voice_url": "https://a.example/" }, "rows": [
        "+442071838750", "16.*", { "number": "77", "is_sip": true, "friendly_name": "Sevens" }, "(", 5,
        { "number": "+1650", "voice_method": "FLY" }, "+442071838750",
        { "number": "1", "account_sid": "AC00000000000000000000000000000000" },
    ] });
    let answer = bulk(&api, None, &rows).await.expect(200);
    let body = answer.json();
    assert_eq!((&body["created"], &body["updated"], &body["unchanged"]), (&json!(3), &json!(0), &json!(1)));
    let refused: Vec<u64> =
        body["refused"].as_array().unwrap().iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(refused, [3, 4, 5, 7]);
    assert!(body["refused"][2]["message"].as_str().unwrap().contains("voice_method is `FLY`"), "{body}");
    assert_eq!(answer.header("x-callgate-generation").unwrap(), body["generation"].to_string());
    api.catch_up().await;
    assert_eq!(api.handles.directory.load().len(), 3);

    let rows = json!({ "rows": ["+442071838750", { "number": "16.*", "friendly_name": "Area" },
        { "number": "77", "is_sip": true, "friendly_name": "Sevens" }] });
    let body = bulk(&api, None, &rows).await.expect(200).json();
    assert_eq!((&body["created"], &body["updated"], &body["unchanged"]), (&json!(0), &json!(1), &json!(2)));
    let row = api.get(&api.admin, "/admin/v1/numbers/16.%2A").await.expect(200).json();
    assert_eq!((&row["friendly_name"], &row["voice_url"]), (&json!("Area"), &json!("https://a.example/")));

    let rows = json!({ "existing": "refuse", "rows": ["77", "+442071838750"] });
    let body = bulk(&api, None, &rows).await.expect(200).json();
    assert_eq!((&body["created"], &body["refused"][0]["row"]), (&json!(1), &json!(1)));
    for wrong in [
        json!({}),
        json!({ "rows": 1 }),
        json!({ "rows": [], "row": 1 }),
        json!({ "rows": [], "existing": 1 }),
    ] {
        bulk(&api, None, &wrong).await.expect(400);
    }
    let many: Vec<String> = (0..5_001).map(|n| n.to_string()).collect();
    bulk(&api, None, &json!({ "rows": many })).await.expect(400);
}

async fn a_repeated_request_is_answered_and_not_done(api: Api) {
    let rows = json!({ "rows": ["+442071838750"] });
    let first = bulk(&api, Some("order-1"), &rows).await.expect(200);
    let again = bulk(&api, Some("order-1"), &rows).await.expect(200);
    assert_eq!((first.json(), again.header("idempotency-replayed")), (again.json(), Some("true")));
    assert_eq!(again.json()["created"], 1);
    bulk(&api, Some("order-1"), &json!({ "rows": ["+442071838751"] })).await.expect(422);
    assert_eq!(bulk(&api, Some("order-2"), &rows).await.expect(200).json()["unchanged"], 1);
    bulk(&api, Some(&"k".repeat(256)), &rows).await.expect(400);
}

async fn a_file_is_imported_and_what_is_wrong_in_it_is_told(api: Api) {
    let (file, report) = (api.world.folder.0.join("stock.txt"), api.world.folder.0.join("refused.csv"));
    let lines =
        "# what the carrier gave us\n+1650825xxxx\n+442071838000-+442071838099\n\n+442071838050\n(\n99-101\n";
    std::fs::write(&file, lines).unwrap();
    let words = ["numbers", "import", file.to_str().unwrap(), "--report", report.to_str().unwrap()];
    let output = run(&api.socket, &words).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(65), "{told}");
    assert!(told.contains("3 lines were refused; 10100 created"), "{told}");
    let refused = std::fs::read_to_string(&report).unwrap();
    let lines: Vec<&str> = refused.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["7", "5", "6"], "{refused}");
    // Nobody has them, and whoever creates one claims it.
    let search = api.admin.available("US/Local?Contains=8251255");
    let found = api.get(&api.admin, &search).await.expect(200);
    assert!(found.text.contains("+16508251255"), "{}", found.text);
    assert_eq!(api.get(&api.admin, &api.admin.numbers()).await.json()["total"], 0);
    api.post(&api.admin, &api.admin.numbers(), &[("PhoneNumber", "+16508251255")]).await.expect(200);
    // The audit says who and which, in one entry a request.
    let entries = api.world.by_hand("SELECT count(*) FROM audit WHERE action = 'import'").unwrap();
    assert_eq!(entries, "6");
}

async fn an_export_is_imported_again(api: Api) {
    let rows = json!({ "defaults": { "voice_url": "https://a.example/?a=1,2" },
        "rows": ["+442071838750", "^1\"6.*", { "number": "77", "is_sip": true, "friendly_name": "Seven, \"7\"" }] });
    assert_eq!(bulk(&api, None, &rows).await.expect(200).json()["created"], 3);
    let many: Vec<String> = (0..2_500).map(|n| format!("+4420700{n:05}")).collect();
    bulk(&api, None, &json!({ "rows": many, "defaults": { "state": "available" } })).await.expect(200);
    let file = api.world.folder.0.join("all.csv");
    let path = file.to_str().unwrap();
    assert!(run(&api.socket, &["numbers", "export", path]).await.status.success());
    let first = std::fs::read_to_string(&file).unwrap();
    assert_eq!(first.lines().count(), 2_504);
    let held = run(&api.socket, &["numbers", "export", "--state", "in_service"]).await;
    assert_eq!(String::from_utf8(held.stdout).unwrap().lines().count(), 4);

    // Into an empty store, and out of it again: all but the sids is the same.
    let without = first.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n");
    std::fs::write(&file, without.collect::<String>()).unwrap();
    api.world.by_hand("DELETE FROM numbers").unwrap();
    let output = run(&api.socket, &["numbers", "import", path]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = run(&api.socket, &["numbers", "import", "--update", path, "--json"]).await;
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&body["unchanged"], &body["updated"]), (&json!(2_503), &json!(0)));
    let second = run(&api.socket, &["numbers", "export"]).await.stdout;
    let second = String::from_utf8(second).unwrap();
    let bare = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
    };
    assert_eq!(bare(&first), bare(&second));
}

async fn a_bulk_request_is_the_super_admins(api: Api) {
    let who = api.tenant("customer", None).await;
    let body = ("application/json", json!({ "rows": ["1"] }).to_string());
    let ask = |credentials: &Credentials| {
        crate::client::request(credentials, Method::POST, BULK, Some(body.clone()))
    };
    over_tcp(api.address, ask(&who.credentials)).await.expect(403);
    over_tcp(api.address, ask(&Credentials::default())).await.expect(401);
}

async fn all_that_match_change_at_once(api: Api) {
    let rows: Vec<String> = (0..30).map(|n| format!("+165055500{n:02}")).collect();
    bulk(&api, None, &json!({ "rows": rows })).await.expect(200);
    bulk(&api, None, &json!({ "rows": ["+442071838750"] })).await.expect(200);
    let path = "/admin/v1/numbers?number=%2B1650555001*";
    let fields = json!({ "voice_url": "https://b.example/" });
    let dry =
        api.json(Method::PATCH, &format!("{path}&dry_run=true"), fields.clone()).await.expect(200).json();
    assert_eq!(
        (&dry["matched"], &dry["changed"], &dry["generation"]),
        (&json!(10), &json!(10), &Value::Null)
    );
    assert_eq!(dry["examples"][0]["fields"]["voice_url"], json!([null, "https://b.example/"]));
    let done = api.json(Method::PATCH, path, fields.clone()).await.expect(200).json();
    assert_eq!(done["changed"], 10);
    assert_eq!(api.json(Method::PATCH, path, fields).await.expect(200).json()["changed"], 0);
    let by_hand = "SELECT count(*) FROM numbers WHERE voice_url = 'https://b.example/'";
    assert_eq!(api.world.by_hand(by_hand).unwrap(), "10");
    // One that is refused, or a filter nobody knows, changes none.
    let wrong = json!({ "voice_url": "ftp://b.example/" });
    api.json(Method::PATCH, path, wrong).await.expect(400);
    for path in ["/admin/v1/numbers", "/admin/v1/numbers?nummer=1", "/admin/v1/numbers?number="] {
        api.json(Method::PATCH, path, json!({ "shared": true })).await.expect(400);
    }
    api.json(Method::PATCH, "/admin/v1/numbers?number=*", json!({ "number": "1" })).await.expect(400);
    let words = ["numbers", "set", "--where", "number=+1650", "friendly-name=Coast", "--dry-run", "--json"];
    let output = run(&api.socket, &words).await;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["changed"], &told["dry_run"]), (&json!(30), &json!(true)));
}

async fn what_was_given_back_comes_back_as_it_was(api: Api) {
    let who = &api.admin;
    let app = api.post(who, &who.applications(), &[("FriendlyName", "App")]).await.expect(200).json();
    let app = app["sid"].as_str().unwrap();
    let given =
        [("PhoneNumber", "+442071838750"), ("VoiceApplicationSid", app), ("SmsUrl", "https://a.example/s")];
    let made = api.post(who, &who.numbers(), &given).await.expect(200).json();
    let sid = made["sid"].as_str().unwrap();
    let restore = format!("/admin/v1/numbers/{sid}/restore");
    api.json(Method::POST, &restore, json!({})).await.expect(400);
    api.delete(who, &who.number(sid)).await.expect(204);
    api.get(who, &who.number(sid)).await.expect(404);
    api.json(Method::POST, &restore, json!({})).await.expect(200);
    let back = api.get(who, &who.number(sid)).await.expect(200).json();
    assert_eq!((&back["voice_application_sid"], &back["sms_url"]), (&json!(app), &made["sms_url"]));
    // The application went meanwhile: the number comes back without.
    api.delete(who, &who.number(sid)).await.expect(204);
    api.delete(who, &format!("/restcomm/2012-04-24/Accounts/{}/Applications/{app}", who.sid))
        .await
        .expect(200);
    assert!(run(&api.socket, &["numbers", "restore", sid]).await.status.success());
    let back = api.get(who, &who.number(sid)).await.expect(200).json();
    assert_eq!(back["voice_application_sid"], Value::Null);
    // Who did all this stands in the audit.
    let audit = api.get(who, &format!("/admin/v1/audit?id={sid}&limit=10")).await.expect(200).json();
    let entries = audit["entries"].as_array().unwrap();
    let states: Vec<&Value> = entries.iter().map(|entry| &entry["after"]["state"]).collect();
    assert_eq!(states, ["in_service", "aging", "in_service", "aging", "in_service"]);
    assert_eq!((&entries[0]["actor"], &entries[1]["actor"]), (&json!("operator"), &json!(who.sid)));
    assert_eq!(entries[4]["before"], Value::Null);
}

async fn a_write_may_name_the_row_it_is_meant_for(api: Api) {
    let who = &api.admin;
    api.json(Method::POST, "/admin/v1/numbers", json!({ "number": "+442071838750" })).await.expect(201);
    api.json(Method::POST, "/admin/v1/trunks", json!({ "name": "t", "sources": "192.0.2.1" }))
        .await
        .expect(201);
    api.json(Method::POST, "/admin/v1/gateways", json!({ "name": "g", "host": "192.0.2.2" }))
        .await
        .expect(201);
    for (path, field) in
        [("numbers/+442071838750", "friendly_name"), ("trunks/t", "listener"), ("gateways/g", "port")]
    {
        let path = format!("/admin/v1/{path}");
        let read = api.get(who, &path).await.expect(200);
        let tag = read.header("etag").unwrap().to_owned();
        let change = async |tag: &str, value: &str| {
            api.json_if(Method::PATCH, &path, tag, json!({ field: value })).await
        };
        let changed = change(&tag, "5060").await.expect(200);
        assert_ne!(changed.header("etag"), Some(tag.as_str()), "{path}");
        change(&tag, "5070").await.expect(412);
        change(changed.header("etag").unwrap(), "5080").await.expect(200);
        change("*", "5090").await.expect(200);
    }
}
