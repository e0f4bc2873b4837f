//! Real calls through the real binary: sipp on both sides, a scripted application behind HTTP, a
//! relay that loses datagrams, and a telephone by hand for what sipp cannot say.
//!
//! `CALLGATE_PROOF=1` runs the full counts.

mod app;
mod baresip;
mod calls;
mod cases;
mod dialogs;
mod digest;
mod free_port;
mod hand;
mod legs;
mod load;
mod names;
mod patient;
mod peers;
mod phone;
mod pipe;
mod relay;
mod router;
mod secure;
mod sipp;
mod soak;
mod telephones;
mod watched;
mod zone;
