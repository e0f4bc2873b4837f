//! What the two processes say to each other.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Progress, UpgradeError};
use crate::net::Line;

/// Says one word.
///
/// # Errors
/// The other has ended.
pub async fn say(line: &Line, word: &Value) -> io::Result<()> {
    line.send(word.to_string().as_bytes(), None).await
}

/// The next word, what it was to do having failed where it says so. Generations that are live over there
/// are noted on the way.
///
/// # Errors
/// It has ended, is about to, or was too slow.
pub async fn hear(
    line: &Line,
    progress: &Progress,
    what: &'static str,
    within: Duration,
) -> Result<Value, UpgradeError> {
    let deadline = Instant::now() + within;
    loop {
        let heard =
            timeout_at(deadline, line.receive()).await.map_err(|_| UpgradeError::Slow(what, within))??;
        let Some((text, _)) = heard else { return Err(UpgradeError::Ended(String::new())) };
        let word: Value = serde_json::from_slice(&text).map_err(io::Error::from)?;
        if let Some(generation) = word["live"].as_u64() {
            progress.ahead(Some(generation));
        } else if let Some(why) = word["failed"].as_str() {
            return Err(UpgradeError::Refused(why.to_owned()));
        } else if word == "leaving" {
            return Err(UpgradeError::Leaving);
        } else {
            return Ok(word);
        }
    }
}
