//! The Kazoo dialect, `/v2`: thin over `service`.
//!
//! - `request`: methods, tokens and envelopes as clients send them. `members`: what objects hold, by type. `place`: what a path names.
//! - `answer`: the envelope of an answer. `refusal`: errors.
//! - `serve`: one request, gate by gate. `numbers`, `collection`, `list`, `inventory`, `login`, `tree`: the operations.
//! - `document`, `columns`, `fields`: a number as a document, and back. `filter`: which documents a list keeps.
//! - `normalize`, `classify`: how texts are read as numbers. `e911`: addresses for emergency calls.

mod answer;
mod classify;
mod collection;
mod columns;
mod document;
mod e911;
mod fields;
mod filter;
mod inventory;
mod list;
mod login;
mod members;
mod normalize;
mod numbers;
pub(super) mod place;
mod refusal;
mod request;
mod serve;
mod tree;

pub(super) use fields::FIRST_STATES;
pub(super) use serve::serve;

/// The members of a number's data that mean something beside the client's own.
pub(super) const NUMBER: &[&str] = &[
    "create_with_state",
    "carrier_name",
    "cnam",
    "prepend",
    "failover",
    "ringback",
    "force_outbound",
    "dash_e911",
    "e911",
    "friendly_name",
    "voice_url",
    "voice_method",
    "voice_fallback_url",
    "voice_fallback_method",
    "voice_application_sid",
    "status_callback",
    "status_callback_method",
    "fallback_target",
];

/// The members of a request about many numbers.
pub(super) const NUMBERS: &[&str] = &["numbers"];

/// The parameters of a list; `filter_KEY` and `filter_not_KEY` take any key.
pub(super) const LIST: &[&str] = &[
    "filter_state",
    "filter_assigned_to",
    "filter_used_by",
    "filter_not_state",
    "has_key",
    "key_missing",
    "has_value",
    "value_missing",
    "created_from",
    "created_to",
    "modified_from",
    "modified_to",
    "page_size",
    "start_key",
    "paginate",
    "prefix",
    "quantity",
    "offset",
    "country",
];
