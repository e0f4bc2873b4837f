//! Routing as its users meet it: what is dialled, where, and which number answers.

mod allocations;
mod cases;
#[path = "../engine/counting.rs"]
mod counting;
mod deltas;
mod rules;
mod world;
