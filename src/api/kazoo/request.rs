//! A request as Kazoo reads it: a method that may be tunnelled, a token that may stand in four places, an
//! envelope around the data.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::members::{Members, of_another_type};
use super::refusal::Refusal;
use crate::api::auth::bearer;
use crate::api::body;
use crate::api::server::Peer;
use crate::api::state::Api;
use crate::store::random_id;

/// One request, read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// The path's parts after the version, decoded.
    pub(super) path: Vec<String>,
    /// The last value of each parameter; of a [`COUNTS`] all of them, parted by commas.
    pub(super) query: BTreeMap<String, String>,
    /// The credentials, where there are any.
    pub(super) token: Option<String>,
    /// The command line's socket: no credentials are needed.
    pub(super) local: bool,
    pub(super) id: String,
    /// What the body's envelope holds beside the data.
    pub(super) envelope: Map<String, Value>,
    /// The envelope's data; `None`: no body.
    pub(super) data: Option<Value>,
}

/// The parameters of a query that are whole numbers.
pub(super) const COUNTS: [&str; 3] = ["page_size", "quantity", "offset"];

/// The most characters a request may give itself as its identifier.
const LONGEST_ID: usize = 64;

impl Asked {
    /// Reads all but the body.
    pub(super) fn head(request: &Request<Body>) -> Result<Self, Refusal> {
        if let Some(problem) = body::unreadable(request.uri().query().unwrap_or_default().as_bytes()) {
            return Err(Refusal::field("query", "type", &format!("the query {problem}")));
        }
        if body::unreadable(request.uri().path().as_bytes()).is_some() {
            return Err(Refusal::no_such_path());
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(|text| text.into_owned());
        let rest = request.uri().path().trim_start_matches("/v2").trim_matches('/');
        let path: Result<Vec<String>, _> =
            rest.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let query = parameters(request.uri().query().unwrap_or_default());
        let headers = request.headers();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let bearer = header(header::AUTHORIZATION.as_str()).and_then(bearer);
        let token = header("x-auth-token").or(bearer).map(str::to_owned);
        let token = token.or_else(|| query.get("auth_token").cloned()).filter(|token| !token.is_empty());
        let plain =
            |id: &&str| id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let id = header("x-request-id").filter(|id| !id.is_empty()).filter(plain).map(str::to_owned);
        let id = match id {
            Some(id) => id,
            None => format!(
                "{:032x}",
                random_id().map_err(|error| Refusal::from(crate::store::StoreError::from(error)))?
            ),
        };
        Ok(Self {
            method: request.method().clone(),
            path: path.map_err(|_| Refusal::no_such_path())?,
            query,
            token,
            local: request.extensions().get::<Peer>() == Some(&Peer::Local),
            id,
            envelope: Map::new(),
            data: None,
        })
    }

    /// A request that could not be read at all.
    pub(super) fn unread(method: &Method) -> Self {
        Self {
            method: method.clone(),
            path: Vec::new(),
            query: BTreeMap::new(),
            token: None,
            local: false,
            id: String::new(),
            envelope: Map::new(),
            data: None,
        }
    }

    /// Reads the body, whatever it says its type is: curl's own is a form's. `bare`: an object without members
    /// is as good as no body.
    pub(super) async fn read(&mut self, body: Body, api: &Api, bare: bool) -> Result<(), Refusal> {
        let bytes = body::read(body, api).await.map_err(|error| {
            let name = match error.status.as_u16() {
                413 => "request_too_large",
                408 => "request_timeout",
                _ => "parse_error",
            };
            Refusal::new(error.status.as_u16(), name, json!({ "message": error.message }))
        })?;
        let opened = if bytes.trim_ascii().is_empty() { Ok(()) } else { self.open(&bytes, bare) };
        self.tunnel();
        opened
    }

    fn open(&mut self, bytes: &[u8], bare: bool) -> Result<(), Refusal> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            let told = json!({ "message": "Failed to parse request body", "cause": error.to_string() });
            Refusal::fields(vec![("json".to_owned(), "invalid", told)])
        })?;
        if body::holds_nul(&value) {
            let told = json!({ "message": "Failed to parse request body", "cause": "a text holds NUL" });
            return Err(Refusal::fields(vec![("json".to_owned(), "invalid", told)]));
        }
        let Value::Object(members) = value else { return Err(no_data()) };
        if members.is_empty() && bare {
            return Ok(());
        }
        self.envelope = members.into_iter().map(|(name, value)| (snake(&name), value)).collect();
        self.data = self.envelope.remove("data").filter(|data| !data.is_null());
        let mut beside = Members::of(&self.envelope);
        let token = beside.words("auth_token").map(str::to_owned);
        beside.text("verb");
        let read = beside.done();
        self.token = self.token.take().or(token);
        if self.data.is_none() { Err(no_data()) } else { read }
    }

    /// `verb` in a POST names the method that is meant.
    fn tunnel(&mut self) {
        let verb = self.query.get("verb").map(String::as_str);
        let verb = verb.or_else(|| self.envelope.get("verb").and_then(Value::as_str));
        if self.method == Method::POST
            && let Some(verb) = verb
            && let Ok(method) = verb.to_ascii_uppercase().parse()
        {
            self.method = method;
        }
    }

    /// A request value: in the data, then the query, then the envelope.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let in_data = self.data.as_ref().and_then(|data| data.get(name)).cloned();
        let in_query = || self.query.get(name).map(|text| Value::String(text.clone()));
        in_data.or_else(in_query).or_else(|| self.envelope.get(name).cloned())
    }

    /// The data as an object; none is an empty one.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match &self.data {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object.clone()),
            Some(_) => Err(Refusal::field("data", "type", "Value did not match type(s): object")),
        }
    }

    /// A request value that is a text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::fields(vec![(name.to_owned(), "type", of_another_type("string"))])),
        }
    }

    /// A parameter of the query that is a whole number.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let bad = || Refusal::field(name, "type", "Value did not match type(s): integer");
        // The stores count no further than this.
        let count = text.parse().ok().filter(|count| *count <= i64::MAX.unsigned_abs());
        count.map(Some).ok_or_else(bad)
    }
}

