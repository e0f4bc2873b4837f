//! What the API does to calls: told to every shard, as only the one that has the call knows it.

use tokio::sync::mpsc::Sender;

use super::shard::Command;
use crate::api::{BoxFuture, CallControl};
use crate::ids::CallSid;
use crate::routing::model::Hook;

/// The shards' ends.
pub struct Control(Vec<Sender<Command>>);

impl Control {
    /// Over these.
    #[must_use]
    pub const fn new(shards: Vec<Sender<Command>>) -> Self {
        Self(shards)
    }

    async fn tell(&self, command: impl Fn() -> Command) {
        for shard in &self.0 {
            if shard.send(command()).await.is_err() {
                tracing::error!("a shard is gone");
            }
        }
    }
}

impl CallControl for Control {
    fn hang_up(&self, call: CallSid) -> BoxFuture<'_, ()> {
        Box::pin(self.tell(move || Command::Hangup(call)))
    }

    fn go_on(&self, call: CallSid, hook: Hook) -> BoxFuture<'_, ()> {
        Box::pin(self.tell(move || Command::GoOn(call, hook.clone())))
    }
}
