//! Events that wait for those before them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::callback::{self, Notice};
use crate::ids::CallSid;

/// Events of adopted calls, until those before them are known to be delivered or are ours to deliver.
#[derive(Default)]
pub struct Parking(Mutex<(HashSet<CallSid>, Vec<Notice>)>);

impl Parking {
    /// The notice, unless it has to wait.
    pub fn pass(&self, notice: Notice) -> Option<Notice> {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parked.0.contains(&notice.call()) {
            parked.1.push(notice);
            return None;
        }
        Some(notice)
    }

    pub(super) fn park(&self, calls: &HashSet<CallSid>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.extend(calls);
    }

    pub(super) fn release(&self, callbacks: &callback::Feed) {
        let (_, notices) = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for notice in notices {
            callbacks.push(notice);
        }
    }
}
