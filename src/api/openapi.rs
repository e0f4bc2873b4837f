//! The API's own form, as committed in `config/openapi.json` and served at `/openapi.json`.

/// The document.
pub const TEXT: &str = "{}";
