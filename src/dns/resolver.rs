//! Names to addresses, off the runtime's threads.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Most time for one question.
    pub timeout: Duration,
    /// How long addresses are kept.
    pub keep: Duration,
    /// How long "no such name" is kept.
    pub keep_failure: Duration,
    /// Questions to the system at once; each may hold a thread for as long as the system likes.
    pub at_once: usize,
    /// Names kept at most.
    pub names: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            keep: Duration::from_secs(30),
            keep_failure: Duration::from_secs(2),
            at_once: 16,
            names: 10_000,
        }
    }
}

/// A lookup as a plain function, as the HTTP client takes it.
pub type LookupFn =
    Arc<dyn Fn(&str) -> Pin<Box<dyn Future<Output = io::Result<Arc<[IpAddr]>>> + Send>> + Send + Sync>;

/// The resolver; shared by all threads, cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    ask: Blocking,
    names: DashMap<Box<str>, Slot, foldhash::fast::RandomState>,
    room: Arc<Semaphore>,
}

/// Asks the system, on a thread that may block.
type Blocking = Box<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// What is known of one name; whoever holds the lock is asking.
type Slot = Arc<Mutex<Option<Known>>>;

struct Known {
    until: Instant,
    answer: Result<Arc<[IpAddr]>, io::ErrorKind>,
}

impl Resolver {
    /// Asks the system.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::asking(config, |host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    /// Asks a blocking function instead, which runs on a thread that may block.
    pub fn asking(
        config: Config,
        ask: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        let room = Arc::new(Semaphore::new(config.at_once));
        Self { inner: Arc::new(Inner { config, ask: Box::new(ask), names: DashMap::default(), room }) }
    }

    /// The addresses of a host name, in the system's order of preference, each once.
    ///
    /// # Errors
    /// `NotFound` when it has none, `TimedOut` when nobody answered in time.
    pub async fn lookup(&self, host: &str) -> io::Result<Arc<[IpAddr]>> {
        let inner = &self.inner;
        if inner.names.len() > inner.config.names {
            inner.forget();
        }
        let slot = match inner.names.get(host) {
            Some(slot) => slot.clone(),
            None => inner.names.entry(host.into()).or_default().clone(),
        };
        timeout(inner.config.timeout, self.within(host, &slot))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "DNS did not answer in time")))
    }

    /// The lookup as a plain function.
    #[must_use]
    pub fn lookup_fn(&self) -> LookupFn {
        let resolver = self.clone();
        Arc::new(move |host: &str| {
            let (resolver, host) = (resolver.clone(), host.to_owned());
            Box::pin(async move { resolver.lookup(&host).await })
        })
    }

    async fn within(&self, host: &str, slot: &Slot) -> io::Result<Arc<[IpAddr]>> {
        // Everyone else who asks for this name waits here and finds the answer.
        let mut known = slot.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.until > Instant::now()) {
            return known.answer.clone().map_err(Into::into);
        }
        let inner = &self.inner;
        let permit = inner.room.clone().acquire_owned().await.map_err(io::Error::other)?;
        let result = self.ask(host, permit).await;
        let keep = if result.is_ok() { inner.config.keep } else { inner.config.keep_failure };
        let answer = result.as_ref().map(Arc::clone).map_err(io::Error::kind);
        *known = Some(Known { until: Instant::now() + keep, answer });
        result
    }

    async fn ask(&self, host: &str, permit: OwnedSemaphorePermit) -> io::Result<Arc<[IpAddr]>> {
        let (inner, host) = (self.inner.clone(), host.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let found = (inner.ask)(&host);
            // Held by the thread, not by the question: one that gave up waiting still costs a thread.
            drop(permit);
            found
        });
        let mut addresses: Vec<IpAddr> = found.await.map_err(io::Error::other)?.map_err(name_error)?;
        let mut seen = Vec::with_capacity(addresses.len().min(32));
        addresses.retain(|address| {
            !seen.contains(address) && seen.len() < 32 && {
                seen.push(*address);
                true
            }
        });
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses.into())
    }
}

/// getaddrinfo's "no such name" comes as an uncategorised error.
fn name_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        None => io::Error::new(io::ErrorKind::NotFound, error),
        Some(_) => error,
    }
}

impl Inner {
    fn forget(&self) {
        let now = Instant::now();
        // A slot somebody asks through right now stays.
        self.names.retain(|_, slot| match slot.try_lock() {
            Ok(known) => known.as_ref().is_some_and(|known| known.until > now),
            Err(_) => true,
        });
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resolver({} names)", self.inner.names.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counting(config: Config) -> (Resolver, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let resolver = Resolver::asking(config, move |host| {
            counted.fetch_add(1, Ordering::SeqCst);
            match host {
                "slow.example" => {
                    std::thread::sleep(Duration::from_millis(400));
                    Ok(vec![IpAddr::from([192, 0, 2, 1])])
                }
                "none.example" => Err(io::Error::other("no such name")),
                "twice.example" => Ok(vec![IpAddr::from([192, 0, 2, 1]); 3]),
                "many.example" => Ok((0..200).map(|n| IpAddr::from([192, 0, 2, n])).collect()),
                _ => Ok(vec![IpAddr::from([192, 0, 2, 7])]),
            }
        });
        (resolver, count)
    }

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let found = Resolver::new(Config::default()).lookup("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
    }

    #[tokio::test]
    async fn one_question_answers_everyone_who_asks_meanwhile_and_after() {
        let (resolver, count) = counting(Config::default());
        let (a, b) = tokio::join!(resolver.lookup("slow.example"), resolver.lookup("slow.example"));
        assert_eq!(a.unwrap(), b.unwrap());
        resolver.lookup("slow.example").await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_missing_name_is_not_found_and_kept_for_a_moment() {
        let (resolver, count) = counting(Config::default());
        for _ in 0..3 {
            let error = resolver.lookup("none.example").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_silent_resolver_is_given_up_in_time() {
        let (resolver, _) = counting(Config { timeout: Duration::from_millis(50), ..Config::default() });
        let error = resolver.lookup("slow.example").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn addresses_come_once_each_and_not_too_many() {
        let (resolver, _) = counting(Config::default());
        assert_eq!(resolver.lookup("twice.example").await.unwrap().len(), 1);
        assert_eq!(resolver.lookup("many.example").await.unwrap().len(), 32);
    }

    #[tokio::test]
    async fn names_are_forgotten_when_there_are_too_many() {
        let config = Config { names: 3, keep: Duration::ZERO, ..Config::default() };
        let (resolver, _) = counting(config);
        for n in 0..20 {
            resolver.lookup(&format!("{n}.example")).await.unwrap();
        }
        assert!(resolver.inner.names.len() <= 5);
    }
}
