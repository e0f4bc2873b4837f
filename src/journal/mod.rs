//! The call journal: append-only, local to the node, whatever the store.
