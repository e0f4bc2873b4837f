//! `Calls`: what is shown of calls and legs, and what may be done to them.

use callgate::call::outcome::CallStatus;
use callgate::ids::{AccountSid, CallSid, InstanceSid, NotificationSid, OrganizationSid};
use callgate::reason::Reason;
use callgate::store::calls::{Batch, CallRow, LegRow, NotificationRow};
use jiff::Timestamp;
use serde_json::json;

use crate::world::{Api, Caller};

crate::on_both_servers!(
    calls_and_legs_are_listed,
    notifications_are_listed_and_forgotten,
    a_call_is_ended_or_goes_on_from_outside,
);

const RINGING: CallSid = CallSid(0xa1);
const DONE: CallSid = CallSid(0xa2);
const LEG: CallSid = CallSid(0xb1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn call(id: CallSid, account: AccountSid, status: CallStatus) -> CallRow {
    let over = status.is_terminal();
    CallRow {
        id,
        sequence: 9,
        node: InstanceSid(1),
        account_id: account,
        organization_id: OrganizationSid(1),
        number_id: None,
        number: "1234".into(),
        trunk_id: None,
        caller: "+16505551234".into(),
        called: "1234".into(),
        caller_name: "Zoe".into(),
        forwarded_from: "".into(),
        sip_call_id: "c@h".into(),
        sip_source: "192.0.2.1".parse().unwrap(),
        generation: 1,
        status,
        started_at: at(i64::try_from(id.0).unwrap()),
        answered_at: over.then(|| at(170)),
        ended_at: over.then(|| at(180)),
        duration_ms: if over { 9_001 } else { 0 },
        sip_code: over.then_some(200),
        reason: over.then_some(Reason::Completed),
        hangup_source: over.then(|| "callee".into()),
    }
}

/// A call that rings, one that is over, and the leg of that one.
async fn fill(api: &Api, who: &Caller) {
    let account = who.sid.parse().unwrap();
    let leg = LegRow {
        id: LEG,
        sequence: 9,
        call_id: DONE,
        account_id: account,
        caller: "+16505551234".into(),
        called: "sip:bob@h".into(),
        status: CallStatus::Completed,
        started_at: at(165),
        answered_at: Some(at(170)),
        ended_at: Some(at(180)),
        duration_ms: 9_001,
        sip_code: Some(200),
    };
    let calls = vec![call(RINGING, account, CallStatus::Ringing), call(DONE, account, CallStatus::Completed)];
    let batch = Batch { calls, legs: vec![leg], ..Batch::default() };
    api.world.store.project(InstanceSid(1), 1, &batch).await.unwrap();
}

fn path(who: &Caller, rest: &str) -> String {
    format!("/restcomm/2012-04-24/Accounts/{}/Calls{rest}", who.sid)
}

async fn calls_and_legs_are_listed(api: Api) {
    let who = api.tenant("Sales", None).await;
    let other = api.tenant("Support", None).await;
    fill(&api, &who).await;
    let list = api.get(&who, &path(&who, ".json")).await.expect(200).json();
    assert_eq!((&list["total"], list["calls"].as_array().unwrap().len()), (&json!(3), 3));
    let count = async |query: &str| {
        api.get(&who, &path(&who, &format!(".json?{query}"))).await.expect(200).json()["total"].clone()
    };
    assert_eq!(count("Status=completed").await, 2);
    assert_eq!(count("From=%2B16505551234").await, 3);
    assert_eq!(count("To=1234").await, 2);
    assert_eq!(count(&format!("ParentCallSid={DONE}")).await, 1);
    assert_eq!(count("StartTime=2023-11-14").await, 3);
    assert_eq!(
        (count("StartTime=2023-11-15").await, count("StartTime%3E=2023-11-15").await),
        (json!(0), json!(0))
    );
    assert_eq!(
        (count("StartTime%3C=2023-11-14").await, count("StartTime%3C=2023-11-13").await),
        (json!(3), json!(0))
    );
    api.get(&who, &path(&who, ".json?Status=odd")).await.expect(400);
    api.get(&who, &path(&who, ".json?StartTime=today")).await.expect(400);
    let page = api.get(&who, &path(&who, ".json?PageSize=2&To=1234")).await.expect(200).json();
    assert!(page["last_page_uri"].as_str().unwrap().contains("To=1234"));
    let one = api.get(&who, &path(&who, &format!("/{DONE}.json"))).await.expect(200).json();
    assert_eq!(
        (&one["direction"], &one["duration"], &one["status"]),
        (&json!("inbound"), &json!(10), &json!("completed"))
    );
    let leg = api.get(&who, &path(&who, &format!("/{LEG}.json"))).await.expect(200).json();
    assert_eq!(
        (&leg["direction"], &leg["parent_call_sid"]),
        (&json!("outbound-dial"), &json!(DONE.to_string()))
    );
    assert_eq!(leg["to"], "sip:bob@h");
    let xml = api.get(&who, &path(&who, &format!("/{LEG}.xml"))).await.expect(200);
    assert!(xml.text.contains("<Call>"), "{}", xml.text);
    // Another account's calls are not there, and its list is not ours.
    api.get(&other, &path(&other, &format!("/{DONE}.json"))).await.expect(404);
    api.get(&other, &path(&who, ".json")).await.expect(403);
    api.get(&who, &path(&who, &format!("/{}.json", CallSid(7)))).await.expect(404);
}

async fn notifications_are_listed_and_forgotten(api: Api) {
    let who = api.tenant("Sales", None).await;
    let other = api.tenant("Support", None).await;
    let row = |id: u128, call, second| NotificationRow {
        id: NotificationSid(id),
        account_id: who.sid.parse().unwrap(),
        call_id: call,
        at: at(second),
        error_code: 12_100,
        reason: "webhook_empty".into(),
        text: "the body is empty".into(),
        url: "https://a.example/voice".into(),
        method: Some(callgate::routing::model::Method::Post),
        http_status: Some(200),
    };
    let gone = NotificationRow { error_code: 11_206, http_status: Some(410), ..row(2, None, 20) };
    api.world.store.notify(&[row(1, Some(DONE), 10), gone]).await.unwrap();
    let all = format!("/restcomm/2012-04-24/Accounts/{}/Notifications", who.sid);
    let list = api.get(&who, &format!("{all}.json")).await.expect(200).json();
    assert_eq!(list["total"], 2);
    let newest = &list["notifications"][0];
    assert_eq!((&newest["response_status"], &newest["call_sid"]), (&json!(410), &json!(null)));
    let count = async |query: &str| {
        api.get(&who, &format!("{all}.json?{query}")).await.expect(200).json()["total"].clone()
    };
    assert_eq!((count("ErrorCode=12100").await, count("StartTime=2023-11-15").await), (json!(1), json!(0)));
    assert_eq!(count("EndTime=2023-11-14&RequestUrl=https://a.example/voice").await, 2);
    api.get(&who, &format!("{all}.json?ErrorCode=x")).await.expect(400);
    let of_call = api.get(&who, &path(&who, &format!("/{DONE}/Notifications.json"))).await.expect(200).json();
    assert_eq!(of_call["total"], 1);
    let one = api.get(&who, of_call["notifications"][0]["uri"].as_str().unwrap()).await.expect(200).json();
    assert_eq!((&one["reason_code"], &one["request_method"]), (&json!("webhook_empty"), &json!("POST")));
    let xml = api.get(&who, &format!("{all}/{}.xml", NotificationSid(1))).await.expect(200);
    assert!(xml.text.contains("<Notification>") && xml.text.contains("<ErrorCode>12100<"), "{}", xml.text);
    // Another account's are not there.
    let foreign =
        format!("/restcomm/2012-04-24/Accounts/{}/Notifications/{}.json", other.sid, NotificationSid(1));
    api.get(&other, &foreign).await.expect(404);
    api.get(&other, &format!("{all}.json")).await.expect(403);
    assert_eq!(api.world.store.forget_notifications(at(20)).await.unwrap(), 1);
    assert_eq!(count("").await, 1);
}

async fn a_call_is_ended_or_goes_on_from_outside(api: Api) {
    let who = api.tenant("Sales", None).await;
    let other = api.tenant("Support", None).await;
    fill(&api, &who).await;
    let ringing = path(&who, &format!("/{RINGING}.json"));
    api.post(&other, &ringing, &[("Status", "completed")]).await.expect(403);
    for (pairs, wrong) in [
        (&[("Status", "gone")][..], "Status is `gone`: use completed or canceled"),
        (&[], "give Status=completed, Status=canceled or a Url"),
        (
            &[("Status", "canceled"), ("Url", "http://a.example/")],
            "Status and Url are both given: use one of them",
        ),
        (&[("Url", "http://a.example/"), ("Method", "PUT")], "Method is `PUT`: use GET or POST"),
    ] {
        let error = api.post(&who, &ringing, pairs).await.expect(400).json();
        assert_eq!(error["message"], wrong);
    }
    assert!(api.told.all().is_empty());
    api.post(&who, &ringing, &[("Url", "http://a.example/next"), ("Method", "get")]).await.expect(200);
    api.post(&who, &ringing, &[("Status", "canceled")]).await.expect(200);
    assert_eq!(
        api.told.all(),
        [format!("{RINGING} goes on at Get http://a.example/next"), format!("hang up {RINGING}")]
    );
    // What is over stays so; and it has no document to go on with.
    let done = path(&who, &format!("/{DONE}.json"));
    assert_eq!(
        api.post(&who, &done, &[("Status", "completed")]).await.expect(200).json()["status"],
        "completed"
    );
    api.post(&who, &done, &[("Url", "http://a.example/")]).await.expect(400);
    assert_eq!(api.told.all().len(), 2);
    let path = format!("/admin/v1/calls/{RINGING}/hangup");
    api.form(&api.admin, hyper::Method::POST, &path, &[]).await.expect(404);
}
