//! The shard threads, and *control*'s hold on them.

use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::clock::Clock;
use super::effects::{Effects, Scribe};
use super::front::Front;
use super::notices::Notices;
use super::questions::Questions;
use super::shard::{Command, Load, Shard, ShardParts};
use super::yielding::Yielding;
use crate::call::config::EngineConfig;
use crate::dns::Resolver;
use crate::engine::Engine;
use crate::engine::door::Recovered;
use crate::net::Tls;
use crate::net::{
    Arrival, Connections, Delivery, Edge, Owner, Passage, ShardSockets, StreamLimits, Streams, UdpPort, bring,
};
use crate::outbound::Client;
use crate::routing::Directory;
use crate::routing::limits::Limits as Admission;
use crate::telemetry::{Calls, Metrics};
use crate::webhook::{Setup, Webhook};

/// Messages that may wait on their way from one thread to another (DESIGN: queues).
const HAND_OFF: usize = 4_096;
/// Commands that may wait for a shard.
const COMMANDS: usize = 256;

/// What all shards are born with.
#[derive(Clone)]
pub struct Heritage {
    /// The clock of the process.
    pub clock: Clock,
    /// What the engines know.
    pub engine: Arc<EngineConfig>,
    /// Calls at once and per second, counted by all shards together.
    pub admission: Admission,
    /// The live directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// The live calls.
    pub calls: Arc<Calls>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where accounts are told of what failed.
    pub notices: Notices,
    /// How applications are asked.
    pub webhook: Arc<Setup>,
    /// The HTTP client whose shared half every shard uses.
    pub client: Client,
    /// Names to addresses.
    pub resolver: Resolver,
    /// All stream connections.
    pub connections: Arc<Connections>,
    /// What is known of strangers.
    pub edge: Arc<Edge>,
    /// Who stands aside while messages wait.
    pub yielding: Yielding,
    /// Their limits.
    pub limits: StreamLimits,
    /// Where a listener speaks it.
    pub tls: Option<Tls>,
}

/// What one shard is born with beside that.
pub struct Birthright {
    /// Its sockets.
    pub sockets: ShardSockets,
    /// Its way to the journal.
    pub scribe: Box<dyn Scribe + Send>,
    /// Where its randomness begins.
    pub seed: [u8; 32],
    /// Calls that it takes over.
    pub recovered: Vec<Recovered>,
    /// Where another process still reads the sockets: what that one hands on, and who is told when it does no
    /// more.
    pub behind: Option<(UnixStream, oneshot::Sender<()>)>,
}

/// A shard that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// No thread.
    #[error("a shard's thread could not be started")]
    Thread(#[source] io::Error),
    /// The runtime refused a socket.
    #[error("a shard could not take its sockets into its runtime")]
    Sockets(#[source] io::Error),
    /// It ended before it began.
    #[error("a shard panicked while it started")]
    Panicked,
}

/// The running shards.
pub struct Shards {
    commands: Vec<mpsc::Sender<Command>>,
    threads: Vec<JoinHandle<()>>,
    died: mpsc::Receiver<u16>,
}

impl Shards {
    /// Starts one shard per birthright; `owner` says which of them owns a message.
    ///
    /// # Errors
    /// The first shard that cannot begin.
    pub async fn start(
        heritage: &Heritage,
        births: Vec<Birthright>,
        owner: Owner,
        front: &Front,
    ) -> Result<Self, ShardError> {
        let (inlets, arrivals): (Vec<_>, Vec<_>) = births.iter().map(|_| mpsc::channel(HAND_OFF)).unzip();
        let delivery = Delivery::new(inlets, owner, heritage.metrics.sip.clone());
        let (death, died) = mpsc::channel(births.len());
        let mut shards = Self { commands: Vec::new(), threads: Vec::new(), died };
        for ((index, birth), arrivals) in (0..).zip(births).zip(arrivals) {
            let (sender, commands) = mpsc::channel(COMMANDS);
            let (begun, beginning) = oneshot::channel();
            let (heritage, delivery) = (heritage.clone(), delivery.clone());
            let mourner = Mourner { index, death: death.clone() };
            let work = move || {
                let _mourner = mourner;
                live(index, heritage, birth, delivery, (arrivals, commands), begun);
            };
            let thread = front.thread(format!("shard-{index}"), work).map_err(ShardError::Thread)?;
            shards.commands.push(sender);
            shards.threads.push(thread);
            beginning.await.map_err(|_| ShardError::Panicked)?.map_err(ShardError::Sockets)?;
        }
        Ok(shards)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.commands.len()
    }

    /// Tells every shard.
    pub async fn tell(&self, command: impl Fn() -> Command) {
        for shard in &self.commands {
            if shard.send(command()).await.is_err() {
                tracing::error!("a shard is gone");
            }
        }
    }

    /// A way to tell every shard that may be held elsewhere.
    #[must_use]
    pub fn commands(&self) -> Vec<mpsc::Sender<Command>> {
        self.commands.clone()
    }

    /// What each shard has under way; `None` of a shard that does not say so within a second.
    pub async fn loads(&self) -> Vec<Option<Load>> {
        let mut loads = Vec::new();
        for shard in &self.commands {
            let (reply, answer) = oneshot::channel();
            let load = async { shard.send(Command::Look(reply)).await.ok().and(answer.await.ok()) };
            loads.push(tokio::time::timeout(Duration::from_secs(1), load).await.ok().flatten());
        }
        loads
    }

    /// Resolves when a shard has died, with its index: a panic that no call contained.
    pub async fn death(&mut self) -> u16 {
        match self.died.recv().await {
            Some(index) => index,
            None => std::future::pending().await,
        }
    }

    /// Ends every shard and waits for its thread. None reads a socket any more before the first ends: what it reads may
    /// be that one's.
    pub async fn stop(self) {
        in_turn(&self.commands, Command::Deaf).await;
        self.tell(|| Command::Stop).await;
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard had panicked");
            }
        }
    }
}

