//! callgate's own operations, and those that need no credentials.

use super::admin_shapes::parameter;
use super::operation::{Dialect, Operation, delete, get, patch, post, put};
use crate::api::admin::{
    AUDIT_FILTERS, CALL_FILTERS, DELIVERY_FILTERS, GENERATION_FILTERS, GENERATIONS_BETWEEN, NUMBER_FILTERS,
    ROW_FILTERS, SWEEP_WHERE,
};

/// How callgate's own part speaks.
pub(super) const DIALECT: Dialect = Dialect {
    name: "callgate",
    parameter,
    refusal: "Error",
    always: &[401, 403, 429, 500, 503],
    schemes: &["account", "bearer", "token"],
    xml: false,
    strict: true,
};

/// What needs no credentials.
pub(super) const OPEN_DIALECT: Dialect = Dialect { name: "operation", always: &[], schemes: &[], ..DIALECT };

const WRITTEN: &[&str] = &["X-Callgate-Generation"];
const TAGGED: &[&str] = &["X-Callgate-Generation", "ETag"];
const READ: &[&str] = &["ETag"];
const IF_MATCH: &[&str] = &["If-Match"];

/// callgate's own, below `/admin/v1`.
pub(super) const ADMIN: &[Operation] = &[
    post("/reload", "Build the directory from the store anew")
        .query(&["check_only", "force"])
        .gives("Reload")
        .refuses(&[409]),
    get("/upgrade", "How far the last upgrade of this process is").gives("Upgrade"),
    post("/upgrade", "Let the program's file as it is now take over, without a call lost; GET says how far it is")
        .answers(202, "Upgrade")
        .refuses(&[409]),
    get("/generation", "The live generation; `wait` blocks until it is live")
        .query(&["wait", "timeout_ms"])
        .gives("Generation")
        .refuses(&[504]),
    get("/generations", "Who made each generation, the newest first; next_before begins the next page")
        .query(GENERATION_FILTERS)
        .gives("GenerationList")
        .carries(READ),
    get("/generations/live", "The last generations that went live on this node").gives("Generations"),
    get("/generations/{generation}/diff", "What differs at `to`, or now, from one generation; next_after begins the next page")
        .query(GENERATIONS_BETWEEN)
        .gives("Difference"),
    post("/generations/{generation}/rollback", "Undo everything that came after a generation, in a new one; dry_run finds out whether it can be")
        .query(&["dry_run"])
        .headers(IF_MATCH)
        .gives("RolledBack")
        .carries(READ)
        .refuses(&[409, 412]),
    get("/explain", "How a dialled number would be routed; with `message`, a MESSAGE to it")
        .query(&["number", "host", "source", "listener", "from_host", "to", "trunk", "message"])
        .needs("number")
        .gives("Explanation")
        .refuses(&[404]),
    get("/lint", "What looks wrong among the patterns").gives("Lint"),
    get("/calls", "Live calls, then finished ones").query(CALL_FILTERS).gives("CallList"),
    get("/calls/{id}", "One call, by CallSid or Call-ID").query(&["numbers"]).gives("Call"),
    get("/calls/{id}/trace", "One call with its trace").query(&["numbers"]).gives("Trace"),
    get("/messages", "The latest messages of this node, the newest first")
        .query(&["limit", "numbers"])
        .gives("MessageList"),
    get("/messages/{id}", "One message with its trace, by SmsSid or Call-ID, while this node remembers it")
        .query(&["numbers"])
        .gives("MessageTrace"),
    post("/calls/{id}/hangup", "End a live call, by CallSid or Call-ID").gives("Call"),
    get("/deliveries", "Status callbacks; `state=dead` are the dead letters")
        .query(DELIVERY_FILTERS)
        .gives("Deliveries"),
    get("/deliveries/disabled", "Receivers that answered 410 and get nothing").gives("Disabled"),
    get("/deliveries/{id}", "One delivery with its parameters and its tries").query(&["numbers"]).gives("Delivered"),
    post("/deliveries/{id}/replay", "Send a dead letter once more, now").gives("SentAgain").refuses(&[409]),
    post("/deliveries/enable", "Send to a URL again that answered 410")
        .json("Enable")
        .gives("Enabled")
        .refuses(&[404]),
    get("/bans", "Strangers of this node that get no answers for a while, those that last longest first").gives("Bans"),
    delete("/bans/{source}", "Answer a stranger again, by address").gives("Lifted").refuses(&[404]),
    get("/audit", "Who changed what, the newest first").query(AUDIT_FILTERS).gives("Audit"),
    get("/numbers", "Numbers of any account; with `after`, in the order of their texts and uncounted")
        .query(NUMBER_FILTERS)
        .gives("any of NumberList, NumbersAfter")
        .refuses(&[404]),
    post("/numbers", "Create a number or pattern")
        .json("NumberFields")
        .makes("Number")
        .carries(WRITTEN)
        .refuses(&[404, 409]),
    patch("/numbers", "Change all numbers that match, in one generation; dry_run says what would change")
        .query(SWEEP_WHERE)
        .json("SweepFields")
        .gives("Sweep")
        .refuses(&[404, 409]),
    post("/numbers/bulk", "Make or change up to 5,000 numbers; Idempotency-Key: a repeated request is answered and not done again")
        .headers(&["Idempotency-Key"])
        .json("BulkFields")
        .gives("Bulk")
        .refuses(&[404, 409, 422]),
    post("/numbers/{id}/restore", "Bring a number back that was given back, as it was")
        .gives("Number")
        .carries(TAGGED)
        .refuses(&[409]),
    get("/numbers/{id}", "One number, by sid or text").gives("Number").carries(READ),
    patch("/numbers/{id}", "Change a number")
        .headers(IF_MATCH)
        .json("NumberFields")
        .gives("Number")
        .carries(TAGGED)
        .refuses(&[409, 412]),
    put("/numbers/{id}", "Replace all that a number has; what tells it from others stays where it is not said")
        .headers(IF_MATCH)
        .json("NumberWhole")
        .gives("Number")
        .carries(TAGGED)
        .refuses(&[409, 412]),
    delete("/numbers/{id}", "Remove a number").nothing(204).carries(WRITTEN),
    post("/accounts/{id}/auth-token", "Make a fresh auth token and show it, this once; the one before stops at once")
        .gives("AuthToken")
        .carries(WRITTEN),
    post("/accounts/{id}/webhook-secret", "Make a fresh webhook secret and show it, this once; the one before goes on signing beside it")
        .gives("WebhookSecret")
        .carries(WRITTEN),
    post("/gateways/{id}/drain", "Give a gateway no new calls; those it has go on, and its checks too")
        .gives("Gateway")
        .carries(TAGGED),
    post("/gateways/{id}/resume", "Give a gateway calls again").gives("Gateway").carries(TAGGED),
];

