//! `/admin/v1/generations`: who made each, what differs, the way back, for changes through callgate and by hand.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::Api;

crate::on_both_servers!(
    changes_are_listed_with_who_and_what,
    what_one_wrote_is_followed_at_once,
    a_difference_tells_before_and_after,
    a_difference_has_pages,
    all_that_came_after_is_undone,
    rows_that_need_one_another_come_back,
    main_numbers_and_moved_accounts_come_back,
    what_cannot_be_undone_is_named,
    the_default_account_is_not_undone,
    secrets_neither_show_nor_come_back,
    a_trunks_password_goes_with_its_name,
    by_hand_is_told_and_undone,
    the_command_line_lists_compares_and_goes_back,
);

async fn current(api: &Api) -> u64 {
    api.world.store.generation().await.unwrap()
}

async fn post(api: &Api, path: &str, body: Value) -> Value {
    api.json(Method::POST, path, body).await.expect(201).json()
}

async fn patch(api: &Api, path: &str, body: Value) -> Value {
    api.json(Method::PATCH, path, body).await.expect(200).json()
}

async fn number(api: &Api, text: &str) -> Value {
    post(api, "/admin/v1/numbers", json!({"number": text, "voice_url": "https://a.example/1"})).await
}

async fn what_one_wrote_is_followed_at_once(api: Api) {
    let looks = || api.looks.load(std::sync::atomic::Ordering::Relaxed);
    let before = looks();
    api.get(&api.admin, "/admin/v1/numbers").await.expect(200);
    assert_eq!(looks(), before, "who reads changes nothing");
    number(&api, "+16505550177").await;
    let path = format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers.json", api.admin.sid);
    let form = [("PhoneNumber", "+16505550178"), ("VoiceUrl", "https://a.example/1")];
    api.post(&api.admin, &path, &form).await;
    assert_eq!(looks(), before + 2);
}

async fn diff(api: &Api, from: u64, to: u64) -> Vec<Value> {
    let path = format!("/admin/v1/generations/{from}/diff?to={to}&limit=1000");
    api.get(&api.admin, &path).await.expect(200).json()["rows"].as_array().unwrap().clone()
}

async fn back(api: &Api, to: u64, dry_run: bool) -> Answer {
    api.json(Method::POST, &format!("/admin/v1/generations/{to}/rollback?dry_run={dry_run}"), json!({})).await
}

/// Everything that people edit, but for when it was edited.
async fn everything(api: &Api) -> Value {
    let mut all = Vec::new();
    for table in ["organizations", "accounts", "applications", "numbers", "trunks", "gateways"] {
        let answer = api.get(&api.admin, &format!("/admin/v1/{table}?limit=1000")).await.expect(200).json();
        let mut rows = answer[table].as_array().unwrap().clone();
        rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("updated")));
        rows.sort_by_key(|row| row["sid"].as_str().unwrap().to_owned());
        all.push(rows);
    }
    json!(all)
}

async fn changes_are_listed_with_who_and_what(api: Api) {
    let before = current(&api).await;
    number(&api, "+16505550100").await;
    let rows = json!({"rows": ["+16505550101", "+16505550102", "+16505550100"]});
    api.json(Method::POST, "/admin/v1/numbers/bulk", rows).await.expect(200);
    patch(&api, "/admin/v1/numbers?number=*", json!({"voice_url": "https://b.example/"})).await;
    api.delete(&api.admin, "/admin/v1/numbers/+16505550100").await.expect(204);
    let answer = api.get(&api.admin, "/admin/v1/generations?limit=4").await.expect(200);
    let list = answer.json();
    let told: Vec<_> = list["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["action"].as_str().unwrap(),
                one["added"].as_u64(),
                one["changed"].as_u64(),
                one["by"] == api.admin.sid,
            )
        })
        .collect();
    assert_eq!(
        (told[0], &list["generations"][0]["removed"]),
        (("delete", Some(0), Some(0), true), &json!(1))
    );
    assert_eq!(told[1], ("update", Some(0), Some(3), true));
    assert_eq!(told[2].1, Some(2));
    assert_eq!(told[3], ("create", Some(1), Some(0), true));
    assert_eq!(answer.header("etag").unwrap(), format!("\"{}\"", current(&api).await));
    assert_eq!(list["generations"][3]["first"], before + 1);
    // A cursor goes on where the page ended, until the first of all.
    let (mut cursor, mut seen) = (Some(u64::from(u32::MAX)), Vec::new());
    while let Some(before) = cursor {
        let path = format!("/admin/v1/generations?limit=2&before={before}");
        let page = api.get(&api.admin, &path).await.expect(200).json();
        seen.extend(
            page["generations"].as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()),
        );
        cursor = page["next_before"].as_u64();
    }
    assert!(seen.is_sorted_by(|a, b| a > b) && seen.len() >= 6, "{seen:?}");
    assert_eq!(list["generations"][0]["number"], seen[0]);
}

