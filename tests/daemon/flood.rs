//! A flood of datagrams of one source.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Sends until it is dropped.
pub struct Flood {
    on: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// What `message` makes of the sender's address and a count, from `from` to `to`: `rate` a second, or as
    /// fast as one thread can.
    pub fn of<M>(from: [u8; 4], to: SocketAddr, rate: Option<f64>, message: M) -> Self
    where
        M: Fn(SocketAddr, u64) -> String + Send + 'static,
    {
        let socket = UdpSocket::bind(SocketAddr::from((from, 0))).unwrap();
        Self::through(socket, to, rate.map(|rate| (rate, 20)), message)
    }

    /// The same through a socket of which the caller reads the answers: so many a second, so many of them at once.
    pub fn through<M>(socket: UdpSocket, to: SocketAddr, pace: Option<(f64, u64)>, message: M) -> Self
    where
        M: Fn(SocketAddr, u64) -> String + Send + 'static,
    {
        let (on, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let (going, counted) = (on.clone(), sent.clone());
        let thread = std::thread::spawn(move || {
            let (local, began) = (socket.local_addr().unwrap(), Instant::now());
            for count in 0.. {
                if !going.load(Ordering::Relaxed) {
                    return;
                }
                socket.send_to(message(local, count).as_bytes(), to).unwrap();
                counted.store(count + 1, Ordering::Relaxed);
                if let Some((rate, _)) = pace.filter(|(_, at_once)| count % at_once == 0) {
                    let due = began + Duration::from_secs_f64(count as f64 / rate);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            }
        });
        Self { on, sent, thread: Some(thread) }
    }

    /// Ends it; how many datagrams were sent.
    pub fn end(self) -> u64 {
        let sent = Arc::clone(&self.sent);
        drop(self);
        sent.load(Ordering::Relaxed)
    }

    /// Datagrams sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
