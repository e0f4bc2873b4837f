//! What *control* says.

use std::os::unix::net::UnixStream;

use tokio::sync::oneshot;

use super::{Command, Load, Shard};
use crate::engine::door::Input;
use crate::net::{Passage, bring};

impl Shard {
    /// Does what *control* said.
    pub(super) fn commanded(&mut self) {
        while let Ok(command) = self.parts.commands.try_recv() {
            self.command(command);
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Hangup(call) => self.handle(Input::Hangup { call }),
            Command::GoOn(call, hook) => self.handle(Input::GoOn { call, hook }),
            Command::Drain(on) => self.handle(Input::Drain(on)),
            Command::OverloadDelay(most) => self.handle(Input::OverloadDelay(most)),
            Command::MaxCalls(most) => self.handle(Input::MaxCalls(most)),
            Command::JournalFull(full) => self.handle(Input::JournalFull(full)),
            Command::Look(reply) => {
                let load = Load { engine: self.parts.engine.footprint(), asks: self.parts.effects.asks() };
                if reply.send(load).is_err() {
                    tracing::debug!("whoever asked for a shard's load stopped waiting");
                }
            }
            Command::Deaf(deaf) => {
                self.parts.front = false;
                done(deaf);
            }
            Command::Stop => self.stopping = true,
            Command::Follower(stream) => self.followed_by(stream),
            Command::Closing(closing) => self.closing = closing,
            Command::Hold(held) => {
                self.held = true;
                done(held);
            }
            Command::Leaving => self.leaving = true,
            Command::TakeOver(calls) => {
                self.held = false;
                self.parts.recovered = calls;
                self.recover();
            }
            Command::Front => {
                self.parts.front = true;
                self.parts.before = None;
                self.open_doors();
                // They ended with the process that had them.
                for flow in std::mem::take(&mut self.elsewhere) {
                    self.handle(Input::FlowClosed(flow));
                }
            }
        }
    }

    fn followed_by(&mut self, stream: Option<UnixStream>) {
        self.follower = None;
        let Some(stream) = stream else { return };
        match tokio::net::UnixStream::from_std(stream) {
            Ok(stream) => {
                let (back, forth) = stream.into_split();
                let (passage, carrying) = Passage::new(forth, self.parts.metrics.sip.clone());
                for (flow, names) in self.parts.engine.proved() {
                    passage.proved(flow, names);
                }
                let inlet = self.parts.delivery.inlet(usize::from(self.parts.index));
                tokio::task::spawn_local(async move {
                    if let Err(error) = bring(back, inlet).await {
                        tracing::debug!(%error, "the new process has ended");
                    }
                });
                self.follower = Some((passage, tokio::task::spawn_local(carrying)));
            }
            Err(error) => tracing::error!(%error, "nothing can be handed to the new process"),
        }
    }
}

fn done(told: oneshot::Sender<()>) {
    if told.send(()).is_err() {
        tracing::debug!("whoever wanted a shard to do something is gone");
    }
}
