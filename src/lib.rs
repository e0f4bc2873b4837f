//! callgate: a SIP-side inbound call router.
//!
//! SIP trunks point at it. For every INVITE it finds the number that was dialled, asks the
//! application behind that number over HTTP what to do with the call, does it as a signalling-only
//! back-to-back user agent (RFC 7092, 3.1), and reports the call's life in status callbacks that
//! are never lost. Media flows between the two ends and never touches it.
//!
//! # The house
//!
//! One package, nine floors, and imports that point only down; rooms of one floor do not know each
//! other. A test reads the sources and fails where that is not so.
//!
//! ```text
//!  8  main.rs  cli/                                     words from the command line
//!  7  daemon/  config/                                  start, run, reload, drain, stop
//!  6  net/  webhook/  callback/  api/                   one outside world each
//!  5  store/  journal/  outbound/  dns/  telemetry/     what several of them share
//! ===== the line: below it no clock, no socket, no file, no task, no randomness of its own =====
//!  4  engine/                                           the one door: Input -> Engine -> Output
//!  3  call/  routing/                                   legs and instructions; whom a call is for
//!  2  transaction/  dialog/  transport/                 RFC 3261 sections 17, 12 and 18
//!  1  sip/                                              bytes <-> messages; no state, no time
//!  0  e164.rs flow.rs ids.rs moment.rs pii.rs reason.rs time.rs timers.rs varint.rs      words everybody uses
//! ```
//!
//! Below the line the core is told the time and says what it wants ([`engine::door`]); above it, a
//! thin rim does exactly that. So the whole router runs inside a simulated world, where one seed is
//! one world, and a day of a lossy network passes in a second.
//!
//! # The walk of one INVITE
//!
//! 1. [`net`] reads a datagram, or frames a stream; [`sip`] scans it in one pass without copying;
//!    [`transport`] notes `received` and `rport`.
//! 2. An existing transaction ends a retransmission here; an existing dialog takes its own; then
//!    the trunk is looked up. [`transaction`] makes a server transaction and 100 Trying leaves.
//! 3. [`routing`] names the organization and the dialled forms, and the directory gives the number:
//!    exact first, then patterns, longest first. Every refusal carries one [`reason`] code.
//! 4. The call is written to the [`journal`], and the engine asks: "what shall this call do?"
//! 5. [`webhook`] asks the application, signed, guarded and within its budget; the answer comes
//!    back as [`call::instructions`].
//! 6. [`call`] carries them out: it invites targets, relays what they say, connects the first that
//!    answers, and passes every request of the dialog between the two legs until one hangs up.
//! 7. Each state change is one journal record that contains what an application is to hear;
//!    [`callback`] is fed from what is written, and delivers at least once, in order per call.
//!
//! # Threads
//!
//! Calls are independent, so the core is sharded: a shard is one thread with one engine and
//! everything its calls touch. *control* is one thread more and runs API, SQL, DNS, reload and
//! callbacks; *journal*, one more, writes and syncs. Lookups never lock: a shard holds an `Arc` of
//! an immutable directory and is handed the next one between two messages.
//!
//! # Words
//!
//! Transaction, dialog, UAC, UAS, branch, provisional and final are RFC 3261's. A *number* is a
//! row: an exact number or a pattern; the *directory* is the immutable snapshot of all of them, and
//! its version is the *generation*. A *decision* is what routing concluded. A *leg* is one INVITE
//! toward one side and the dialogs it opens: the A leg is the trunk's, B legs go to targets; a
//! *call* is one A leg and its B legs. An *ask* is a question with a deadline, the *webhook* the
//! synchronous one, a *callback* the asynchronous report; a *delivery* is one event for one
//! receiver, an *attempt* one HTTP try of it. *Drain* is taking no new calls and ending well.
//!
//! # Deliberately absent
//!
//! No media, no registrar, no cluster protocol of its own; no wire parser by another hand: `rsip`
//! reads 15 of 51 valid torture messages rightly and cannot carry IPv6, folded or compact headers,
//! so it serves as the independent second reader in the demo and the tests instead.

// Floor 0: words everybody uses.
pub mod e164;
pub mod flow;
pub mod ids;
pub mod moment;
pub mod pii;
pub mod reason;
pub mod time;
pub mod timers;
pub mod varint;

// Floor 1: bytes <-> messages.
pub mod sip;

// Floor 2: RFC 3261's layers, as pure machines.
pub mod dialog;
pub mod transaction;
pub mod transport;

// Floor 3: calls and routing.
pub mod call;
pub mod routing;

// Floor 4: the one door.
pub mod engine;

// ===== the line =====

// Floor 5: what several of the outside rooms share.
pub mod dns;
pub mod journal;
pub mod outbound;
pub mod store;
pub mod telemetry;

// Floor 6: one outside world each.
pub mod api;
pub mod callback;
pub mod net;
pub mod webhook;

// Floor 7: the process.
pub mod config;
pub mod daemon;

// Floor 8: words from the command line.
pub mod cli;
