//! Carriers, places and addresses by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::script::{ask, id, token};
use crate::servers::Server;
use crate::world::Api;

/// What the providers were asked.
#[derive(Default)]
pub(crate) struct Asked {
    searches: AtomicU32,
    places: AtomicU32,
}

/// Providers of everything at one address.
async fn providers(asked: Arc<Asked>) -> String {
    let routes = Router::new()
        .route("/carrier/numbers", get(search))
        .route("/carrier/check", post(check))
        .route("/carrier/acquire", post(acquire))
        .route("/carrier/prefix", get(prefix))
        .route("/locality/locality/{what}", post(locality))
        .route("/e911/address", post(address))
        .with_state(asked);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

async fn search(State(asked): State<Arc<Asked>>, RawQuery(query): RawQuery) -> Json<Value> {
    assert_eq!(query.as_deref(), Some("prefix=628&quantity=2&country=US"));
    asked.searches.fetch_add(1, Ordering::Relaxed);
    let place = json!({ "lata": "722", "name": "SAN RAFAEL", "state": "CA" });
    Json(json!({ "data": [
        { "number": "+16285550101", "rate_center": place }, { "number": "6285550102" }, { "number": "628" }, 7,
    ] }))
}

async fn check(Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(body, json!({ "data": { "numbers": ["+16285550177", "+16285550178"] } }));
    Json(json!({ "data": { "+16285550177": "success", "+16285550178": "error" } }))
}

async fn acquire(Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    let taken = body["data"]["number"] == "+16285550102";
    (if taken { StatusCode::CONFLICT } else { StatusCode::OK }, Json(json!({})))
}

async fn prefix(RawQuery(query): RawQuery) -> (StatusCode, Json<Value>) {
    match query.as_deref() {
        Some("country=US&city=San+Francisco") => (StatusCode::OK, Json(json!({ "data": ["415", "628"] }))),
        _ => (StatusCode::NOT_FOUND, Json(json!({}))),
    }
}

async fn locality(
    State(asked): State<Arc<Asked>>,
    Path(_): Path<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    asked.places.fetch_add(1, Ordering::Relaxed);
    let numbers = body["data"].as_array().unwrap().iter().map(|number| number.as_str().unwrap());
    let told = |number: &str| {
        let place = json!({ "locality": "San Francisco", "province": "CA" });
        (
            number.to_owned(),
            json!({ "number": number, "country": "US", "locality": place, "status": "success" }),
        )
    };
    Json(
        json!({ "data": numbers.filter(|number| !number.ends_with('9')).map(told).collect::<serde_json::Map<_, _>>() }),
    )
}

async fn address(Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    let data = &body["data"];
    let answer = match data["locality"].as_str() {
        Some("Nowhere") => json!({ "status": "invalid", "data": {} }),
        Some("Springfield") => json!({ "status": "multiple_choice", "data": [data, data] }),
        Some("Silence") => return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({}))),
        _ => json!({ "status": "success", "data": {
            "street_address": "116 NATOMA ST", "locality": "SAN FRANCISCO", "latitude": "37.786861",
            "longitude": "-122.399484", "location_id": "27578725", "plus_four": "3745", "status": "PROVISIONED",
            "legacy_data": { "house_number": "116", "streetname": "NATOMA ST", "suite": "APT 116" },
        } }),
    };
    (StatusCode::OK, Json(answer))
}