/// Has each shard do something, one after the other.
pub(super) async fn in_turn(
    shards: &[mpsc::Sender<Command>],
    command: impl Fn(oneshot::Sender<()>) -> Command,
) {
    for shard in shards {
        let (done, is_done) = oneshot::channel();
        if shard.send(command(done)).await.is_err() || is_done.await.is_err() {
            tracing::error!("a shard is gone");
        }
    }
}

/// Reports a shard's death. One shard's panic leaves what it shares with the others in doubt, so the
/// process ends then; a panic inside one call never gets this far, the engine contains it.
struct Mourner {
    index: u16,
    death: mpsc::Sender<u16>,
}

impl Drop for Mourner {
    fn drop(&mut self) {
        if std::thread::panicking() && self.death.try_send(self.index).is_err() {
            tracing::error!(shard = self.index, "a shard died unheard");
        }
    }
}

fn live(
    index: u16,
    heritage: Heritage,
    birth: Birthright,
    delivery: Delivery,
    (arrivals, commands): (mpsc::Receiver<Arrival>, mpsc::Receiver<Command>),
    begun: oneshot::Sender<io::Result<()>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(begun, Err(error)),
    };
    LocalSet::new().block_on(&runtime, async move {
        match shard(index, heritage, birth, delivery, arrivals, commands) {
            Ok(shard) => {
                report(begun, Ok(()));
                shard.run().await;
            }
            Err(error) => report(begun, Err(error)),
        }
    });
}

fn report(begun: oneshot::Sender<io::Result<()>>, how: io::Result<()>) {
    if begun.send(how).is_err() {
        tracing::error!("whoever started a shard is gone");
    }
}

fn shard(
    index: u16,
    heritage: Heritage,
    birth: Birthright,
    delivery: Delivery,
    arrivals: mpsc::Receiver<Arrival>,
    commands: mpsc::Receiver<Command>,
) -> io::Result<Shard> {
    let streams = Streams::new(
        usize::from(index),
        (heritage.connections.clone(), heritage.edge.clone()),
        delivery.clone(),
        heritage.limits,
        heritage.tls,
    );
    let front = birth.behind.is_none();
    let mut before = None;
    if let Some((stream, over)) = birth.behind {
        let (forth, back) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let inlet = delivery.inlet(usize::from(index));
        tokio::task::spawn_local(async move {
            if let Err(error) = bring(forth, inlet).await {
                tracing::error!(%error, "the hand-off from the former process broke");
            }
            if over.send(()).is_err() {
                tracing::debug!("nobody waits for the end of a hand-off");
            }
        });
        let (passage, carrying) = Passage::new(back, heritage.metrics.sip.clone());
        tokio::task::spawn_local(carrying);
        before = Some(passage);
    }
    let ports: io::Result<Vec<UdpPort>> = birth
        .sockets
        .udp
        .into_iter()
        .map(|(listener, socket)| UdpPort::new(listener, socket, heritage.metrics.sip.clone()))
        .collect();
    let questions = Questions {
        webhook: Webhook::new(heritage.webhook.clone(), heritage.client.for_another_thread()),
        resolver: heritage.resolver.clone(),
        calls: heritage.calls.clone(),
        metrics: heritage.metrics.clone(),
        notices: heritage.notices.clone(),
        clock: heritage.clock,
    };
    Ok(Shard::new(ShardParts {
        index,
        clock: heritage.clock,
        // The first shard checks the gateways for all of them.
        engine: Engine::new(heritage.engine, birth.seed).sharing(heritage.admission).watching(index == 0),
        ports: ports?,
        streams,
        edge: heritage.edge,
        yielding: heritage.yielding,
        delivery,
        arrivals,
        commands,
        effects: Effects::new(birth.scribe, Rc::new(questions)),
        recovered: birth.recovered,
        doors: birth.sockets.tcp,
        before,
        front,
        directory: heritage.directory,
        calls: heritage.calls,
        metrics: heritage.metrics,
        notices: heritage.notices,
    }))
}