async fn a_difference_tells_before_and_after(api: Api) {
    let kept = number(&api, "+16505550100").await;
    let trunk = json!({"name": "carrier", "sources": ["192.0.2.0/24"]});
    post(&api, "/admin/v1/trunks", trunk).await;
    let from = current(&api).await;
    patch(&api, "/admin/v1/numbers/+16505550100", json!({"voice_url": "https://b.example/"})).await;
    patch(&api, "/admin/v1/numbers/+16505550100", json!({"voice_url": "https://c.example/"})).await;
    let made = number(&api, "+16505550101").await;
    api.delete(&api.admin, "/admin/v1/trunks/carrier").await.expect(204);
    // Come and gone in between: no difference.
    post(&api, "/admin/v1/gateways", json!({"name": "out", "host": "192.0.2.1"})).await;
    api.delete(&api.admin, "/admin/v1/gateways/out").await.expect(204);
    let to = current(&api).await;
    patch(&api, "/admin/v1/numbers/+16505550100", json!({"voice_url": "https://d.example/"})).await;
    let rows = diff(&api, from, to).await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert_eq!(
        rows[0],
        json!({"table": "numbers", "sid": kept["sid"], "name": "+16505550100", "kind": "changed",
        "before": {"voice_url": "https://a.example/1"}, "after": {"voice_url": "https://c.example/"}})
    );
    assert_eq!((&rows[1]["kind"], &rows[1]["sid"]), (&json!("added"), &made["sid"]));
    assert_eq!((&rows[1]["before"], &rows[1]["after"]["number"]), (&Value::Null, &json!("+16505550101")));
    assert_eq!((&rows[1]["name"], &rows[2]["name"]), (&json!("+16505550101"), &json!("carrier")));
    assert_eq!((&rows[2]["kind"], &rows[2]["before"]["name"]), (&json!("removed"), &json!("carrier")));
    // The other way round.
    let turned = diff(&api, to, from).await;
    assert_eq!(turned[0]["after"], json!({"voice_url": "https://a.example/1"}));
    assert_eq!((&turned[1]["kind"], &turned[2]["kind"]), (&json!("removed"), &json!("added")));
    for path in
        [format!("/admin/v1/generations/{from}/diff?to=99999999"), "/admin/v1/generations/x/diff".into()]
    {
        api.get(&api.admin, &path).await.expect(404);
    }
}

