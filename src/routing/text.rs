//! A short text held inline, so that decoding and spelling a number allocates nothing.

use std::fmt;
use std::ops::Deref;

/// Longest dialled string and longest number text, in bytes.
pub const MAX_TEXT: usize = 128;

/// UTF-8 text of at most [`MAX_TEXT`] bytes.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; MAX_TEXT],
    length: u8,
}

impl Text {
    /// No text.
    pub const EMPTY: Self = Self { bytes: [0; MAX_TEXT], length: 0 };

    /// `bytes` as text; `None` when they are too many or no UTF-8.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut text = Self::EMPTY;
        text.extend(bytes)?;
        std::str::from_utf8(bytes).ok()?;
        Some(text)
    }

    /// `head` and `tail` as one text; `None` when that is too long.
    #[must_use]
    pub fn join(head: &str, tail: &str) -> Option<Self> {
        let mut text = Self::new(head.as_bytes())?;
        text.extend(tail.as_bytes())?;
        Some(text)
    }

    /// This text without the bytes that `drop` names, which must be ASCII ones.
    #[must_use]
    pub fn without(&self, drop: impl Fn(u8) -> bool) -> Self {
        let mut text = Self::EMPTY;
        for &byte in self.as_bytes() {
            if !drop(byte) {
                text.bytes[usize::from(text.length)] = byte;
                text.length += 1;
            }
        }
        text
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn extend(&mut self, more: &[u8]) -> Option<()> {
        let start = usize::from(self.length);
        let end = start + more.len();
        self.bytes.get_mut(start..end)?.copy_from_slice(more);
        self.length = u8::try_from(end).ok()?;
        Some(())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
