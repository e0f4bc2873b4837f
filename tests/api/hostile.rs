//! Requests that no client of good will sends: each is answered in its dialect's own words, none by a fault.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Credentials, over_tcp, request};
use crate::contract::DOCUMENT;
use crate::on_both_servers;
use crate::world::Api;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

on_both_servers!(
    no_text_holds_nul,
    what_is_no_utf_8_is_refused,
    numbers_beyond_counting_are_refused,
    a_body_of_another_type_is_refused,
    json_without_end_is_refused,
    a_method_that_a_path_does_not_take_is_405_with_those_it_takes,
);

/// The lists of each dialect.
fn lists(api: &Api) -> [String; 4] {
    let id = &api.admin.sid[2..];
    [
        api.admin.numbers(),
        format!("/v2/accounts/{id}/phone_numbers"),
        "/api/confd/1.1/phone-numbers".to_owned(),
        "/admin/v1/numbers".to_owned(),
    ]
}

async fn send(api: &Api, method: Method, path: &str, body: Option<(&str, String)>) -> Answer {
    let mut request = request(&api.admin.credentials, method, path, body);
    // Kazoo takes no Basic credentials.
    if path.starts_with("/v2") {
        let Credentials(Some((_, token))) = &api.admin.credentials else { unreachable!() };
        request.headers_mut().remove("authorization");
        request.headers_mut().insert("x-auth-token", token.parse().unwrap());
    }
    over_tcp(api.address, request).await
}

