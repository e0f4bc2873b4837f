//! Why the service refused, in words of the model; each dialect says it in its own form.

use crate::store::StoreError;

/// Why the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A field holds what it may not.
    #[error("{field} {problem}")]
    Field {
        /// The column's name, as `voice_url`.
        field: &'static str,
        /// What is wrong and what to do, as a predicate: "is `x`: use …".
        problem: String,
    },
    /// Such a row is not there, or not the asker's.
    #[error("there is no {kind} `{id}` here")]
    NotFound {
        /// `number`, `application`, …
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// Another row is in the way.
    #[error("{field} `{value}` is taken: {fix}")]
    Taken {
        /// The column's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        fix: &'static str,
    },
    /// The number is not to be had: not in the inventory, or of the wrong kind.
    #[error("{0}")]
    Unobtainable(String),
    /// The account has all it may have.
    #[error("the account may have {most} at most ({name}): release one, or have the cap raised")]
    Full {
        /// The cap's column.
        name: &'static str,
        /// How many it allows.
        most: u64,
    },
    /// The account asks too often.
    #[error("the account may send {0} requests a second (max_requests_per_second): repeat in a second")]
    TooMany(u32),
    /// The asker may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The asker is not who it says, or says nothing.
    #[error("the account or its auth token is not right")]
    Unauthorized,
    /// Something of ours failed; the log has more.
    #[error("{0}")]
    Failed(&'static str),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceError {
    /// A field with what is wrong about it.
    pub fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field { field, problem: problem.into() }
    }

    /// Nothing there.
    pub fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }
}
