//! What the API does to calls: told to every shard, as only the one that has the call knows it.

use tokio::sync::mpsc::Sender;

use super::shard::Command;
use std::net::IpAddr;
use std::sync::Arc;

use crate::api::{self, BanNote, BoxFuture, CallControl};
use crate::ids::CallSid;
use crate::net::Edge;
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

/// The edge as the API knows it.
pub struct Bans(pub Arc<Edge>);

impl api::Bans for Bans {
    fn list(&self) -> Vec<BanNote> {
        let note = |ban: crate::net::Ban| BanNote {
            source: ban.source,
            stream: ban.stream,
            cause: ban.cause.word(),
            since: ban.since,
            left: ban.left,
            dropped: ban.dropped,
        };
        self.0.bans().into_iter().map(note).collect()
    }

    fn lift(&self, source: IpAddr) -> usize {
        self.0.lift(source)
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
