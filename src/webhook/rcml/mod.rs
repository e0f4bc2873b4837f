//! The document that comes back: RCML, read strictly, since what is wrong in it must not become a
//! call to the wrong place.
//!
//! - `tree`: bytes to elements, with limits and without DTD. `verbs`: elements to instructions.
//!   `dial`: `<Dial>` and its nouns. `values`: attributes and texts to what they mean.
//!
//! One liberty is taken, because documents in the field rely on it: an `&` that begins no reference
//! (`?X-A=1&X-B=2`) stands for itself.

mod dial;
mod tree;
mod values;
mod verbs;

use crate::call::instructions::Document;
use crate::outbound::Target;
use crate::reason::Reason;

/// Why a body is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// Not well-formed, or XML that is not read here: a DTD, another encoding.
    #[error("not well-formed XML: {0}")]
    NotXml(String),
    /// Too deep or too many.
    #[error("the document passes a limit: {0}")]
    TooLarge(&'static str),
    /// XML, but not ours.
    #[error("no RCML: {0}")]
    NotRcml(String),
}

impl Error {
    /// The reason code that users see.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::WebhookEmpty,
            Self::NotXml(_) => Reason::WebhookNotXml,
            Self::TooLarge(_) => Reason::WebhookTooLarge,
            Self::NotRcml(_) => Reason::WebhookNotRcml,
        }
    }
}

/// Reads a body; URLs in it are resolved against the target that answered.
///
/// # Errors
/// The body is no document that can be carried out.
pub fn parse(body: &[u8], target: &Target) -> Result<Document, Error> {
    verbs::document(&tree::read(body)?, target)
}

#[cfg(test)]
mod tests;
