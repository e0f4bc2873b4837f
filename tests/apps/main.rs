//! Applications as callgate meets them: a local HTTP server that answers, stalls, lies and dies, and
//! behind it the webhook, the callbacks and the signatures, over real sockets on loopback.

mod callbacks;
mod cost;
mod facts;
mod guard;
mod names;
mod server;
mod signatures;
mod tls;
mod webhook;