/// What needs no credentials.
pub(super) const OPEN: &[Operation] = &[
    get("/metrics", "Metrics as OpenMetrics text").text("application/openmetrics-text"),
    get("/healthz", "Whether the process answers").gives("Health"),
    get("/ready", "Whether new calls are served, and what is degraded").gives("Ready").answers(503, "Ready"),
    get("/openapi.json", "This document").gives("Document"),
];

/// The operations of a table that operators see whole.
pub(super) const fn rows(words: &'static Words) -> [Operation; 6] {
    [
        get(words.all, words.list).query(ROW_FILTERS).gives(words.rows),
        post(words.all, words.create).json(words.fields).makes(words.row).carries(WRITTEN).refuses(&[409]),
        get(words.one, words.read).gives(words.row).carries(READ),
        patch(words.one, words.change)
            .headers(IF_MATCH)
            .json(words.fields)
            .gives(words.row)
            .carries(TAGGED)
            .refuses(&[409, 412]),
        put(words.one, words.replace)
            .headers(IF_MATCH)
            .json(words.whole)
            .gives(words.row)
            .carries(TAGGED)
            .refuses(&[409, 412]),
        delete(words.one, words.remove).nothing(204).carries(WRITTEN).refuses(&[409]),
    ]
}

/// What is said of a table: its paths, its sentences, its shapes.
pub(super) struct Words {
    all: &'static str,
    one: &'static str,
    list: &'static str,
    create: &'static str,
    read: &'static str,
    change: &'static str,
    replace: &'static str,
    remove: &'static str,
    row: &'static str,
    rows: &'static str,
    fields: &'static str,
    whole: &'static str,
}

macro_rules! words {
    ($name:ident: $one:literal, $all:literal, $called:literal, $row:literal) => {
        /// Of this table.
        pub(super) const $name: Words = Words {
            all: concat!("/", $all),
            one: concat!("/", $all, "/{id}"),
            list: concat!("All ", $all),
            create: concat!("Create ", $one),
            read: concat!("Read ", $one, ", by sid or ", $called),
            change: concat!("Change ", $one),
            replace: concat!("Replace all that ", $one, " has; secrets that are not said stay"),
            remove: concat!("Remove ", $one, " that nothing needs"),
            row: $row,
            rows: concat!($row, "List"),
            fields: concat!($row, "Fields"),
            whole: concat!($row, "Whole"),
        };
    };
}

words!(TRUNKS: "a trunk", "trunks", "name", "Trunk");
words!(GATEWAYS: "a gateway", "gateways", "name", "Gateway");
words!(ORGANIZATIONS: "an organization", "organizations", "domain", "OrganizationRow");
words!(ACCOUNTS: "an account", "accounts", "friendly name", "AccountRow");
words!(APPLICATIONS: "an application", "applications", "friendly name", "ApplicationRow");
