//! Organizations and accounts.

use hyper::Method;
use serde_json::json;

use crate::client::Credentials;
use crate::world::{Api, Caller};

crate::on_both_servers!(
    organizations_are_the_super_admins,
    accounts_come_with_a_token,
    roles_are_given_from_above,
    closing_an_account_gives_its_numbers_back,
    numbers_migrate_with_their_accounts
);

const ORGANIZATIONS: &str = "/restcomm/2012-04-24/Organizations";

async fn organizations_are_the_super_admins(api: Api) {
    let who = &api.admin;
    let developer = api.tenant("developer", None).await;
    let path = format!("{ORGANIZATIONS}/NewDomain.example.org");
    let made = api.form(who, Method::PUT, &path, &[("MatchMode", "search")]).await.expect(200).json();
    assert_eq!(
        (&made["domain_name"], &made["match_mode"]),
        (&json!("newdomain.example.org"), &json!("search"))
    );
    api.form(who, Method::PUT, &path, &[]).await.expect(409);
    api.form(&developer, Method::PUT, &path, &[]).await.expect(403);
    api.form(who, Method::PUT, &format!("{ORGANIZATIONS}/not%20a%20host"), &[]).await.expect(400);
    // A trailing dot says no more than the name without it.
    let dotted = format!("{ORGANIZATIONS}/newdomain.example.org.");
    api.form(who, Method::PUT, &dotted, &[]).await.expect(409);
    let element = format!("{ORGANIZATIONS}/{}.json", made["sid"].as_str().unwrap());
    api.get(who, &element).await.expect(200);
    api.get(&developer, &element).await.expect(403);
    api.get(&developer, ORGANIZATIONS).await.expect(403);
    let body = api.post(who, &element, &[("Status", "closed"), ("Registrar", "sip:reg.example.org")]).await;
    assert_eq!(body.expect(200).json()["registrar"], "sip:reg.example.org");
    let count = async |query: &str| {
        let list = api.get(who, &format!("{ORGANIZATIONS}.json{query}")).await.expect(200).json();
        list.as_array().unwrap().len()
    };
    assert_eq!((count("").await, count("?Status=active").await, count("?Status=closed").await), (2, 1, 1));
    // Another name; the former one is free then.
    let renamed = api.post(who, &element, &[("DomainName", "Renamed.example.org")]).await.expect(200).json();
    assert_eq!(renamed["domain_name"], "renamed.example.org");
    assert_eq!(renamed["friendly_name"], "renamed.example.org");
    api.form(who, Method::PUT, &path, &[]).await.expect(200);
    api.post(who, &element, &[("DomainName", "newdomain.example.org")]).await.expect(409);
    let migrate = format!("{ORGANIZATIONS}/{}/Migrate.json", made["sid"].as_str().unwrap());
    let answer = api.form(who, Method::PUT, &migrate, &[]).await.expect(200);
    assert_eq!(answer.json()["sid"], made["sid"]);
    api.form(&developer, Method::PUT, &migrate, &[]).await.expect(403);
    let error = api.post(who, &element, &[("MatchMode", "loose")]).await.expect(400).json();
    assert_eq!(error["message"], "MatchMode is `loose`: use full or search");
}

async fn accounts_come_with_a_token(api: Api) {
    let path = "/restcomm/2012-04-24/Accounts.json";
    let made = api.post(&api.admin, path, &[("FriendlyName", "Sales")]).await.expect(200).json();
    let token = made["auth_token"].as_str().unwrap();
    assert_eq!(token.len(), 32);
    let sid = made["sid"].as_str().unwrap().to_owned();
    assert_eq!((&made["parent_sid"], &made["role"]), (&json!(api.admin.sid), &json!("developer")));
    let sales = Caller {
        credentials: Credentials(Some((sid.clone(), token.to_owned()))),
        sid: sid.clone(),
        organization: api.admin.organization.clone(),
    };
    api.post(&sales, &sales.numbers(), &[("PhoneNumber", "+14155550002")]).await.expect(200);
    let element = format!("/restcomm/2012-04-24/Accounts/{sid}.json");
    // Afterwards only who holds it reads it, and in no list.
    assert_eq!(api.get(&sales, &element).await.expect(200).json()["auth_token"], token);
    assert_eq!(api.get(&api.admin, &element).await.expect(200).json()["auth_token"], json!(null));
    let unnamed = api.post(&api.admin, &element, &[("FriendlyName", "Sale")]).await.expect(200).json();
    assert_eq!(unnamed["auth_token"], json!(null));
    let renewed = api.post(&sales, &element, &[("RenewAuthToken", "true")]).await.expect(200).json();
    assert_ne!(renewed["auth_token"], token);
    api.get(&sales, &element).await.expect(401);
    let list = api.get(&api.admin, path).await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(list.as_array().unwrap().iter().all(|account| account["auth_token"].is_null()), "{list}");
    api.post(&api.admin, path, &[]).await.expect(400);
    // The list below an account is that account's, for those who may act for it.
    let of = |sid: &str| format!("/restcomm/2012-04-24/Accounts/{sid}/Accounts.json");
    let below = api.get(&api.admin, &of(&sales.sid)).await.expect(200).json();
    assert_eq!(below.as_array().unwrap().len(), 1);
    assert_eq!(below[0]["sid"], sales.sid);
    assert_eq!(api.get(&api.admin, &of(&api.admin.sid)).await.expect(200).json(), list);
    api.get(&api.admin, &of("AC1")).await.expect(403);
}

