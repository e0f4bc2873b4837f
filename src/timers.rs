//! The one timer queue: O(1) insert and cancel, one next deadline; the engine owns the only instance.
