//! When callbacks are tried, how long and how many at once.

use std::time::Duration;

use super::beat::Beat;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The rules of delivery.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long after the try before it each try comes; one entry per try.
    pub schedule: Vec<Duration>,
    /// The greatest share of a wait that chance adds, in percent.
    pub jitter_percent: u32,
    /// Most time for one try.
    pub attempt: Duration,
    /// What fell due between two beats leaves together.
    pub beat: Beat,
    /// Notices kept in memory per receiver; the rest waits in the backlog, which is asked at the price of reading
    /// the journal: a node that is late for some seconds is not made later still.
    pub in_memory: usize,
    /// Requests at once to one receiver: least and most.
    pub lanes: (usize, usize),
    /// Failures in a row after which a receiver is tried with one request at a time.
    pub failing_after: u32,
    /// How long earlier events may hold up a terminal one.
    pub closing: Duration,
    /// The wait between the last two tries of an event that holds up a terminal one.
    pub closing_gap: Duration,
    /// The longest `Retry-After` that is honoured.
    pub retry_after: Duration,
    /// How often the backlog is asked for what had no room.
    pub refill: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let seconds =
            [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self {
            schedule: seconds.map(Duration::from_secs).to_vec(),
            jitter_percent: 10,
            attempt: Duration::from_secs(15),
            beat: Beat::default(),
            in_memory: 8_000,
            lanes: (4, 32),
            failing_after: 5,
            closing: Duration::from_secs(60),
            closing_gap: Duration::from_secs(10),
            retry_after: Duration::from_secs(24 * HOUR),
            refill: Duration::from_secs(1),
        }
    }
}