async fn roles_are_given_from_above(api: Api) {
    let developer = api.tenant("developer", None).await;
    let path = format!("/restcomm/2012-04-24/Accounts/{}", developer.sid);
    api.post(&developer, &path, &[("Role", "super-admin")]).await.expect(403);
    api.post(&developer, &path, &[("Status", "suspended")]).await.expect(403);
    let elsewhere = api.tenant("elsewhere", Some("elsewhere.example.org")).await;
    api.post(&developer, &path, &[("OrganizationSid", &elsewhere.organization)]).await.expect(403);
    let children = format!("{path}/Accounts");
    let pairs = [("FriendlyName", "child"), ("Role", "admin")];
    api.post(&developer, &children, &pairs).await.expect(403);
    api.post(&developer, &children, &pairs[..1]).await.expect(200);
    assert_eq!(api.post(&api.admin, &path, &[("Role", "admin")]).await.expect(200).json()["role"], "admin");
}

async fn closing_an_account_gives_its_numbers_back(api: Api) {
    let parent = api.tenant("parent", None).await;
    let path = format!("/restcomm/2012-04-24/Accounts/{}/Accounts.json", parent.sid);
    let made = api.post(&parent, &path, &[("FriendlyName", "Child")]).await.expect(200).json();
    let child = made["sid"].as_str().unwrap();
    let numbers = |sid: &str| format!("/restcomm/2012-04-24/Accounts/{sid}/IncomingPhoneNumbers.json");
    api.post(&parent, &parent.numbers(), &[("PhoneNumber", "+14155550101")]).await.expect(200);
    api.post(&parent, &numbers(child), &[("PhoneNumber", "+14155550102")]).await.expect(200);
    api.post(&parent, &numbers(child), &[("PhoneNumber", "77"), ("isSIP", "true")]).await.expect(200);
    let account = |sid: &str| format!("/restcomm/2012-04-24/Accounts/{sid}.json");
    // What is given to an account is given to those under it.
    api.post(&api.admin, &account(&parent.sid), &[("Status", "suspended")]).await.expect(200);
    assert_eq!(api.get(&api.admin, &account(child)).await.json()["status"], "suspended");
    assert_eq!(api.get(&api.admin, &numbers(child)).await.json()["total"], 2);
    let answer = api.post(&api.admin, &account(&parent.sid), &[("Status", "closed")]).await.expect(200);
    assert_eq!(api.get(&api.admin, &account(child)).await.json()["status"], "closed");
    for sid in [parent.sid.as_str(), child] {
        assert_eq!(api.get(&api.admin, &numbers(sid)).await.json()["total"], 0);
    }
    api.catch_up().await;
    let live = api.handles.directory.load();
    let said: u64 = answer.header("x-callgate-generation").unwrap().parse().unwrap();
    assert!(live.is_empty() && live.generation() == said, "{} {said}", live.generation());
}

async fn numbers_migrate_with_their_accounts(api: Api) {
    let one = api.tenant("one", Some("one.example.org")).await;
    let two = api.tenant("two", Some("two.example.org")).await;
    let path = format!("/restcomm/2012-04-24/Accounts/{}/Accounts.json", one.sid);
    let made = api.post(&one, &path, &[("FriendlyName", "Child")]).await.expect(200).json();
    let child = made["sid"].as_str().unwrap();
    api.post(&one, &one.numbers(), &[("PhoneNumber", "1234"), ("isSIP", "true")]).await.expect(200);
    let migrate = one.kind("migrate");
    let to = [("OrganizationSid", two.organization.as_str())];
    api.post(&one, &migrate, &to).await.expect(403);
    api.post(&api.admin, &migrate, &[]).await.expect(400);
    api.post(&api.admin, &migrate, &[("OrganizationSid", "OR1")]).await.expect(400);
    let nowhere = [("OrganizationSid", "OR00000000000000000000000000000000")];
    api.post(&api.admin, &migrate, &nowhere).await.expect(404);
    api.post(&api.admin, &api.admin.kind("migrate"), &to).await.expect(400);
    let nobody = migrate.replace(&one.sid, "AC00000000000000000000000000000000");
    api.post(&api.admin, &nobody, &to).await.expect(404);
    api.post(&api.admin, &migrate, &to).await.expect(200);
    for sid in [one.sid.as_str(), child] {
        let account = api.get(&api.admin, &format!("/restcomm/2012-04-24/Accounts/{sid}.json")).await.json();
        assert_eq!(account["organization"], json!(two.organization));
    }
    // The SIP number is the new organization's.
    api.post(&two, &two.numbers(), &[("PhoneNumber", "1234"), ("isSIP", "true")]).await.expect(400);
}
