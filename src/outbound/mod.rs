//! HTTP to customers: one pooled client, guarded, signed.
