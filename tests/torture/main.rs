//! What a scanner meets: the torture messages of RFC 4475 and RFC 5118 and some of our own, mutations
//! of them, and properties of reading and printing.

mod corpus;
mod cost;
#[path = "../fuzz/src/lib.rs"]
mod doors;
mod fuzz;
mod messages;
mod properties;