async fn no_text_holds_nul(api: Api) {
    for list in lists(&api) {
        let answer =
            send(&api, Method::GET, &format!("{list}?PhoneNumber=a%00b&filter_a=%00&search=%00"), None).await;
        assert_eq!(answer.status, 400, "{list}: {}", answer.text);
        let answer = send(&api, Method::GET, &format!("{list}/a%00b").replace(".json/", "/"), None).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{list}: {} {}", answer.status, answer.text);
    }
    let [restcomm, kazoo, wazo, admin] = lists(&api);
    for (path, media, body) in [
        (restcomm, FORM, "PhoneNumber=%2B16505550100&FriendlyName=a%00b"),
        (kazoo.clone() + "/collection", JSON, r#"{"data":{"numbers":["+1\u0000"]}}"#),
        (kazoo + "/+16505550100", JSON, r#"{"data":{"mine":{"deep":["\u0000"]}}}"#),
        (wazo, JSON, r#"{"number":"1","caller_id_name":"a\u0000"}"#),
        (admin, JSON, r#"{"number":"+16505550100","friendly_name":"a\u0000"}"#),
    ] {
        let method = if path.starts_with("/v2") { Method::PUT } else { Method::POST };
        let answer = send(&api, method, &path, Some((media, body.to_owned()))).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    }
}

async fn what_is_no_utf_8_is_refused(api: Api) {
    for list in lists(&api) {
        let answer = send(&api, Method::GET, &format!("{list}?PhoneNumber=%ff%fe"), None).await;
        assert_eq!(answer.status, 400, "{list}: {}", answer.text);
        let answer = send(&api, Method::GET, &format!("{list}/%ff").replace(".json/", "/"), None).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{list}: {} {}", answer.status, answer.text);
    }
    for (path, media) in [(api.admin.numbers(), FORM), ("/admin/v1/numbers".to_owned(), JSON)] {
        let mut request = request(&api.admin.credentials, Method::POST, &path, Some((media, String::new())));
        *request.body_mut() = Full::new(Bytes::from_static(b"{\"number\":\"\xff\xfe\"}"));
        assert_eq!(over_tcp(api.address, request).await.status, 400, "{path}");
    }
}

async fn numbers_beyond_counting_are_refused(api: Api) {
    let [restcomm, kazoo, wazo, admin] = lists(&api);
    for huge in ["18446744073709551615", "9223372036854775808", "99999999999999999999999", "-1", "1e3"] {
        for path in [
            format!("{restcomm}?Page={huge}"),
            format!("{kazoo}?page_size={huge}"),
            format!("{wazo}?offset={huge}"),
            format!("{admin}?offset={huge}"),
            format!("/v2/phone_numbers?prefix=415&offset={huge}"),
        ] {
            let answer = send(&api, Method::GET, &path, None).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        }
    }
    for path in [format!("{admin}?offset={}", i64::MAX), format!("{wazo}?offset={}", i64::MAX)] {
        send(&api, Method::GET, &path, None).await.expect(200);
    }
}

async fn a_body_of_another_type_is_refused(api: Api) {
    for (path, media, body) in [
        (api.admin.numbers(), JSON, r#"{"PhoneNumber":"+16505550100"}"#),
        (api.admin.numbers(), "text/plain", "PhoneNumber=+16505550100"),
        ("/admin/v1/trunks".to_owned(), FORM, "name=a"),
        ("/admin/v1/trunks".to_owned(), "application/xml", "<a/>"),
    ] {
        let answer = send(&api, Method::POST, &path, Some((media, body.to_owned()))).await;
        assert_eq!(answer.status, 415, "{path}: {}", answer.text);
    }
    let large = "a".repeat(2_000_000);
    for path in lists(&api) {
        let method = if path.starts_with("/v2") { Method::PUT } else { Method::POST };
        let path = if path.starts_with("/v2") { path + "/collection" } else { path };
        let media = if path.starts_with("/restcomm") { FORM } else { JSON };
        let answer = send(&api, method, &path, Some((media, large.clone()))).await;
        assert_eq!(answer.status, 413, "{path}: {}", answer.text);
    }
}

async fn json_without_end_is_refused(api: Api) {
    let [_, kazoo, wazo, admin] = lists(&api);
    let deep = |opening: &str, times: usize| opening.repeat(times);
    for body in
        [deep("[", 100_000), deep("{\"a\":", 50_000), deep("{\"data\":", 50_000), "{\"number\":1e999}".into()]
    {
        for (method, path) in [
            (Method::PUT, kazoo.clone() + "/collection"),
            (Method::POST, wazo.clone()),
            (Method::POST, admin.clone()),
        ] {
            let answer = send(&api, method, &path, Some((JSON, body.clone()))).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        }
    }
    // Of two keys that are one the last counts, as everywhere in JSON here.
    let twice = r#"{"name":"first","name":"second","sources":"192.0.2.9"}"#;
    let made = send(&api, Method::POST, "/admin/v1/trunks", Some((JSON, twice.to_owned()))).await.expect(201);
    assert_eq!(made.json()["name"], "second");
}

/// Each path of the document with each method that it does not have there: the answer's `Allow` has the
/// others, which the contract looks at.
async fn a_method_that_a_path_does_not_take_is_405_with_those_it_takes(api: Api) {
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    let mut refused = 0;
    for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template.replace("{account}", &api.admin.sid).replace("{country}", "US");
        let path = path.replace(['{', '}'], "_");
        for method in &methods {
            if item.get(method.as_str().to_lowercase()).is_none() {
                let answer = send(&api, method.clone(), &path, None).await;
                let preflight = *method == Method::OPTIONS && path.starts_with("/v2");
                assert_eq!(
                    answer.status,
                    if preflight { 200 } else { 405 },
                    "{method} {path}: {}",
                    answer.text
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 400, "{refused}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let api = Api::new(crate::servers::Server::Sqlite).await;
    for (head, status) in [
        (format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(300_000)), "431"),
        (format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(100_000)), "431"),
        (format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(20_000)), "200"),
        (format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(2_000)), "431"),
        ("GET /\u{1}\u{2} HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "400"),
        ("NONSENSE\r\n\r\n".to_owned(), "400"),
    ] {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        // It may be answered before all of it was written.
        if stream.write_all(head.as_bytes()).await.is_err() {
            eprintln!("closed while it was written");
        }
        let mut answer = vec![0; 64];
        let read = stream.read(&mut answer).await.unwrap();
        let line = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {line}");
    }
}

/// Requests that a browser's page could be tricked into are of no use: they carry no credentials.
#[tokio::test]
async fn without_credentials_nothing_is_told() {
    let api = Api::new(crate::servers::Server::Sqlite).await;
    for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("security").is_none() {
                continue;
            }
            let path = template.replace("{account}", &api.admin.sid).replace(['{', '}'], "_");
            let method: Method = method.to_uppercase().parse().unwrap();
            let bare: Request<Full<Bytes>> = request(&Credentials::default(), method.clone(), &path, None);
            let answer = over_tcp(api.address, bare).await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
        }
    }
}