async fn a_difference_has_pages(api: Api) {
    let from = current(&api).await;
    let rows: Vec<String> = (0..25).map(|at| format!("+165055501{at:02}")).collect();
    api.json(Method::POST, "/admin/v1/numbers/bulk", json!({"rows": rows})).await.expect(200);
    patch(&api, "/admin/v1/numbers?number=*", json!({"voice_url": "https://b.example/"})).await;
    let (mut seen, mut after, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let path = format!("/admin/v1/generations/{from}/diff?limit=10&after={after}");
        let page = api.get(&api.admin, &path).await.expect(200).json();
        for row in page["rows"].as_array().unwrap() {
            assert_eq!(row["after"]["voice_url"], "https://b.example/");
            assert!(seen.insert(row["after"]["number"].as_str().unwrap().to_owned()), "{row}");
        }
        pages += 1;
        match page["next_after"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (25, 3));
    api.get(&api.admin, &format!("/admin/v1/generations/{from}/diff?after=nonsense")).await.expect(400);
}

async fn all_that_came_after_is_undone(api: Api) {
    number(&api, "+16505550100").await;
    number(&api, "+16505550103").await;
    post(&api, "/admin/v1/trunks", json!({"name": "carrier", "sources": ["192.0.2.0/24"]})).await;
    let (to, was) = (current(&api).await, everything(&api).await);
    patch(&api, "/admin/v1/numbers/+16505550100", json!({"voice_url": "https://b.example/"})).await;
    api.delete(&api.admin, "/admin/v1/trunks/carrier").await.expect(204);
    api.delete(&api.admin, "/admin/v1/numbers/+16505550103").await.expect(204);
    // In the place of the one that went.
    post(&api, "/admin/v1/trunks", json!({"name": "carrier", "sources": ["198.51.100.0/24"]})).await;
    api.json(Method::POST, "/admin/v1/numbers/bulk", json!({"rows": ["+16505550101", "+16505550102"]}))
        .await
        .expect(200);
    let (from, now) = (current(&api).await, everything(&api).await);
    let told = back(&api, to, true).await.expect(200).json();
    assert_eq!(
        (&told["added"], &told["changed"], &told["removed"], &told["generation"]),
        (&json!(2), &json!(1), &json!(3), &Value::Null)
    );
    assert_eq!((everything(&api).await, current(&api).await), (now, from));
    // Somebody came in between.
    let path = format!("/admin/v1/generations/{to}/rollback");
    api.json_if(Method::POST, &path, &format!("\"{}\"", from - 1), json!({})).await.expect(412);
    let done = api.json_if(Method::POST, &path, &format!("\"{from}\""), json!({})).await.expect(200);
    let after = current(&api).await;
    assert_eq!(done.json()["generation"], after);
    assert_eq!(everything(&api).await, was);
    assert_eq!(diff(&api, to, after).await, Vec::<Value>::new());
    assert_eq!(diff(&api, from, after).await.len(), 6);
    let list = api.get(&api.admin, "/admin/v1/generations?limit=1").await.json();
    assert_eq!(
        (&list["generations"][0]["action"], &list["generations"][0]["by"]),
        (&json!("rollback"), &json!(api.admin.sid))
    );
    let audit = api.get(&api.admin, "/admin/v1/audit?action=rollback").await.json();
    assert_eq!(audit["entries"].as_array().unwrap().len(), 6);
    // The way back has its own way back.
    back(&api, from, false).await.expect(200);
    assert_eq!(diff(&api, from, current(&api).await).await, Vec::<Value>::new());
    let nothing = back(&api, current(&api).await, false).await.expect(200).json();
    assert_eq!(nothing["generation"], Value::Null);
}

async fn rows_that_need_one_another_come_back(api: Api) {
    let organization = post(&api, "/admin/v1/organizations", json!({"domain": "pier.example"})).await;
    let account = json!({"friendly_name": "Pier", "organization_sid": organization["sid"]});
    let account = post(&api, "/admin/v1/accounts", account).await;
    let application =
        json!({"friendly_name": "Desk", "account_sid": account["sid"], "voice_url": "https://a.example/"});
    let application = post(&api, "/admin/v1/applications", application).await;
    let default = json!({"default_application_sid": application["sid"]});
    patch(&api, "/admin/v1/accounts/Pier", default.clone()).await;
    patch(&api, "/admin/v1/organizations/pier.example", default).await;
    let row = json!({"number": "+16505550100", "account_sid": account["sid"], "voice_application_sid": application["sid"]});
    post(&api, "/admin/v1/numbers", row).await;
    let (to, was) = (current(&api).await, everything(&api).await);
    let none = json!({"default_application_sid": null});
    patch(&api, "/admin/v1/accounts/Pier", none.clone()).await;
    patch(&api, "/admin/v1/organizations/pier.example", none).await;
    let store = &api.world.store;
    let sid = api.get(&api.admin, "/admin/v1/numbers/+16505550100").await.json()["sid"].clone();
    store.delete::<callgate::store::NumberRow>("test", sid.as_str().unwrap().parse().unwrap()).await.unwrap();
    api.delete(&api.admin, "/admin/v1/applications/Desk").await.expect(204);
    patch(&api, "/admin/v1/accounts/Pier", json!({"status": "closed"})).await;
    api.delete(&api.admin, "/admin/v1/accounts/Pier").await.expect(204);
    api.delete(&api.admin, "/admin/v1/organizations/pier.example").await.expect(204);
    back(&api, to, false).await.expect(200);
    assert_eq!(everything(&api).await, was);
}

async fn main_numbers_and_moved_accounts_come_back(api: Api) {
    let account = post(&api, "/admin/v1/accounts", json!({"friendly_name": "Pier"})).await;
    let mut sids = Vec::new();
    for text in ["+16505550100", "+16505550101"] {
        let row = json!({"number": text, "account_sid": account["sid"]});
        sids.push(post(&api, "/admin/v1/numbers", row).await["sid"].as_str().unwrap().parse().unwrap());
    }
    let owner = account["sid"].as_str().unwrap().parse().unwrap();
    api.world.store.choose_main("test", owner, sids[0]).await.unwrap().unwrap();
    let there = post(&api, "/admin/v1/organizations", json!({"domain": "there.example"})).await;
    let (to, was) = (current(&api).await, everything(&api).await);
    api.world.store.choose_main("test", owner, sids[1]).await.unwrap().unwrap();
    patch(&api, "/admin/v1/accounts/Pier", json!({"organization_sid": there["sid"], "status": "closed"}))
        .await;
    back(&api, to, false).await.expect(200);
    assert_eq!(everything(&api).await, was);
}

async fn what_cannot_be_undone_is_named(api: Api) {
    let to = current(&api).await;
    let made = number(&api, "+16505550100").await;
    let (generation, id) = (current(&api).await, &made["sid"].as_str().unwrap()[2..]);
    // Gone without the change log: somebody knew how.
    let hidden = match api.world.server {
        crate::servers::Server::Sqlite => "DROP TRIGGER numbers_delete",
        crate::servers::Server::Postgres => "ALTER TABLE numbers DISABLE TRIGGER numbers_delete",
    };
    api.world.by_hand(hidden).unwrap();
    api.world.by_hand(&format!("DELETE FROM numbers WHERE id = '{id}'")).unwrap();
    let refused = back(&api, to, false).await.expect(409).json();
    assert_eq!(
        refused["message"],
        format!(
            "numbers {}, changed in generation {generation}: it is gone, which the change log does not know of",
            made["sid"].as_str().unwrap()
        )
    );
    assert_eq!(current(&api).await, generation);
    back(&api, 99_999_999, false).await.expect(404);
    api.json(Method::POST, "/admin/v1/generations/1/rollback?dryrun=true", json!({})).await.expect(400);
}

async fn the_default_account_is_not_undone(api: Api) {
    let all = everything(&api).await;
    let accounts = api.get(&api.admin, "/admin/v1/accounts?limit=1000").await.expect(200).json();
    assert!(accounts["accounts"].as_array().unwrap().iter().any(|row| row["is_default"] == true));
    let refused = back(&api, 0, false).await.expect(409).json();
    assert_eq!(refused["message"], "generation 0 had no default account or organization: name a later one");
    assert_eq!(everything(&api).await, all);
}

async fn secrets_neither_show_nor_come_back(api: Api) {
    let gateway = json!({"name": "out", "host": "192.0.2.1", "username": "t7", "password": "k33p-it"});
    post(&api, "/admin/v1/gateways", gateway).await;
    let made = post(&api, "/admin/v1/accounts", json!({"friendly_name": "Pier"})).await;
    let path = format!("/admin/v1/accounts/{}", made["sid"].as_str().unwrap());
    api.json(Method::POST, &format!("{path}/webhook-secret"), json!({})).await.expect(200);
    let to = current(&api).await;
    let fresh = api.json(Method::POST, &format!("{path}/auth-token"), json!({})).await.expect(200).json();
    patch(&api, &path, json!({"friendly_name": "Quay"})).await;
    api.delete(&api.admin, "/admin/v1/gateways/out").await.expect(204);
    let text = api.get(&api.admin, &format!("/admin/v1/generations/{to}/diff")).await.expect(200).text;
    assert!(!text.contains("v1.") && !text.contains("token") && !text.contains("secret"), "{text}");
    back(&api, to, false).await.expect(200);
    // A token that was given stays; what went comes back whole.
    let row = api.get(&api.admin, "/admin/v1/accounts/Pier").await.expect(200).json();
    let account =
        api.world.store.account_by_token(fresh["auth_token"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(row["sid"], account.id.to_string());
    api.catch_up().await;
    let directory = api.handles.directory.load();
    assert_eq!(&*directory.gateways()[0].credentials.as_ref().unwrap().password, "k33p-it");
}

/// What is kept of it is good for no other name and realm than those it was given for.
async fn a_trunks_password_goes_with_its_name(api: Api) {
    let made = json!({"name": "pbx", "auth_username": "pbx", "auth_password": "the first one"});
    let made = post(&api, "/admin/v1/trunks", made).await;
    let sid = made["sid"].as_str().unwrap().parse().unwrap();
    let kept = async || {
        let row = api.world.store.read::<callgate::store::TrunkRow>(sid).await.unwrap().unwrap();
        (row.auth_username.unwrap(), row.auth_realm, row.auth_password.unwrap())
    };
    let (to, was) = (current(&api).await, kept().await);
    for change in [
        json!({"auth_username": "other", "auth_password": "the second one"}),
        json!({"auth_realm": "elsewhere", "auth_password": "the third one"}),
    ] {
        patch(&api, "/admin/v1/trunks/pbx", change).await;
    }
    let text = api.get(&api.admin, &format!("/admin/v1/generations/{to}/diff")).await.expect(200).text;
    assert!(text.contains("elsewhere") && !text.contains("v1.") && !text.contains("password"), "{text}");
    back(&api, to, false).await.expect(200);
    assert_eq!(kept().await, was);
    // One that was given since to the same name stays, as every secret does.
    let to = current(&api).await;
    patch(&api, "/admin/v1/trunks/pbx", json!({"auth_password": "the fourth one", "max_calls": 3})).await;
    let given = kept().await;
    back(&api, to, false).await.expect(200);
    assert_eq!(kept().await, given);
    assert_ne!(given, was);
}

async fn by_hand_is_told_and_undone(api: Api) {
    for text in ["+16505550100", "+16505550101", "+16505550102"] {
        number(&api, text).await;
    }
    let (to, was) = (current(&api).await, everything(&api).await);
    api.world.by_hand("UPDATE numbers SET voice_url = 'https://h.example/'").unwrap();
    api.world.by_hand("DELETE FROM numbers WHERE number = '+16505550102'").unwrap();
    api.world
        .by_hand("INSERT INTO numbers (number, voice_url) VALUES ('+16505550109', 'https://h.example/')")
        .unwrap();
    api.world.by_hand("INSERT INTO applications (friendly_name) VALUES ('Desk')").unwrap();
    let list = api.get(&api.admin, "/admin/v1/generations?limit=4").await.expect(200).json();
    let told: Vec<_> = list["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert_eq!(one["by"], "sql");
            (
                one["action"].as_str().unwrap(),
                [&one["added"], &one["changed"], &one["removed"]].map(|n| n.as_u64().unwrap()),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("create", [1, 0, 0]), ("create", [1, 0, 0]), ("delete", [0, 0, 1]), ("update", [0, 3, 0])]
    );
    let rows = diff(&api, to, current(&api).await).await;
    let kinds: Vec<_> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "changed").count(), 2);
    assert_eq!((kinds.len(), kinds.iter().filter(|kind| **kind == "removed").count()), (5, 1));
    back(&api, to, false).await.expect(200);
    assert_eq!(everything(&api).await, was);
    if api.world.server == crate::servers::Server::Sqlite {
        // REPLACE fires no trigger for what it replaces.
        let to = current(&api).await;
        api.world
            .by_hand("REPLACE INTO numbers (number, voice_url) VALUES ('+16505550100', 'https://r.example/')")
            .unwrap();
        api.world.by_hand("INSERT OR IGNORE INTO numbers (number) VALUES ('+16505550101')").unwrap();
        assert_eq!(diff(&api, to, current(&api).await).await.len(), 2);
        back(&api, to, false).await.expect(200);
        assert_eq!(everything(&api).await, was);
    } else {
        let to = current(&api).await;
        api.world.by_hand("TRUNCATE numbers").unwrap();
        let unknown = current(&api).await;
        let path = format!("/admin/v1/generations/{to}/diff");
        assert_eq!(api.get(&api.admin, &path).await.expect(200).json()["unknown"], json!([unknown]));
        let refused = back(&api, to, true).await.expect(409).json();
        assert!(
            refused["message"]
                .as_str()
                .unwrap()
                .starts_with(&format!("generation {unknown} emptied a table"))
        );
    }
}

async fn the_command_line_lists_compares_and_goes_back(api: Api) {
    number(&api, "+16505550100").await;
    let to = current(&api).await.to_string();
    patch(&api, "/admin/v1/numbers/+16505550100", json!({"voice_url": "https://b.example/"})).await;
    let run = async |words: &[&str]| {
        let output = crate::commands::run(&api.socket, words).await;
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, list, _) = run(&["generations", "list", "--limit", "1"]).await;
    assert!(code == Some(0) && list.contains("update") && list.contains(&api.admin.sid), "{list}");
    let (_, told, _) = run(&["generations", "diff", &to]).await;
    assert!(told.contains("voice_url: https://a.example/1 -> https://b.example/"), "{told}");
    assert!(told.starts_with("changed numbers PN") && told.contains(" +16505550100\n"), "{told}");
    let (_, told, _) = run(&["generations", "rollback", &to, "--dry-run"]).await;
    assert!(told.contains("0 rows would be back, 1 as they were, 0 gone again"), "{told}");
    let (code, _, refused) = run(&["generations", "rollback", &to]).await;
    assert!(code == Some(64) && refused.contains("--yes"), "{refused}");
    let (code, told, _) = run(&["generations", "rollback", &to, "--yes"]).await;
    assert!(code == Some(0) && told.contains("1 as they were"), "{told}");
    let row = api.get(&api.admin, "/admin/v1/numbers/+16505550100").await.json();
    assert_eq!(row["voice_url"], "https://a.example/1");
    assert_eq!(run(&["generations", "diff", &to]).await.1, "nothing differs\n");
}
