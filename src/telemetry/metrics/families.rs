//! The groups of metrics, one per room.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{ByReason, ByTrunk, ByWord};

// One field: `name: kind, "help"`. The metric is `callgate_<group>_<field>`, counters end in `_total`.
macro_rules! group {
    ($(#[$doc:meta])* $group:ident, $prefix:literal { $($field:ident: $kind:ident $(($words:expr))?, $help:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $group {
            $(#[doc = $help] pub $field: group!(@type $kind),)*
        }

        impl $group {
            pub(super) fn new(registry: &mut Registry) -> Self {
                Self {
                    $($field: group!(
                        @make $kind, registry, concat!($prefix, "_", stringify!($field)), $help $(, $words)?
                    ),)*
                }
            }
        }
    };
    (@type counter) => { Counter };
    (@type gauge) => { Gauge };
    (@type seconds) => { Histogram };
    (@type by_reason) => { ByReason };
    (@type by_trunk) => { ByTrunk };
    (@type by_word) => { ByWord };
    (@make counter, $registry:ident, $name:expr, $help:literal) => {{
        let counter = Counter::default();
        $registry.register($name, $help.trim_end_matches('.'), counter.clone());
        counter
    }};
    (@make gauge, $registry:ident, $name:expr, $help:literal) => {{
        let gauge = Gauge::default();
        $registry.register($name, $help.trim_end_matches('.'), gauge.clone());
        gauge
    }};
    (@make seconds, $registry:ident, $name:expr, $help:literal) => {{
        // 100 us to 13 s: from a journal write to the longest webhook budget.
        let histogram = Histogram::new(exponential_buckets(0.0001, 2.0, 18));
        $registry.register($name, $help.trim_end_matches('.'), histogram.clone());
        histogram
    }};
    (@make by_reason, $registry:ident, $name:expr, $help:literal) => {
        ByReason::new($registry, $name, $help.trim_end_matches('.'))
    };
    (@make by_trunk, $registry:ident, $name:expr, $help:literal) => {
        ByTrunk::new($registry, $name, $help.trim_end_matches('.'))
    };
    (@make by_word, $registry:ident, $name:expr, $help:literal, $words:expr) => {
        ByWord::new($registry, $name, $help.trim_end_matches('.'), $words)
    };
}

group! {
    /// Messages and sockets.
    SipMetrics, "sip" {
        received: counter, "SIP messages received on any listener, retransmissions included.";
        sent: counter, "SIP messages sent through any listener, retransmissions included.";
        unreadable: counter, "Messages dropped because they could neither be read nor answered.";
        stray_responses: counter, "Responses dropped because no transaction of ours waits for them.";
        unknown_source: counter, "Requests from sources that no configured trunk matches.";
        queue_seconds: seconds, "Seconds a message waited between the network and the engine, one of each turn.";
        retransmissions: counter, "Retransmissions absorbed by an existing transaction of ours.";
        stale: counter, "INVITEs dropped because they had waited so long that their senders had sent them again.";
        kernel_drops: counter, "Datagrams the kernel dropped because a receive buffer was full.";
        handed_over: counter, "Messages handed from the receiving shard to the shard that owns the call, in an upgrade also to that of the other process.";
        handover_dropped: counter, "Datagrams dropped because the owning shard's queue of 4,096, or that of the other process in an upgrade, was full.";
        handover_paused: counter, "Times a stream connection paused because the owning shard's queue was full.";
        send_failed: counter, "Messages that could not be sent: no connection, refused or timed out.";
        connections: gauge, "Open TCP and TLS connections of the SIP listeners and toward targets.";
        handshakes_failed: counter, "TLS handshakes that failed, of either side.";
        connections_refused: counter, "Stream connections refused or closed because a limit was reached.";
        write_overflow: counter, "Stream connections closed because 64 KiB of writes were waiting.";
    }
}

group! {
    /// Sources without a trunk.
    EdgeMetrics, "edge" {
        refused: counter, "Requests from sources without a trunk that were refused, with or without an answer.";
        scanners: counter, "Requests from sources without a trunk whose User-Agent tells a scanner.";
        proved: counter, "Requests that proved by digest to come from their trunk.";
        withheld: counter, "Answers to sources without a trunk kept back because they were larger than the request.";
        bans: by_word(&["refused", "unreadable", "stray", "scanner"]),
            "Times a source was banned for a while, by what it did.";
        banned: gauge, "Sources that are banned right now and get no answer.";
        dropped: counter, "Datagrams, reads of streams and connections of banned sources, dropped unread.";
    }
}

group! {
    /// Calls.
    CallMetrics, "calls" {
        admitted: counter, "Calls admitted: journaled and put to their application.";
        trunk: by_trunk, "Calls admitted of each trunk, by its name.";
        active: gauge, "Calls in progress on this node, answered or not.";
        answered: counter, "Calls that were answered by a target and connected.";
        refused: by_reason, "New INVITEs refused, by the reason code of the refusal.";
        shed: by_trunk, "New INVITEs refused because this node was overloaded, by the trunk they came from.";
        ended: by_reason, "Calls that ended after admission, by reason code.";
        dials_refused: counter, "Targets of documents that were not dialled because their account may not.";
        recovered: counter, "Calls found in the journal after a restart and recovered or ended properly.";
        panics: counter, "Panics caught inside one call, each of which ended that call only.";
        setup_seconds: seconds, "Seconds from an INVITE's arrival to the first INVITE toward a target.";
    }
}

group! {
    /// Messages outside calls.
    MessageMetrics, "messages" {
        admitted: counter, "MESSAGEs outside calls that were put to their application.";
        answered: by_word(&["accepted", "failed"]),
            "MESSAGEs by what their sender heard once the application had been asked.";
        replies: by_word(&["delivered", "refused", "timeout", "unsent"]),
            "MESSAGEs of applications' documents by what became of them.";
    }
}

group! {
    /// Requests to applications.
    WebhookMetrics, "webhook" {
        requests: by_word(&[
            "document", "timeout", "unreachable", "status", "not_found", "empty", "not_xml", "not_rcml",
            "too_large", "redirects", "url_invalid", "address_refused", "overloaded", "aborted", "other",
        ]), "Requests to applications' URLs, by what came of them.";
        fallbacks: counter, "Times a fallback URL was asked because the primary one failed.";
        retries: counter, "Requests repeated after a failed connect or a dead pooled connection.";
        in_flight: gauge, "Requests to applications that wait for an answer right now.";
        seconds: seconds, "Seconds from a webhook request to its document or failure.";
        breakers_open: gauge, "URLs whose circuit breaker is open right now.";
    }
}

group! {
    /// Status callbacks.
    CallbackMetrics, "callback" {
        attempts: by_word(&["success", "refused", "timeout", "unreachable", "gone", "other"]),
            "Attempts to deliver a status callback, by what came of them.";
        delivered: counter, "Status callbacks delivered, each counted once per event.";
        dead: counter, "Status callbacks given up as dead letters; see callgate deliveries list.";
        superseded: counter, "Dead letters given up because the call's terminal event was due.";
        pending: gauge, "Status callbacks not delivered yet, in memory and in the table.";
        oldest_ms: gauge, "Age in milliseconds of the oldest status callback not delivered yet; 0 without any.";
        seconds: seconds, "Seconds one attempt to deliver a status callback took.";
        lag_seconds: seconds, "Seconds from an event of a call to its delivered callback.";
    }
}

group! {
    /// The call journal.
    JournalMetrics, "journal" {
        records: counter, "Records written to the call journal of this node.";
        bytes: counter, "Bytes written to the call journal of this node.";
        write_seconds: seconds, "Seconds one batch of records took to reach the kernel.";
        sync_seconds: seconds, "Seconds one sync of the journal to the disk took.";
        oldest_unwritten_ms: gauge, "Age in milliseconds of the oldest record that is not written yet.";
        reserved_bytes: gauge, "Bytes reserved in the journal for records of admitted calls.";
        segments: gauge, "Segments of the journal on the disk, delivered ones not yet removed included.";
        on_reserve: gauge, "1 while the disk is full and the journal is written into its reserve.";
        full: gauge, "1 while the journal takes no new call because the disk is full or too slow.";
        failures: counter, "Writes or syncs of the journal that failed.";
    }
}

group! {
    /// The store and the projection into it.
    StoreMetrics, "store" {
        projected: counter, "Journal records written into the store's tables of calls and deliveries.";
        projection_seconds: seconds, "Seconds one batch of journal records took to reach the store.";
        projection_lag_ms: gauge, "Age in milliseconds of the oldest journal record not in the store yet.";
        forgotten: by_word(&["calls", "delivered", "given_up", "notifications", "trace_lines"]),
            "Rows forgotten because their days of retention are over.";
        notifications: by_word(&["written", "repeated", "lost"]),
            "Notifications of accounts: written, held back as repetitions, and lost at the queue's limit or with the store away.";
        failures: counter, "Statements or connections of the store that failed.";
        up: gauge, "1 while the store answers, 0 while it does not.";
    }
}

group! {
    /// The directory and its reloads.
    DirectoryMetrics, "directory" {
        generation: gauge, "Generation of the directory that routes calls right now.";
        numbers: gauge, "Numbers of all kinds in the directory that routes calls right now.";
        patterns: gauge, "Patterns among the numbers of the directory right now.";
        skipped: gauge, "Rows that were left out of the directory because they do not compile or fit.";
        loads: by_word(&["delta", "full", "last_good", "refused", "failed"]),
            "Directories built, by how: a delta, a full load, from the disk; or refused or failed.";
        load_seconds: seconds, "Seconds a delta or a full load took until it was live.";
    }
}

group! {
    /// The HTTP API.
    ApiMetrics, "api" {
        requests: by_word(&["2xx", "3xx", "4xx", "5xx"]), "Requests to the HTTP API, by class of status.";
        in_flight: gauge, "Requests the HTTP API works on right now.";
        overloaded: counter, "Requests answered 503 because 64 were being worked on already.";
        unauthorized: counter, "Requests to the HTTP API without valid credentials.";
        seconds: seconds, "Seconds a request to the HTTP API took.";
    }
}

group! {
    /// The log itself.
    LogMetrics, "log" {
        dropped: counter, "Log lines dropped because whoever reads the log was too slow.";
    }
}
