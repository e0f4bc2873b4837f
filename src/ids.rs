//! Identifiers: 128 bits each, printed as their users know them.

use std::fmt;
use std::str::FromStr;

/// A text that is not the identifier it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: expected `{prefix}` and 32 hexadecimal digits")]
pub struct BadSid {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! sid {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// What its printed form begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 34];
                text[..2].copy_from_slice($prefix.as_bytes());
                hex(self.0, &mut text[2..]);
                f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadSid;

            fn from_str(text: &str) -> Result<Self, BadSid> {
                parse_sid(text, $prefix)
                    .map(Self)
                    .ok_or_else(|| BadSid { text: text.to_owned(), kind: stringify!($name), prefix: $prefix })
            }
        }
    };
}

/// By hand: a call prints some hundred of them, and the formatter takes several times as long.
fn hex(value: u128, digits: &mut [u8]) {
    for (pair, byte) in digits.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = b"0123456789abcdef"[usize::from(half)];
        }
    }
}

fn parse_sid(text: &str, prefix: &str) -> Option<u128> {
    let hex = text.strip_prefix(prefix)?;
    let plain = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if !plain {
        return None;
    }
    u128::from_str_radix(hex, 16).ok()
}

sid!(
    /// A call: one A leg and its B legs.
    CallSid, "CA"
);
sid!(
    /// An account (a Kazoo account, a Wazo tenant).
    AccountSid, "AC"
);
sid!(
    /// A number: an exact one or a pattern.
    NumberSid, "PN"
);
sid!(
    /// An organization.
    OrganizationSid, "OR"
);
sid!(
    /// An application.
    ApplicationSid, "AP"
);
sid!(
    /// A trunk.
    TrunkSid, "TK"
);
sid!(
    /// A gateway.
    GatewaySid, "GW"
);
sid!(
    /// A notification: what was wrong with an application.
    NotificationSid, "NO"
);
sid!(
    /// One running node.
    InstanceSid, "ID"
);

/// One of the 256 virtual shards that minted ids carry, so that the number of real shards may
/// change over a restart (`real = virtual % shards`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualShard(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_prints_and_parses() {
        let sid = CallSid(0x2a);
        let text = "CA0000000000000000000000000000002a";
        assert_eq!(sid.to_string(), text);
        assert_eq!(text.parse(), Ok(sid));
        let sid = TrunkSid(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(sid.to_string(), "TK0123456789abcdeffedcba9876543210");
    }

    #[test]
    fn a_wrong_sid_names_what_was_expected() {
        let error = "AC12".parse::<CallSid>().unwrap_err();
        assert_eq!(error.to_string(), "`AC12` is no CallSid: expected `CA` and 32 hexadecimal digits");
        assert!("CA+000000000000000000000000000002a".parse::<CallSid>().is_err());
    }
}
