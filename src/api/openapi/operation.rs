//! One operation: what it takes, what it answers, how it refuses.

use serde_json::{Map, Value, json};

use super::shape;

/// A dialect: how its parameters look, how it refuses, what its answers carry.
pub(super) struct Dialect {
    /// Its name, the operations' tag.
    pub(super) name: &'static str,
    /// The schema of a parameter of a query or form, of a path, or of a header.
    pub(super) parameter: fn(&str) -> Value,
    /// The component of its refusals.
    pub(super) refusal: &'static str,
    /// What every operation may answer beside its own.
    pub(super) always: &'static [u16],
    /// The credentials it takes; none: none are needed.
    pub(super) schemes: &'static [&'static str],
    /// Whether answers are XML, too.
    pub(super) xml: bool,
    /// Whether a wrong credential is told how to do better, and a body of another type is refused.
    pub(super) strict: bool,
}

/// One operation of a dialect.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [&'static str],
    needed: Option<&'static str>,
    headers: &'static [&'static str],
    body: Body,
    answers: [Option<(u16, Answer)>; 2],
    refusals: &'static [u16],
    carries: &'static [&'static str],
}

/// How a request carries what is to be written.
#[derive(Clone, Copy)]
enum Body {
    Nothing,
    /// Form-encoded; the names that must be there.
    Form(&'static [&'static str], &'static [&'static str]),
    /// JSON of a named shape.
    Json(&'static str),
}

/// What an answer's body is.
#[derive(Clone, Copy)]
enum Answer {
    Empty,
    Json(&'static str),
    Text(&'static str),
}

macro_rules! methods {
    ($($name:ident),*) => {$(
        /// An operation of this method.
        pub(super) const fn $name(path: &'static str, summary: &'static str) -> Operation {
            Operation {
                method: stringify!($name), path, summary,
                query: &[], needed: None, headers: &[], body: Body::Nothing, answers: [None, None], refusals: &[], carries: &[],
            }
        }
    )*};
}

methods!(get, post, put, patch, delete, options);

impl Operation {
    /// With parameters in the query.
    pub(super) const fn query(mut self, names: &'static [&'static str]) -> Self {
        self.query = names;
        self
    }

    /// With this one of them always there.
    pub(super) const fn needs(mut self, name: &'static str) -> Self {
        self.needed = Some(name);
        self
    }

    /// With headers that mean something.
    pub(super) const fn headers(mut self, names: &'static [&'static str]) -> Self {
        self.headers = names;
        self
    }

