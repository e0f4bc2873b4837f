//! `callgate.toml`: composes what each folder owns of it.
