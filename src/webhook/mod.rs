//! The synchronous question: what shall this call do?
