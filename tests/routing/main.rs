//! Routing as its users meet it: what is dialled, where, and which number answers.

mod allocations;
mod cases;
mod deltas;
mod rules;
mod world;
