//! A delivery of long ago, tried once more because somebody asks for it: from its row, as the journal
//! has forgotten it by then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::config::Config;
use super::receiver::Result as TryResult;
use super::request::judge;
use crate::outbound::{BadUrl, Client, Identity, Params, Request, Target};
use crate::routing::model::{Hook, SigningKeys};

/// What is sent, and as what.
#[derive(Clone, Debug)]
pub struct Replay {
    /// `webhook-id`: that of the event, so that a receiver that has it knows.
    pub id: String,
    /// Where to, as stored.
    pub hook: Hook,
    /// What a relative URL resolves against.
    pub base_url: Arc<str>,
    /// The parameters as they were, form-encoded.
    pub form: String,
    /// A POST's own query goes into its body.
    pub query_in_body: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The receiver took it (2xx).
    pub taken: bool,
    /// When it began.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// What went wrong, in words; empty after a success.
    pub error: String,
}

/// One try, now, signed with `keys`, for 15 s at most.
pub async fn replay(client: &Client, keys: &SigningKeys, replay: &Replay) -> Replayed {
    let (at, began) = (SystemTime::now(), Instant::now());
    let (result, status, error) = match request(keys, replay, at) {
        Err(error) => (TryResult::Unsendable, None, error.to_string()),
        Ok(request) => {
            let answer = client.send(&request, began + Config::default().attempt).await;
            judge(&answer, SystemTime::now())
        }
    };
    Replayed { taken: result == TryResult::Taken, at, took: began.elapsed(), status, error }
}

fn request(keys: &SigningKeys, replay: &Replay, now: SystemTime) -> Result<Request, BadUrl> {
    let target = Arc::new(Target::parse(&replay.hook.url, Some(&replay.base_url))?);
    let mut params = Params::default();
    for (name, value) in form_urlencoded::parse(replay.form.as_bytes()) {
        params.push(name, value);
    }
    let identity = Identity { id: &replay.id, keys, now };
    Request::signed(target, replay.hook.method, &params, identity, replay.query_in_body)
}
