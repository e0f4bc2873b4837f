//! What the sockets count. Plain atomics: the telemetry room gives them names.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted by every shard into one set.
#[derive(Debug, Default)]
pub struct NetCounters {
    /// Datagrams received, keep-alives not counted.
    pub datagrams_in: AtomicU64,
    /// Datagrams sent.
    pub datagrams_out: AtomicU64,
    /// Datagrams the kernel dropped because a receive buffer was full.
    pub kernel_drops: AtomicU64,
    /// Datagrams not sent because the send buffer was full.
    pub send_drops: AtomicU64,
    /// Datagrams dropped because the owning shard's hand-off queue was full.
    pub handoff_drops: AtomicU64,
    /// Messages framed out of streams.
    pub stream_messages_in: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections refused because there were too many.
    pub refused: AtomicU64,
    /// Connections closed for a broken, oversized or too slow message.
    pub stream_faults: AtomicU64,
    /// Connections closed because the peer did not read what was written.
    pub write_overflows: AtomicU64,
    /// Connections closed for silence.
    pub idle_closed: AtomicU64,
}

impl NetCounters {
    /// Adds one.
    pub fn bump(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Every counter with its metric name (`callgate_net_…_total`) and what it says.
    pub fn each(&self) -> [(&'static str, &'static str, u64); 11] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("datagrams_in", "Datagrams received", read(&self.datagrams_in)),
            ("datagrams_out", "Datagrams sent", read(&self.datagrams_out)),
            ("kernel_drops", "Datagrams the kernel dropped at a full receive buffer", read(&self.kernel_drops)),
            ("send_drops", "Datagrams dropped at a full send buffer", read(&self.send_drops)),
            ("handoff_drops", "Datagrams dropped at a full hand-off queue", read(&self.handoff_drops)),
            ("stream_messages_in", "Messages framed out of streams", read(&self.stream_messages_in)),
            ("accepted", "Connections accepted", read(&self.accepted)),
            ("refused", "Connections refused at the limit", read(&self.refused)),
            ("stream_faults", "Connections closed for a broken or slow message", read(&self.stream_faults)),
            ("write_overflows", "Connections closed at a full write queue", read(&self.write_overflows)),
            ("idle_closed", "Connections closed for silence", read(&self.idle_closed)),
        ]
    }
}