    /// With a form; `required` are the names that must be there.
    pub(super) const fn form(
        mut self,
        names: &'static [&'static str],
        required: &'static [&'static str],
    ) -> Self {
        self.body = Body::Form(names, required);
        self
    }

    /// With a JSON body.
    pub(super) const fn json(mut self, shape: &'static str) -> Self {
        self.body = Body::Json(shape);
        self
    }

    /// Answers 200 with this shape.
    pub(super) const fn gives(self, shape: &'static str) -> Self {
        self.answers(200, shape)
    }

    /// Answers 201 with this shape.
    pub(super) const fn makes(self, shape: &'static str) -> Self {
        self.answers(201, shape)
    }

    /// Answers with this status and shape, beside what was said before.
    pub(super) const fn answers(mut self, status: u16, shape: &'static str) -> Self {
        self.answers[if self.answers[0].is_some() { 1 } else { 0 }] = Some((status, Answer::Json(shape)));
        self
    }

    /// Answers without a body.
    pub(super) const fn nothing(mut self, status: u16) -> Self {
        self.answers[0] = Some((status, Answer::Empty));
        self
    }

    /// Answers 200 with a text of this type.
    pub(super) const fn text(mut self, media: &'static str) -> Self {
        self.answers[0] = Some((200, Answer::Text(media)));
        self
    }

    /// Refuses in these ways, beside those of the dialect and those that follow from what it takes.
    pub(super) const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    /// Its success always has these headers.
    pub(super) const fn carries(mut self, names: &'static [&'static str]) -> Self {
        self.carries = names;
        self
    }

    /// Enters it below `base`; what is there already stays.
    pub(super) fn enter(&self, paths: &mut Map<String, Value>, base: &str, dialect: &Dialect) {
        let item = paths.entry(format!("{base}{}", self.path)).or_insert_with(|| json!({}));
        if item.get(self.method).is_none() {
            item[self.method] = self.print(dialect);
        }
    }

    /// The same at the path without `prefix`; `None`: it has no such.
    pub(super) fn without(mut self, prefix: &str) -> Option<Self> {
        self.path = self.path.strip_prefix(prefix)?;
        Some(self)
    }

    /// Whether it speaks of Kazoo's numbers.
    pub(super) fn is_of_numbers(&self) -> bool {
        self.path.starts_with("/phone_numbers")
    }

    fn print(&self, dialect: &Dialect) -> Value {
        let mut operation = json!({
            "tags": [dialect.name],
            "summary": self.summary,
            "responses": self.responses(dialect),
        });
        let parameters = self.parameters(dialect);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.request_body(dialect) {
            operation["requestBody"] = body;
        }
        if !dialect.schemes.is_empty() {
            operation["security"] = dialect.schemes.iter().map(|scheme| json!({ *scheme: [] })).collect();
        }
        operation
    }

    fn parameters(&self, dialect: &Dialect) -> Vec<Value> {
        let named = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let path = named.map(|name| {
            let schema = (dialect.parameter)(&format!("{{{name}}}"));
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        });
        let query = self
            .query
            .iter()
            .map(|name| json!({ "name": name, "in": "query", "schema": (dialect.parameter)(name) }));
        let headers = self
            .headers
            .iter()
            .map(|name| json!({ "name": name, "in": "header", "schema": (dialect.parameter)(name) }));
        path.chain(query).chain(headers).collect()
    }

    fn request_body(&self, dialect: &Dialect) -> Option<Value> {
        match self.body {
            Body::Nothing => None,
            Body::Form(names, required) => {
                let properties: Map<String, Value> =
                    names.iter().map(|name| ((*name).to_owned(), (dialect.parameter)(name))).collect();
                let mut schema = json!({ "type": "object", "properties": properties });
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                let media = "application/x-www-form-urlencoded";
                Some(json!({ "content": { media: { "schema": schema } }, "required": !required.is_empty() }))
            }
            Body::Json(name) => {
                Some(json!({ "content": { "application/json": { "schema": shape::named(name) } } }))
            }
        }
    }

    fn responses(&self, dialect: &Dialect) -> Value {
        let mut responses = Map::new();
        for (status, answer) in self.answers.iter().flatten() {
            responses.insert(status.to_string(), self.success(dialect, *answer));
        }
        for status in self.refused(dialect) {
            let name = format!("{}{status}", dialect.name);
            let shared = || json!({ "$ref": format!("#/components/responses/{name}") });
            responses.entry(status.to_string()).or_insert_with(shared);
        }
        responses.into()
    }

    fn success(&self, dialect: &Dialect, answer: Answer) -> Value {
        let mut response = json!({ "description": "Done" });
        match answer {
            Answer::Empty => {}
            Answer::Json(name) => {
                response["content"]["application/json"]["schema"] = shape::named(name);
                if dialect.xml {
                    response["content"]["application/xml"] = json!({});
                }
            }
            Answer::Text(media) => response["content"][media]["schema"] = shape::text(),
        }
        for name in self.carries {
            response["headers"][*name] = json!({ "required": true, "schema": header(name) });
        }
        response
    }

    /// The statuses of its refusals: those of the dialect, of its form, and its own.
    fn refused(&self, dialect: &Dialect) -> Vec<u16> {
        let mut statuses: Vec<u16> = dialect.always.iter().chain(self.refusals).copied().collect();
        if self.path.contains('{') {
            statuses.extend([400, 404]);
        }
        if !self.query.is_empty() {
            statuses.push(400);
        }
        if !dialect.schemes.is_empty() {
            statuses.push(401);
        }
        match self.body {
            Body::Nothing => {}
            Body::Form(..) => statuses.extend([400, 408, 413, 415]),
            Body::Json(_) if dialect.strict => statuses.extend([400, 408, 413, 415]),
            Body::Json(_) => statuses.extend([400, 408, 413]),
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

impl Dialect {
    /// The components of its refusals, one a status.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (String, Value)> {
        STATUSES.iter().map(|(status, _)| (format!("{}{status}", self.name), refusal(self, *status)))
    }
}

fn refusal(dialect: &Dialect, status: u16) -> Value {
    let mut response = json!({ "description": STATUSES.iter().find(|(known, _)| *known == status).map(|(_, reason)| *reason) });
    response["content"]["application/json"]["schema"] = shape::named(dialect.refusal);
    if dialect.xml {
        response["content"]["application/xml"] = json!({});
    }
    let needed = match status {
        401 if dialect.strict => Some("WWW-Authenticate"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    if let Some(name) = needed {
        response["headers"][name] = json!({ "required": true, "schema": header(name) });
    }
    response
}

fn header(name: &str) -> Value {
    match name {
        "X-Callgate-Generation" | "Retry-After" => json!({ "type": "integer", "minimum": 0 }),
        "ETag" => json!({ "type": "string", "pattern": "^\"[0-9a-f]+\"$" }),
        _ => shape::text(),
    }
}

/// The statuses of refusals, with what each says.
const STATUSES: &[(u16, &str)] = &[
    (400, "What was sent cannot be used; the message names the field and the fix"),
    (401, "Credentials are missing or wrong"),
    (402, "The account has all it may have (max_numbers, max_patterns)"),
    (
        403,
        "The asker may not, or, in Restcomm's dialect, the account has all it may have (DID_QUOTA_EXCEEDED)",
    ),
    (404, "There is no such thing, or not for the asker"),
    (408, "The body came too slowly"),
    (
        409,
        "Something is in the way, which the message names: another row, or the account's max_numbers or max_patterns",
    ),
    (412, "The row was changed since it was read"),
    (413, "The body is larger than http.max-body-bytes"),
    (415, "The body is of another type than the one described"),
    (422, "The Idempotency-Key was used for another request"),
    (423, "The account is not active"),
    (429, "Too many: repeat later"),
    (500, "A fault of callgate's own, which the log tells more of"),
    (502, "The provider failed"),
    (503, "Not now: overloaded, or the store or a provider is away"),
    (504, "Not within the time"),
];
