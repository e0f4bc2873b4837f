//! Values as bytes: numbers as varints, texts with their length, options and variants by a byte.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::time::Instant;
use crate::varint;

/// Bytes on their way out; `origin` is the wall time, in microseconds, of the engine's zero.
pub(super) struct Out<'b> {
    pub bytes: &'b mut Vec<u8>,
    pub origin: u64,
}

/// Bytes on their way in. An [`Instant`] before this process's own zero reads as zero.
pub(super) struct In<'b> {
    pub bytes: &'b [u8],
    pub origin: u64,
}

impl<'b> In<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn blob(&mut self) -> Option<&'b [u8]> {
        let len = usize::try_from(u64::get(self)?).ok()?;
        self.take(len)
    }
}

/// A value that stands in the journal. `get` gives `None` for bytes that are no such value.
pub(super) trait Wire: Sized {
    fn put(&self, out: &mut Out<'_>);
    fn get(from: &mut In<'_>) -> Option<Self>;
}

impl Wire for u64 {
    fn put(&self, out: &mut Out<'_>) {
        varint::put(out.bytes, *self);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        varint::take(&mut from.bytes)
    }
}

macro_rules! small {
    ($($kind:ty),*) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out<'_>) {
                u64::from(*self).put(out);
            }
            fn get(from: &mut In<'_>) -> Option<Self> {
                u64::get(from)?.try_into().ok()
            }
        }
    )*};
}

small!(u8, u16, u32);

impl Wire for u128 {
    fn put(&self, out: &mut Out<'_>) {
        out.bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some(Self::from_le_bytes(from.take(16)?.try_into().ok()?))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Out<'_>) {
        u8::from(*self).put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Microseconds.
impl Wire for Duration {
    fn put(&self, out: &mut Out<'_>) {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX).put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        u64::get(from).map(Self::from_micros)
    }
}

/// Wall time in microseconds, so that it means the same to the next process.
impl Wire for Instant {
    fn put(&self, out: &mut Out<'_>) {
        (out.origin + self.as_nanos() / 1000).put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        let micros = u64::get(from)?;
        Some(Self::from_nanos(micros.saturating_sub(from.origin).saturating_mul(1000)))
    }
}

impl Wire for Arc<[u8]> {
    fn put(&self, out: &mut Out<'_>) {
        (self.len() as u64).put(out);
        out.bytes.extend_from_slice(self);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        from.blob().map(Self::from)
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Out<'_>) {
        (self.len() as u64).put(out);
        out.bytes.extend_from_slice(self.as_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        std::str::from_utf8(from.blob()?).ok().map(Self::from)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Out<'_>) {
        (self.len() as u64).put(out);
        out.bytes.extend_from_slice(self.as_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        std::str::from_utf8(from.blob()?).ok().map(Self::from)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Out<'_>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        if bool::get(from)? { T::get(from).map(Some) } else { Some(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Out<'_>) {
        (self.len() as u64).put(out);
        for value in self {
            value.put(out);
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        let len = u64::get(from)?;
        // A wrong length ends at the first value that is not there; nothing is reserved for it.
        (0..len).map(|_| T::get(from)).collect()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Out<'_>) {
        T::put(self, out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        T::get(from).map(Self::new)
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn put(&self, out: &mut Out<'_>) {
        T::put(self, out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        T::get(from).map(Self::new)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Out<'_>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some((A::get(from)?, B::get(from)?))
    }
}

impl Wire for IpAddr {
    fn put(&self, out: &mut Out<'_>) {
        match self {
            Self::V4(four) => {
                out.bytes.push(4);
                out.bytes.extend_from_slice(&four.octets());
            }
            Self::V6(six) => {
                out.bytes.push(6);
                out.bytes.extend_from_slice(&six.octets());
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        match from.byte()? {
            4 => Some(Self::from(<[u8; 4]>::try_from(from.take(4)?).ok()?)),
            6 => Some(Self::from(<[u8; 16]>::try_from(from.take(16)?).ok()?)),
            _ => None,
        }
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Out<'_>) {
        self.ip().put(out);
        self.port().put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some(Self::new(IpAddr::get(from)?, u16::get(from)?))
    }
}

/// A struct is its fields, one behind the other.
macro_rules! fields {
    ($($kind:ty { $($field:tt),* $(,)? })*) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out<'_>) {
                $(self.$field.put(out);)*
            }
            fn get(from: &mut In<'_>) -> Option<Self> {
                Some(Self { $($field: Wire::get(from)?),* })
            }
        }
    )*};
}

/// A variant without content is a number, which stays its own for ever.
macro_rules! variants {
    ($($kind:ty { $($number:literal = $variant:ident),* $(,)? })*) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out<'_>) {
                let number: u8 = match self { $(Self::$variant => $number,)* };
                number.put(out);
            }
            fn get(from: &mut In<'_>) -> Option<Self> {
                match u8::get(from)? {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

pub(super) use {fields, variants};
