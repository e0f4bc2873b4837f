//! Errors as Kazoo's clients read them: a name, a code, and data of their own.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::api::service::{Refused, ServiceError};
use crate::store::{NumberState, StoreError, Word};
use crate::telemetry::chain;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// The HTTP status, which the body repeats as a text.
    pub(super) status: StatusCode,
    /// The error's name.
    pub(super) message: String,
    /// What goes with it.
    pub(super) data: Value,
    /// When it may be repeated with hope, in seconds.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: &str, data: Value) -> Self {
        let status = StatusCode::from_u16(status).expect("a status of ours");
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { status, message: message.to_owned(), data, retry_after }
    }

    fn plain(status: u16, name: &str, sentence: &str) -> Self {
        Self::new(status, name, json!({ "message": sentence }))
    }

    /// A number manager's error.
    fn of_number(status: u16, name: &str, sentence: &str, cause: Option<&str>) -> Self {
        let mut data = json!({ "code": status, "error": name, "message": sentence });
        if let Some(cause) = cause {
            data["cause"] = cause.into();
        }
        Self::new(status, name, data)
    }

    pub(super) fn invalid_credentials() -> Self {
        Self::plain(401, "invalid_credentials", "invalid credentials")
    }

    pub(super) fn forbidden() -> Self {
        Self::plain(403, "forbidden", "forbidden")
    }

    pub(super) fn no_such_path() -> Self {
        Self::plain(404, "not_found", "not found")
    }

    pub(super) fn wrong_method() -> Self {
        Self::plain(405, "invalid_method", "method not allowed")
    }

    /// The account's bucket is empty; in so many seconds there will be one in it.
    pub(super) fn too_many(seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::plain(429, "too_many_requests", "too many requests") }
    }

    /// There is no such number, or the asker is not to know of it: one and the same.
    pub(super) fn no_such_number() -> Self {
        let data = json!({ "message": "bad identifier", "not_found": "The number could not be found" });
        Self::new(404, "bad_identifier", data)
    }

    pub(super) fn bad_identifier() -> Self {
        Self::plain(404, "bad_identifier", "bad identifier")
    }

    pub(super) fn client_error(data: Value) -> Self {
        Self::new(400, "client error", data)
    }

    /// As documented, although it is no failure of the server.
    pub(super) fn may_not_add() -> Self {
        let data = json!({
            "message": "unknown failure",
            "unauthorized": "Not authorized to perform requested number operation",
        });
        Self::new(500, "unauthorized", data)
    }

    pub(super) fn not_reconcilable(given: &str) -> Self {
        let sentence = format!("number {given} is not reconcilable");
        Self::of_number(404, "not_reconcilable", &sentence, Some(given))
    }

    pub(super) fn forbidden_operation(cause: &str) -> Self {
        let sentence = "requestor is unauthorized to perform operation";
        Self::of_number(403, "forbidden", sentence, Some(cause))
    }

    /// A field that does not keep a rule.
    pub(super) fn field(field: &str, rule: &str, sentence: &str) -> Self {
        Self::fields(vec![(field.to_owned(), rule, json!({ "message": sentence }))])
    }

    /// Fields with the rules they do not keep.
    pub(super) fn fields(broken: Vec<(String, &str, Value)>) -> Self {
        let mut data = Map::new();
        for (field, rule, told) in broken {
            data.entry(field).or_insert_with(|| json!({}))[rule] = told;
        }
        Self::new(400, "invalid request", data.into())
    }

    /// A provider that is not there, or failed.
    pub(super) fn no_provider(sentence: &str) -> Self {
        Self::plain(503, "service_unavailable", sentence)
    }

    /// What the service says of one number.
    pub(super) fn of(error: Refused, number: &str) -> Self {
        match error {
            Refused::NotFound => Self::no_such_number(),
            Refused::Exists => {
                let sentence = format!("number {number} already exists");
                Self::of_number(409, "number_exists", &sentence, Some(number))
            }
            Refused::MayNotAdd => Self::may_not_add(),
            Refused::Forbidden(cause) => Self::forbidden_operation(&cause),
            Refused::Unchanged => Self::of_number(400, "no_change_required", "no change required", None),
            Refused::Transition(from, to) => Self::transition(from, to),
            Refused::Conflict => Self::plain(409, "datastore_conflict", "conflicting documents"),
            Refused::Service(error) => error.into(),
        }
    }

    fn transition(from: NumberState, to: NumberState) -> Self {
        let cause = format!("from {} to {}", from.word(), to.word());
        Self::of_number(400, "invalid_state_transition", "invalid state transition", Some(&cause))
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Field { field, problem } => {
                Self::field(field, "invalid", &format!("{field} {problem}"))
            }
            ServiceError::NotFound { .. } => Self::bad_identifier(),
            ServiceError::Taken { field, value, fix } => Self::new(
                409,
                "datastore_conflict",
                json!({ "message": format!("{field} `{value}` is taken: {fix}") }),
            ),
            ServiceError::Unobtainable(problem) => Self::of_number(400, "invalid", "invalid", Some(&problem)),
            // As theirs says that a plan or limit does not allow it; `service_restriction` in their document.
            ServiceError::Full { .. } => {
                Self::of_number(402, "service_restriction", &error.to_string(), None)
            }
            ServiceError::Forbidden("Provided Account is not active") => {
                Self::plain(423, "locked", "account disabled")
            }
            ServiceError::Forbidden(_) => Self::forbidden(),
            ServiceError::Unauthorized => Self::invalid_credentials(),
            ServiceError::TooMany(_) => Self::too_many(1),
            ServiceError::Store(store) => store.into(),
            other => {
                tracing::error!(error = chain(&other), "a Kazoo request failed");
                Self::plain(500, "unspecified_fault", "unspecified fault")
            }
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = chain(&error), "the store does not answer the API");
                Self::plain(503, "datastore_unreachable", "datastore timeout")
            }
            StoreError::Duplicate { .. } => Self::plain(409, "datastore_conflict", "conflicting documents"),
            StoreError::Constraint { .. } => {
                Self::new(400, "invalid request", json!({ "message": error.to_string() }))
            }
            StoreError::NotFound { .. } => Self::bad_identifier(),
            _ => {
                tracing::error!(error = chain(&error), "the store failed the API");
                Self::plain(503, "datastore_fault", "datastore fatal error")
            }
        }
    }
}
