//! Who gets in, and whose things they may touch.

use callgate::ids::AccountSid;
use callgate::routing::model::Status;
use callgate::store::{AccountRow, Role};
use hyper::Method;

use crate::client::{Credentials, over_tcp, request};
use crate::world::{Api, Caller};

crate::on_both_servers!(
    nobody_gets_in_without_the_right_token,
    an_account_that_is_not_active_is_forbidden,
    parents_reach_down_and_nobody_reaches_up_or_across,
    an_admin_has_its_organization,
    only_the_super_admin_uses_admin_v1,
    what_is_anothers_is_not_there,
    the_token_alone_is_enough,
);

fn with_token(who: &Caller, token: &str) -> Caller {
    Caller { credentials: Credentials(Some((who.sid.clone(), token.to_owned()))), ..who.clone() }
}

async fn nobody_gets_in_without_the_right_token(api: Api) {
    let who = &api.admin;
    let nobody = Caller { credentials: Credentials(None), ..who.clone() };
    let unknown = Caller {
        credentials: Credentials(Some(("AC00000000000000000000000000000000".into(), "x".into()))),
        ..who.clone()
    };
    for caller in [nobody, with_token(who, "wrong"), with_token(who, ""), unknown] {
        let answer = api.get(&caller, &who.numbers()).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"Restcomm realm\""));
        assert_eq!(answer.json()["status"], 401);
        api.get(&caller, "/admin/v1/trunks").await.expect(401);
    }
    let mut bearer = request(&Credentials(None), Method::GET, &who.numbers(), None);
    bearer.headers_mut().insert("authorization", "Bearer abc".parse().unwrap());
    over_tcp(api.address, bearer).await.expect(401);
    api.get(who, &who.numbers()).await.expect(200);
}

async fn an_account_that_is_not_active_is_forbidden(api: Api) {
    let who = api.tenant("tenant", None).await;
    api.get(&who, &who.numbers()).await.expect(200);
    for status in [Status::Suspended, Status::Closed] {
        let sid: AccountSid = who.sid.parse().unwrap();
        api.world.store.modify::<AccountRow>("test", sid, |row| row.status = status).await.unwrap();
        let body = api.get(&who, &who.numbers()).await.expect(403).json();
        assert_eq!(body["message"], "Provided Account is not active");
        // A wrong token learns nothing about the account.
        api.get(&with_token(&who, "wrong"), &who.numbers()).await.expect(401);
    }
}

async fn parents_reach_down_and_nobody_reaches_up_or_across(api: Api) {
    let parent = api.tenant("parent", None).await;
    let under = |sid: &str| AccountRow {
        parent_id: Some(sid.parse().unwrap()),
        ..AccountRow::new(api.world.organization.id, "child")
    };
    let child = api.account(under(&parent.sid)).await;
    let grandchild = api.account(under(&child.sid)).await;
    let sibling = api.tenant("sibling", None).await;
    for (who, whose, status) in [
        (&parent, &parent, 200),
        (&parent, &child, 200),
        (&parent, &grandchild, 200),
        (&child, &parent, 403),
        (&child, &sibling, 403),
        (&grandchild, &child, 403),
        (&sibling, &parent, 403),
        (&parent, &api.admin, 403),
        (&api.admin, &grandchild, 200),
    ] {
        let path = whose.numbers();
        api.get(who, &path).await.expect(status);
        let number = format!("+1415{:07}", rand_digits(&who.sid, &whose.sid));
        let answer = api.post(who, &path, &[("PhoneNumber", &number)]).await.expect(status);
        let sid = match status {
            200 => answer.json()["sid"].as_str().unwrap().to_owned(),
            _ => "PN00000000000000000000000000000001".to_owned(),
        };
        api.get(who, &whose.number(&sid)).await.expect(status);
        api.post(who, &whose.number(&sid), &[("FriendlyName", "x")]).await.expect(status);
        api.delete(who, &whose.number(&sid)).await.expect(if status == 200 { 204 } else { status });
        api.get(who, &whose.applications()).await.expect(status);
    }
    let nobody = Caller { sid: "AC00000000000000000000000000000009".into(), ..parent.clone() };
    api.get(&parent, &nobody.numbers()).await.expect(403);
    api.get(&api.admin, &nobody.numbers()).await.expect(404);
}

