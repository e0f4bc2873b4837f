//! The HTTP port: dialects, administration, metrics, health.
