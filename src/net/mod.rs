//! Sockets: UDP and TCP, from bytes to flows and back.