/// Seven digits that differ from pair to pair.
fn rand_digits(a: &str, b: &str) -> u64 {
    let fold = |text: &str| text.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 9_999_991);
    (fold(a) * 3 + fold(b)) % 9_999_991
}

async fn an_admin_has_its_organization(api: Api) {
    let organization = api.world.organization.id;
    let parent_id = Some(api.world.account.id);
    let admin = AccountRow { role: Role::Admin, parent_id, ..AccountRow::new(organization, "admin") };
    let admin = api.account(admin).await;
    let colleague = api.tenant("colleague", None).await;
    let stranger = api.tenant("stranger", Some("stranger.example.org")).await;
    api.get(&admin, &colleague.numbers()).await.expect(200);
    api.get(&admin, &stranger.numbers()).await.expect(403);
    api.get(&admin, &api.admin.numbers()).await.expect(403);
}

async fn only_the_super_admin_uses_admin_v1(api: Api) {
    let developer = api.tenant("developer", None).await;
    for path in [
        "/admin/v1/trunks",
        "/admin/v1/calls",
        "/admin/v1/deliveries",
        "/admin/v1/lint",
        "/admin/v1/generation",
    ] {
        api.get(&developer, path).await.expect(403);
        api.get(&api.admin, path).await.expect(200);
        api.local(Method::GET, path).await.expect(200);
    }
    api.post(&developer, "/admin/v1/reload", &[]).await.expect(403);
}

async fn what_is_anothers_is_not_there(api: Api) {
    let (one, other) = (api.tenant("one", None).await, api.tenant("other", None).await);
    let made = api.post(&one, &one.numbers(), &[("PhoneNumber", "+14155550001")]).await.expect(200).json();
    let sid = made["sid"].as_str().unwrap();
    // Under the asker's own path, with somebody else's number.
    api.get(&other, &other.number(sid)).await.expect(404);
    api.post(&other, &other.number(sid), &[("VoiceUrl", "https://evil.example/")]).await.expect(404);
    api.delete(&other, &other.number(sid)).await.expect(404);
    assert_eq!(
        api.get(&one, &one.number(sid)).await.expect(200).json()["voice_url"],
        serde_json::Value::Null
    );
}

async fn the_token_alone_is_enough(api: Api) {
    let tenant = api.tenant("tenant", None).await;
    let ask = async |name: &'static str, value: String, path: &str| {
        let mut request = request(&Credentials(None), Method::GET, path, None);
        request.headers_mut().insert(name, value.parse().unwrap());
        over_tcp(api.address, request).await.status.as_u16()
    };
    let token = |who: &Caller| who.credentials.0.clone().unwrap().1;
    for who in [&api.admin, &tenant] {
        let admin = if who.sid == api.admin.sid { 200 } else { 403 };
        assert_eq!(ask("authorization", format!("Bearer {}", token(who)), &who.numbers()).await, 200);
        assert_eq!(ask("x-auth-token", token(who), &who.numbers()).await, 200);
        assert_eq!(ask("authorization", format!("bearer {}", token(who)), "/admin/v1/trunks").await, admin);
        assert_eq!(ask("x-auth-token", token(who), "/admin/v1/trunks").await, admin);
    }
    assert_eq!(ask("x-auth-token", token(&tenant), &api.admin.numbers()).await, 403);
    for (name, value) in [
        ("x-auth-token", ""),
        ("x-auth-token", "abc"),
        ("authorization", "Bearer "),
        ("authorization", "Bearer"),
    ] {
        assert_eq!(ask(name, value.to_owned(), &tenant.numbers()).await, 401, "{name}: {value}");
    }
    let sid: AccountSid = tenant.sid.parse().unwrap();
    api.world.store.modify::<AccountRow>("test", sid, |row| row.status = Status::Suspended).await.unwrap();
    assert_eq!(ask("x-auth-token", token(&tenant), &tenant.numbers()).await, 403);
}