pub(crate) async fn world() -> (Api, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let address = providers(asked.clone()).await;
    (Api::provided(Server::Sqlite, &address).await, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_is_searched_once_and_its_numbers_are_bought() {
    let (api, asked) = world().await;
    let who = api.tenant("buyer", None).await;
    let search = "/phone_numbers?prefix=628&quantity=2";
    for _ in 0..2 {
        let found = ask(&api, None, "GET", search, None).await.expect(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), 2);
        assert_eq!(found["data"][0]["rate_center"]["name"], "SAN RAFAEL");
    }
    assert_eq!(asked.searches.load(Ordering::Relaxed), 1, "the second was still known");
    let more = ask(&api, None, "GET", &format!("{search}&offset=1"), None).await.expect(200).json();
    assert_eq!(more["data"][0]["number"], "+16285550102");
    let path = |number: &str, what: &str| format!("/accounts/{}/phone_numbers/%2B1{number}/{what}", id(&who));
    let bought = ask(&api, Some(token(&who)), "PUT", &path("6285550101", "activate"), None).await.expect(201);
    assert_eq!(
        (&bought.json()["data"]["state"], &bought.json()["data"]["rate_center"]),
        (&json!("in_service"), &Value::Null)
    );
    let refused =
        ask(&api, Some(token(&who)), "PUT", &path("6285550102", "activate"), None).await.expect(502);
    assert_eq!(refused.json()["data"]["message"], "fault by carrier");
    let checked =
        json!({ "data": { "numbers": ["+16285550101", "+16285550102", "+16285550177", "+16285550178"] } });
    let path = format!("/accounts/{}/phone_numbers/check", id(&who));
    let told =
        ask(&api, Some(token(&who)), "POST", &path, Some(&checked.to_string())).await.expect(200).json();
    assert_eq!(
        told["data"],
        json!({ "+16285550101": "error", "+16285550102": "success", "+16285550177": "success", "+16285550178": "error" })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_has_its_area_codes() {
    let (api, _) = world().await;
    let found = ask(&api, None, "GET", "/phone_numbers/prefix?city=San%20Francisco", None).await.expect(200);
    assert_eq!(found.json()["data"], json!(["415", "628"]));
    ask(&api, None, "GET", "/phone_numbers/prefix?city=Atlantis", None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_asked_for_once() {
    let (api, asked) = world().await;
    let path = format!("/accounts/{}/phone_numbers/locality", id(&api.admin));
    let body = r#"{"data":{"numbers":["+14155550101","+14155550109"]}}"#;
    for _ in 0..3 {
        let told = ask(&api, Some(token(&api.admin)), "POST", &path, Some(body)).await.expect(200).json();
        assert_eq!(told["data"]["+14155550101"]["locality"]["locality"], "San Francisco");
        assert_eq!(told["data"]["+14155550109"]["status"], "error", "the provider knew nothing of it");
    }
    assert_eq!(asked.places.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_known_several_or_none() {
    let (api, _) = world().await;
    let who = &api.admin;
    let path = format!("/accounts/{}/phone_numbers/%2B12125550100", id(who));
    ask(&api, Some(token(who)), "PUT", &path, Some(r#"{"data":{"kept":1}}"#)).await.expect(201);
    let say = async |city: &str| {
        let address = json!({
            "postal_code": "94105", "street_address": "116 Natoma St", "extended_address": "Apt 116",
            "locality": city, "region": "CA",
        });
        let body = json!({ "data": { "used_by": "callflow", "id": "+12125550100", "dash_e911": address } });
        (ask(&api, Some(token(who)), "POST", &path, Some(&body.to_string())).await, address)
    };
    let (answer, address) = say("Nowhere").await;
    let told = answer.expect(400).json();
    assert_eq!((&told["message"], &told["error"]), (&json!("invalid data"), &json!("400")));
    let invalid = json!({ "cause": address, "message": "Location is not geocoded", "provider": "dash_e911" });
    assert_eq!(told["data"], json!({ "address": { "invalid": invalid } }));
    let (answer, address) = say("Springfield").await;
    let told = answer.expect(400).json();
    assert_eq!(told["message"], "multiple_choice");
    let choices =
        json!({ "cause": address, "details": [address, address], "message": "more than one address found" });
    assert_eq!(told["data"], json!({ "multiple_choice": { "dash_e911": choices } }));
    let (answer, _) = say("Silence").await;
    answer.expect(503);
    let row = ask(&api, Some(token(who)), "GET", &path, None).await.expect(200).json();
    assert_eq!(row["data"]["kept"], 1, "nothing was written");
    let (answer, _) = say("San Francisco").await;
    let told = answer.expect(200).json()["data"]["dash_e911"].clone();
    assert_eq!(
        told,
        json!({
            "street_address": "116 NATOMA ST", "extended_address": "Apt 116", "caller_name": "Valued Customer",
            "locality": "SAN FRANCISCO", "latitude": "37.786861", "longitude": "-122.399484",
            "location_id": "27578725", "plus_four": "3745", "postal_code": "94105", "region": "CA",
            "status": "PROVISIONED",
            "legacy_data": { "house_number": "116", "streetname": "NATOMA ST", "suite": "APT 116" },
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_has_so_many_activations() {
    let (api, _) = world().await;
    let path = format!("/accounts/{}/phone_numbers/%2B12125550100/activate", id(&api.admin));
    for _ in 0..3 {
        ask(&api, Some(token(&api.admin)), "PUT", &path, None).await.expect(404);
    }
    let refused = ask(&api, Some(token(&api.admin)), "PUT", &path, None).await.expect(429).json();
    assert_eq!(
        (&refused["message"], &refused["data"]["message"]),
        (&json!("too_many_requests"), &json!("too many requests"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_that_are_down_do_not_hide_what_is_here() {
    let api = Api::provided(Server::Sqlite, "http://127.0.0.1:9").await;
    let sql = format!(
        "INSERT INTO numbers (number, account_id, state) VALUES ('+16285550100', '{}', 'available')",
        id(&api.admin)
    );
    api.world.by_hand(&sql).unwrap();
    let found = ask(&api, None, "GET", "/phone_numbers?prefix=628&quantity=2", None).await.expect(200).json();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    ask(&api, None, "GET", "/phone_numbers/prefix?city=Rome", None).await.expect(503);
    let path = format!("/accounts/{}/phone_numbers/locality", id(&api.admin));
    ask(&api, Some(token(&api.admin)), "POST", &path, Some(r#"{"data":{"numbers":["+1"]}}"#))
        .await
        .expect(503);
}
