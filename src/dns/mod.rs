//! One resolver.