/// The last value of each parameter. A count that is given more than once is none: all of its values stay.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut read: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
        match read.get_mut(&name) {
            Some(before) if COUNTS.contains(&name.as_str()) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => drop(read.insert(name, value)),
        }
    }
    read
}

fn no_data() -> Refusal {
    let told = json!({
        "message": "All JSON requests must include the 'data' key at the top level", "target": "data",
    });
    Refusal::fields(vec![("data".to_owned(), "required", told)])
}

/// `AuthToken` and `auth-token` are `auth_token`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for (at, c) in name.char_indices() {
        match c {
            '-' | ' ' => out.push('_'),
            c if c.is_ascii_uppercase() => {
                if at > 0 && !out.ends_with('_') {
                    out.push('_');
                }
                out.push(c.to_ascii_lowercase());
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, body: &str) -> Result<Asked, Refusal> {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        let mut asked = Asked::head(&request)?;
        if !body.is_empty() {
            asked.open(body.as_bytes(), uri.ends_with("/activate"))?;
        }
        asked.tunnel();
        Ok(asked)
    }

    #[test]
    fn a_path_is_decoded_once() {
        let asked = asked("GET", "/v2/accounts/a/phone_numbers/%2B12125550123/identify", "").unwrap();
        assert_eq!(asked.path, ["accounts", "a", "phone_numbers", "+12125550123", "identify"]);
        assert_eq!(
            super::Asked::head(&Request::get("/v2/%252B1").body(Body::empty()).unwrap()).unwrap().path,
            ["%2B1"]
        );
        assert_eq!(
            super::Asked::head(&Request::get("/v2/+1").body(Body::empty()).unwrap()).unwrap().path,
            ["+1"]
        );
    }

    #[test]
    fn the_envelopes_keys_are_read_in_any_spelling() {
        let asked =
            asked("POST", "/v2/x?quality=low", r#"{"Data":{"a":1},"AuthToken":"t","accept-charges":true}"#)
                .unwrap();
        assert_eq!(asked.token.as_deref(), Some("t"));
        assert_eq!(asked.value("accept_charges"), Some(json!(true)));
        assert_eq!(asked.value("quality"), Some(json!("low")));
        assert_eq!(asked.object().unwrap()["a"], 1);
    }

    #[test]
    fn a_verb_is_tunnelled_through_post_alone() {
        assert_eq!(asked("POST", "/v2/x?verb=put", "").unwrap().method, Method::PUT);
        assert_eq!(asked("POST", "/v2/x", r#"{"data":{},"verb":"DELETE"}"#).unwrap().method, Method::DELETE);
        assert_eq!(asked("GET", "/v2/x?verb=put", "").unwrap().method, Method::GET);
    }

    #[test]
    fn a_body_without_data_is_refused() {
        for none in [r#"{"foo":1}"#, "{}", r#"{"data":null}"#, r#"{"auth_token":"x"}"#] {
            let refusal = asked("PUT", "/v2/x", none).unwrap_err();
            assert_eq!(refusal.data["data"]["required"]["target"], "data", "{none}");
        }
        for (uri, empty) in [("/v2/x", ""), ("/v2/x", r#"{"data":{}}"#), ("/v2/x/activate", "{}")] {
            assert!(asked("PUT", uri, empty).unwrap().object().unwrap().is_empty(), "{empty}");
        }
        assert!(asked("PUT", "/v2/x/activate", r#"{"auth_token":"x"}"#).is_err());
        for (member, told) in [("auth_token", "3"), ("verb", "[]")] {
            let body = format!(r#"{{"data":{{}},"{member}":{told}}}"#);
            assert!(asked("POST", "/v2/x", &body).unwrap_err().data[member]["type"].is_object(), "{body}");
        }
        assert!(asked("PUT", "/v2/x", "{").unwrap_err().data["json"]["invalid"]["cause"].is_string());
        assert!(asked("PUT", "/v2/x", "[1]").is_err());
    }
}
