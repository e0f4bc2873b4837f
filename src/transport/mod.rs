//! RFC 3261 section 18 and RFC 3581: where answers go, what arrived from where.
