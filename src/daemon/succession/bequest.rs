//! The process before this one, and what it gives.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::daemon::upgrade::say;
use crate::flow::{ListenerId, Transport};
use crate::journal::FORM as JOURNAL_FORM;
use crate::net::{Bound, Line, Planned, ShardSockets, granted_buffer};
use crate::telemetry::chain;

/// Set for the process that follows: the one before it. Its standard input is the line.
pub const SUCCEEDS: &str = "CALLGATE_SUCCEEDS";

/// What both must agree in: the words of the line and the frames of the hand-off, and the journal's version.
pub const FORM: [u8; 2] = [2, JOURNAL_FORM];

/// Why it does not follow.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// The line.
    #[error("the process before is gone")]
    Line(#[from] io::Error),
    /// Something else came.
    #[error("the process before speaks in another way ({0}): restart instead")]
    Word(String),
    /// Other listeners.
    #[error(
        "sip.listen or sip.listener has changed ({0}): the sockets cannot be taken over, restart instead"
    )]
    Listeners(String),
}

/// Tells the process before, where there is one, why this one does not follow it: whatever it was.
pub fn cannot_follow(why: &dyn Error) {
    if std::env::var_os(SUCCEEDS).is_none() {
        return;
    }
    let told = json!({ "failed": chain(why) }).to_string();
    let said = std::io::stdin().as_fd().try_clone_to_owned().map(UnixDatagram::from);
    if let Err(error) = said.and_then(|line| line.send(told.as_bytes())) {
        tracing::debug!(%error, "nobody hears why");
    }
}

/// The process before.
pub struct Predecessor(pub Line);

/// What it gave.
pub struct Bequest {
    /// Its listeners, as this process has planned them.
    pub bound: Vec<Bound>,
    /// Their sockets.
    pub sockets: Vec<ShardSockets>,
    /// What each of its shards hands on.
    pub streams: Vec<UnixStream>,
    /// The API's.
    pub http: TcpListener,
    /// The command line's.
    pub unix: UnixListener,
    /// Where to begin a journal.
    pub journal: (PathBuf, u64),
}

impl Predecessor {
    /// The one that started this process, where one did to be followed.
    ///
    /// # Errors
    /// Standard input is no line.
    pub fn of_environment() -> io::Result<Option<Self>> {
        if std::env::var_os(SUCCEEDS).is_none() {
            return Ok(None);
        }
        let line = std::io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Some(Self(Line::of(line)?)))
    }

    /// Says that all is loaded, and gets what the other has.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub async fn bequest(&self, plans: &[Planned]) -> Result<Bequest, SuccessionError> {
        let version = env!("CARGO_PKG_VERSION");
        say(&self.0, &json!({ "ready": { "form": FORM, "version": version } })).await?;
        let mut given = Given::default();
        loop {
            let (text, mut along) = self.0.receive().await?.ok_or_else(ended)?;
            let word: Value = serde_json::from_slice(&text).map_err(io::Error::from)?;
            let fd = along.pop();
            match fd {
                Some(fd) => given.take(&word, fd)?,
                None => return given.whole(plans, &word),
            }
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the line has ended")
}

/// What came so far.
#[derive(Default)]
struct Given {
    sockets: Vec<(usize, usize, Listening, OwnedFd)>,
    streams: Vec<UnixStream>,
    http: Option<TcpListener>,
    unix: Option<UnixListener>,
}

/// A listener as the other has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listening {
    transport: String,
    bind: SocketAddr,
    address: SocketAddr,
}

impl Given {
    fn take(&mut self, word: &Value, fd: OwnedFd) -> Result<(), SuccessionError> {
        let bad = || SuccessionError::Word(word.to_string());
        if let Some(one) = word.get("socket") {
            let number =
                |name: &str| one[name].as_u64().and_then(|at| usize::try_from(at).ok()).ok_or_else(bad);
            let address = |name: &str| one[name].as_str().and_then(|text| text.parse().ok()).ok_or_else(bad);
            let transport = one["transport"].as_str().ok_or_else(bad)?.to_owned();
            let listening = Listening { transport, bind: address("bind")?, address: address("address")? };
            self.sockets.push((number("shard")?, number("listener")?, listening, fd));
        } else if word.get("hand_off").is_some() {
            self.streams.push(fd.into());
        } else if word == "http" {
            self.http = Some(fd.into());
        } else if word == "cli" {
            self.unix = Some(fd.into());
        } else {
            return Err(bad());
        }
        Ok(())
    }

    fn whole(self, plans: &[Planned], word: &Value) -> Result<Bequest, SuccessionError> {
        let bad = || SuccessionError::Word(word.to_string());
        let folder = word["journal"]["folder"].as_str().ok_or_else(bad)?;
        let start = word["journal"]["start"].as_u64().ok_or_else(bad)?;
        let (bound, sockets) = sort(self.sockets, plans, self.streams.len())?;
        Ok(Bequest {
            bound,
            sockets,
            streams: self.streams,
            http: self.http.ok_or_else(bad)?,
            unix: self.unix.ok_or_else(bad)?,
            journal: (folder.into(), start),
        })
    }
}

/// The sockets by shard, where they are those that this process would have bound.
fn sort(
    given: Vec<(usize, usize, Listening, OwnedFd)>,
    plans: &[Planned],
    shards: usize,
) -> Result<(Vec<Bound>, Vec<ShardSockets>), SuccessionError> {
    let count = given.iter().map(|(_, listener, ..)| listener + 1).max().unwrap_or(0);
    if count != plans.len() {
        return Err(SuccessionError::Listeners(format!("{count} listeners became {}", plans.len())));
    }
    let mut sockets: Vec<_> = (0..shards).map(|_| ShardSockets::default()).collect();
    let mut bound: Vec<Option<Bound>> = plans.iter().map(|_| None).collect();
    for (shard, listener, was, fd) in given {
        let plan = &plans[listener];
        let transport = plan.spec.transport;
        if transport.via_token() != was.transport || plan.spec.bind != was.bind {
            let now =
                format!("{} {} is now {} {}", was.transport, was.bind, transport.via_token(), plan.spec.bind);
            return Err(SuccessionError::Listeners(now));
        }
        let id = ListenerId(u16::try_from(listener).map_err(io::Error::other)?);
        let datagram = transport == Transport::Udp;
        let receive_buffer = if datagram { Some(granted_buffer(&fd)?) } else { None };
        bound[listener] = Some(Bound { id, plan: plan.clone(), address: was.address, receive_buffer });
        let place = sockets.get_mut(shard).ok_or_else(|| SuccessionError::Word(format!("shard {shard}")))?;
        if datagram {
            place.udp.push((id, fd.into()));
        } else {
            place.tcp.push((id, transport, fd.into()));
        }
    }
    Ok((bound.into_iter().flatten().collect(), sockets))
}
