//! callgate's own operations, and those that need no credentials.

use super::Input::{Both, Json, None as Nothing, Query};
use super::Operation;
use crate::api::admin::{AUDIT_FILTERS, BULK_FIELDS, ENABLE_FIELDS, NUMBER_FILTERS, SWEEP_WHERE, Shown};
use crate::store::{GatewayRow, NumberRow, TrunkRow};

/// callgate's own, below `/admin/v1`.
pub(super) const ADMIN: &[Operation] = &[
    ("post", "/reload", "Build the directory from the store anew", Query(&["check_only", "force"]), 200),
    (
        "get",
        "/generation",
        "The live generation; `wait` blocks until it is live",
        Query(&["wait", "timeout_ms"]),
        200,
    ),
    ("get", "/generations", "The last generations that went live on this node", Nothing, 200),
    (
        "get",
        "/explain",
        "How a dialled number would be routed",
        Query(&["number", "host", "source", "listener", "from_host", "to", "trunk"]),
        200,
    ),
    ("get", "/lint", "What looks wrong among the patterns", Nothing, 200),
    (
        "get",
        "/calls",
        "Live calls, then finished ones",
        Query(&["limit", "offset", "live", "status", "numbers"]),
        200,
    ),
    ("get", "/calls/{id}", "One call, by CallSid or Call-ID", Query(&["numbers"]), 200),
    ("get", "/calls/{id}/trace", "One call with its trace", Query(&["numbers"]), 200),
    ("post", "/calls/{id}/hangup", "End a live call, by CallSid or Call-ID", Nothing, 200),
    (
        "get",
        "/deliveries",
        "Status callbacks; `state=dead` are the dead letters",
        Query(&["state", "call", "account", "url", "limit", "offset"]),
        200,
    ),
    ("get", "/deliveries/disabled", "Receivers that answered 410 and get nothing", Nothing, 200),
    ("post", "/deliveries/enable", "Send to a URL again that answered 410", Json(ENABLE_FIELDS), 200),
    ("get", "/deliveries/{id}", "One delivery with its parameters and its tries", Query(&["numbers"]), 200),
    ("post", "/deliveries/{id}/replay", "Send a dead letter once more, now", Nothing, 200),
    ("get", "/numbers", "Numbers of any account", Query(NUMBER_FILTERS), 200),
    ("post", "/numbers", "Create a number or pattern", Json(NumberRow::KNOWN), 201),
    ("get", "/audit", "Who changed what, the newest first", Query(AUDIT_FILTERS), 200),
    (
        "patch",
        "/numbers",
        "Change all numbers that match, in one generation; dry_run says what would change",
        Both(SWEEP_WHERE, NumberRow::KNOWN),
        200,
    ),
    ("post", "/numbers/{id}/restore", "Bring a number back that was given back, as it was", Nothing, 200),
    (
        "post",
        "/numbers/bulk",
        "Make or change up to 5,000 numbers; Idempotency-Key: a repeated request is answered and not done again",
        Json(BULK_FIELDS),
        200,
    ),
    ("get", "/numbers/{id}", "One number, by sid or text", Nothing, 200),
    ("patch", "/numbers/{id}", "Change a number", Json(NumberRow::KNOWN), 200),
    ("delete", "/numbers/{id}", "Remove a number", Nothing, 204),
    ("get", "/trunks", "All trunks", Nothing, 200),
    ("post", "/trunks", "Create a trunk", Json(TrunkRow::KNOWN), 201),
    ("get", "/trunks/{id}", "One trunk, by sid or name", Nothing, 200),
    ("patch", "/trunks/{id}", "Change a trunk", Json(TrunkRow::KNOWN), 200),
    ("delete", "/trunks/{id}", "Remove a trunk", Nothing, 204),
    ("get", "/gateways", "All gateways", Nothing, 200),
    ("post", "/gateways", "Create a gateway", Json(GatewayRow::KNOWN), 201),
    ("get", "/gateways/{id}", "One gateway, by sid or name", Nothing, 200),
    ("patch", "/gateways/{id}", "Change a gateway", Json(GatewayRow::KNOWN), 200),
    ("delete", "/gateways/{id}", "Remove a gateway", Nothing, 204),
];

/// What needs no credentials.
pub(super) const OPEN: &[Operation] = &[
    ("get", "/metrics", "Metrics as OpenMetrics text", Nothing, 200),
    ("get", "/healthz", "Whether the process answers", Nothing, 200),
    ("get", "/ready", "Whether new calls are served, and what is degraded", Nothing, 200),
    ("get", "/openapi.json", "This document", Nothing, 200),
];
