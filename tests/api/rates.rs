//! How often an account may ask, and what it may have by whatever way.

use callgate::store::AccountRow;
use hyper::Method;
use serde_json::json;

use crate::client::{Credentials, over_tcp, request};
use crate::on_both_servers;
use crate::world::Api;

on_both_servers!(
    who_asks_too_often_is_told_so_in_its_own_words,
    a_deleted_number_falls_back_to_who_reserved_it,
    caps_hold_when_numbers_are_handed_over,
    a_change_that_is_refused_leaves_no_trace,
);

async fn who_asks_too_often_is_told_so_in_its_own_words(api: Api) {
    let who = api.tenant("often", None).await;
    let sid = who.sid.clone();
    api.world
        .by_hand("UPDATE accounts SET max_requests_per_second = 2 WHERE friendly_name = 'often'")
        .unwrap();
    let token = who.credentials.0.clone().unwrap().1;
    let with_token = |path: String, token: String| async move {
        let mut asked = request(&Credentials(None), Method::GET, &path, None);
        asked.headers_mut().insert("x-auth-token", token.parse().unwrap());
        over_tcp(api.address, asked).await
    };
    // Two at once, then none until the bucket fills: the first refusal comes long before a second is over.
    let mut refused = None;
    for _ in 0..20 {
        let answer = api.get(&who, &format!("/restcomm/2012-04-24/Accounts/{sid}.json")).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("20 requests within a second or two and none refused");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!((&refused.json()["status"], &refused.json()["code"]), (&json!(429), &json!(429)));
    let (mut kazoo, mut wazo) = (None, None);
    for _ in 0..20 {
        let path = format!("/v2/accounts/{}/phone_numbers", &sid[2..]);
        let answer = with_token(path, token.clone()).await;
        kazoo = kazoo.or((answer.status == 429).then_some(answer));
        let answer = with_token("/api/confd/1.1/phone-numbers".to_owned(), token.clone()).await;
        wazo = wazo.or((answer.status == 429).then_some(answer));
    }
    let (kazoo, wazo) = (kazoo.unwrap(), wazo.unwrap());
    assert_eq!((kazoo.header("retry-after"), wazo.header("retry-after")), (Some("1"), Some("1")));
    assert_eq!(kazoo.json()["message"], "too_many_requests");
    assert!(wazo.json()[0].as_str().unwrap().contains("max_requests_per_second"), "{:?}", wazo.json());
    // Nobody else waits for it, and whoever knows the token alone empties the bucket.
    api.get(&api.admin, &api.admin.numbers()).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    for _ in 0..10 {
        assert_eq!(
            with_token("/api/confd/1.1/phone-numbers".to_owned(), "wrong".to_owned()).await.status,
            401
        );
    }
    api.get(&who, &format!("/restcomm/2012-04-24/Accounts/{sid}.json")).await.expect(200);
}

async fn a_deleted_number_falls_back_to_who_reserved_it(api: Api) {
    let reserver = api.tenant("reserver", None).await;
    let who = api.below(&reserver, "user").await;
    let made = api.post(&who, &who.numbers(), &[("PhoneNumber", "+16505550188")]).await.expect(200).json();
    let id = reserver.sid[2..].to_owned();
    let sql = format!("UPDATE numbers SET reserve_history = '{id}' WHERE number = '+16505550188'");
    api.world.by_hand(&sql).unwrap();
    api.delete(&who, &who.number(made["sid"].as_str().unwrap())).await.expect(204);
    let row =
        api.world.by_hand("SELECT account_id, state FROM numbers WHERE number = '+16505550188'").unwrap();
    assert_eq!(row, format!("{id}|reserved"));
}

async fn caps_hold_when_numbers_are_handed_over(api: Api) {
    let row = AccountRow { max_numbers: Some(1), ..AccountRow::new(api.world.organization.id, "capped") };
    let capped = api.account(row).await;
    let mut sids = Vec::new();
    for number in ["+16505550171", "+16505550172", "+16505550173"] {
        let made = api.post(&api.admin, &api.admin.numbers(), &[("PhoneNumber", number)]).await.expect(200);
        sids.push(made.json()["sid"].as_str().unwrap().to_owned());
    }
    let to = capped.sid.clone();
    let body = json!({ "account_sid": to });
    api.json(Method::PATCH, "/admin/v1/numbers?number=%2B165055501", body).await.expect(409);
    api.post(&api.admin, &api.admin.number(&sids[0]), &[("AccountSid", &to)]).await.expect(200);
    api.post(&api.admin, &api.admin.number(&sids[1]), &[("AccountSid", &to)]).await.expect(403);
    // In Kazoo's words it is a restriction of the service.
    let path = format!("/v2/accounts/{}/phone_numbers/+16505550179", &to[2..]);
    let token = api.admin.credentials.0.clone().unwrap().1;
    let body = ("application/json", json!({ "data": {} }).to_string());
    let mut asked = request(&Credentials::default(), Method::PUT, &path, Some(body));
    asked.headers_mut().insert("x-auth-token", token.parse().unwrap());
    let refused = over_tcp(api.address, asked).await.expect(402).json();
    assert_eq!(
        (&refused["error"], &refused["data"]["error"]),
        (&json!("402"), &json!("service_restriction"))
    );
    let rows = json!({ "rows": [{ "number": "+16505550172", "account_sid": to }], "existing": "update" });
    let answer = api.json(Method::POST, "/admin/v1/numbers/bulk", rows).await;
    assert_ne!(answer.status, 200, "{:?}", answer.json());
    let sql = format!("SELECT count(*) FROM numbers WHERE account_id = '{}'", &capped.sid[2..]);
    assert_eq!(api.world.by_hand(&sql).unwrap(), "1");
}

async fn a_change_that_is_refused_leaves_no_trace(api: Api) {
    let made = api.post(&api.admin, &api.admin.numbers(), &[("PhoneNumber", "+16505550161")]).await;
    let sid = made.expect(200).json()["sid"].as_str().unwrap().to_owned();
    let count = "SELECT (SELECT count(*) FROM audit), (SELECT number FROM generation)";
    let before = api.world.by_hand(count).unwrap();
    for (path, pairs) in [
        (api.admin.number(&sid), [("VoiceMethod", "BREW")]),
        (api.admin.number(&sid), [("VoiceUrl", "gopher://x")]),
    ] {
        api.post(&api.admin, &path, &pairs).await.expect(400);
    }
    assert_eq!(api.world.by_hand(count).unwrap(), before);
}
