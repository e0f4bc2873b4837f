//! Why a number does not go where it was to go.

use super::ServiceError;
use crate::store::NumberState;

/// Why a number does not go where it was to go.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is none, or the asker is not to know of it.
    #[error("the number could not be found")]
    NotFound,
    /// Somebody has it.
    #[error("the number already exists")]
    Exists,
    /// The asker may not add numbers.
    #[error("the account may not add numbers")]
    MayNotAdd,
    /// The asker may not do this, for the reason.
    #[error("{0}")]
    Forbidden(String),
    /// It is so already.
    #[error("no change required")]
    Unchanged,
    /// Its state does not lead there.
    #[error("invalid state transition from {0:?} to {1:?}")]
    Transition(NumberState, NumberState),
    /// Somebody changed it at the same moment.
    #[error("the number changed meanwhile")]
    Conflict,
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<crate::store::StoreError> for Refused {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Service(error.into())
    }
}
