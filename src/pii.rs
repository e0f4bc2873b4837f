//! Personal data in logs: telephone numbers are shown whole only where the operator asked for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

static SHOW: AtomicBool = AtomicBool::new(false);

/// Shows (`true`) or redacts (`false`, the default) every [`Pii`] from here on (`[log] show-numbers`).
pub fn show_numbers(show: bool) {
    SHOW.store(show, Ordering::Relaxed);
}

/// A value that names a person. `Display` leaves the last two characters only.
#[derive(Clone, Copy)]
pub struct Pii<T>(pub T);

impl<T: fmt::Display> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOW.load(Ordering::Relaxed) {
            return self.0.fmt(f);
        }
        let text = self.0.to_string();
        let tail = text.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
        write!(f, "…{}", if text.chars().count() > 4 { &text[tail..] } else { "" })
    }
}

impl<T: fmt::Display> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Pii;

    #[test]
    fn a_number_keeps_its_last_two_digits_only() {
        assert_eq!(Pii("+16508251255").to_string(), "…55");
        assert_eq!(Pii("112").to_string(), "…");
    }
}
