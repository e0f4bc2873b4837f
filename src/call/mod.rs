//! One call: its legs, its instructions, its outcome.
//!
//! Values that others read: `facts`, what stays the same about a call. `outcome`: how it stands and
//! ends. `instructions`: what an application answered. `record`: what the journal keeps. `trace`:
//! what its trace shows. `messages`: what becomes of a MESSAGE outside calls. `ask`: what it asks of the world. `config`: what the engine is born with.
//!
//! - `state`: what a call remembers, `blank`: in the beginning. `events`: what happens to it. `caller`, `target_side`: its two
//!   sides, with `acks`: a 2xx and its ACK. `dialling`: documents carried out, with `program` (which
//!   verb is next), `planning` (a noun made ready), `fork` (nouns rung together), `running` (which of two Dials rings), `inviting` (each leg's INVITE), `dial_policy` (what it may not), `dialled` (how a
//!   Dial ends), `gateways` (where a number leaves), `hand_over` (media verbs) and `callerid`.
//! - `early`: Timer C and 199. `reliable`: provisional responses that want PRACK.
//! - `relay`: requests inside its dialogs, `relayed`: their responses, `way`: where they go.
//!   `session`: session timers. `liveness`: is the other side still there? `ending`: BYE,
//!   `shed`: what is left then.
//! - `recover`: what the journal says of a call of an earlier life; `resume`: how that goes on or ends,
//!   `revive`: what of it is put back.
//! - `leg_events`: what a noun's callback hears. `redirecting`: 302 instead of legs. `following`: a
//!   target's 3xx.
//!   `transfer`: REFER.
//! - `desk`: the layers below it. `mint`: the ids it puts on the wire. `generator`: randomness.
//! - `auth`, `digest`: credentials toward a target. `proof`: those that a trunk shows. `standing`: how gateways are, `probe`: OPTIONS to them.
//! - `headers`: what passes from one side to the other, `passage`: by trust and the peers' rules.
//!   `privacy`: what is kept from whom. `history`: whom a call was for before. `capabilities`: what each hears of the
//!   other's abilities. `compose`, `phrases`: messages written.
//!   `target`: the way to a peer. `dead`: targets that did not answer lately. `ladder`: a message as a line of the trace.

mod acks;
pub mod ask;
mod auth;
mod blank;
mod caller;
mod callerid;
mod capabilities;
pub mod compose;
pub mod config;
mod dead;
pub mod desk;
mod dial_policy;
mod dialled;
mod dialling;
mod digest;
mod early;
mod ending;
pub mod events;
pub mod facts;
mod following;
mod fork;
mod gateways;
pub mod generator;
mod hand_over;
pub mod headers;
pub mod history;
pub mod instructions;
mod inviting;
mod ladder;
mod leg_events;
mod liveness;
pub mod messages;
pub mod mint;
pub mod outcome;
mod passage;
pub mod phrases;
mod planning;
pub mod privacy;
pub mod probe;
pub mod program;
pub mod proof;
pub mod record;
pub mod recover;
mod redirecting;
mod relay;
mod relayed;
mod reliable;
mod resume;
mod revive;
mod running;
pub mod session;
mod shed;
pub mod standing;
pub mod state;
mod target;
mod target_side;
pub mod trace;
mod transfer;
mod way;
