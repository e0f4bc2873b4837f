//! Limits of the client, and which private addresses it may reach.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::routing::model::Prefix;

/// What the client is born with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Private addresses that may be reached all the same.
    pub allow_private: AllowPrivate,
    /// Most time for one connection, TLS included.
    pub connect_timeout: Duration,
    /// An idle connection is closed after this; below the 5 s at which common servers close theirs.
    pub idle: Duration,
    /// Most octets of a body that are read.
    pub body_limit: usize,
    /// Most requests at once to one URL; beyond: [`crate::reason::Reason::WebhookOverloaded`].
    pub in_flight: usize,
    /// A PEM file of certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: AllowPrivate::default(),
            connect_timeout: Duration::from_secs(2),
            idle: Duration::from_secs(4),
            body_limit: 64 * 1024,
            in_flight: 256,
            ca_file: None,
        }
    }
}

/// `allow-private-addresses = false | true | ["10.0.0.0/8", …]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowPrivate {
    /// None.
    #[default]
    None,
    /// All of them; for the demo and for closed networks.
    All,
    /// Those within these prefixes.
    Within(Vec<Prefix>),
}

impl<'de> Deserialize<'de> for AllowPrivate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "true, false or a list of prefixes such as \"10.0.0.0/8\"")]
        enum Form {
            Flag(bool),
            List(Vec<String>),
        }
        match Form::deserialize(deserializer)? {
            Form::Flag(false) => Ok(Self::None),
            Form::Flag(true) => Ok(Self::All),
            Form::List(list) => {
                list.iter().map(|text| prefix(text)).collect::<Result<_, _>>().map(Self::Within)
            }
        }
        .map_err(|error: String| de::Error::custom(error))
    }
}

fn prefix(text: &str) -> Result<Prefix, String> {
    let bad = || format!("`{text}` is no address prefix: write 10.0.0.0/8, fd00::/8 or one address");
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(most), |length| length.parse::<u8>().map_err(|_| bad()))?;
    if length > most {
        return Err(bad());
    }
    Ok(Prefix { address, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        allow: AllowPrivate,
    }

    fn read(text: &str) -> Result<AllowPrivate, toml::de::Error> {
        toml::from_str::<Holder>(text).map(|holder| holder.allow)
    }

    #[test]
    fn the_three_forms_are_read() {
        assert_eq!(read("allow = false").unwrap(), AllowPrivate::None);
        assert_eq!(read("allow = true").unwrap(), AllowPrivate::All);
        let AllowPrivate::Within(list) = read(r#"allow = ["10.0.0.0/8", "::1"]"#).unwrap() else {
            panic!("a list is a list");
        };
        assert_eq!((list[0].length, list[1].length), (8, 128));
    }

    #[test]
    fn a_wrong_prefix_says_how_to_write_one() {
        let error = read(r#"allow = ["10.0.0.0/33"]"#).unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/33") && error.contains("fd00::/8"), "{error}");
        assert!(read("allow = 3").unwrap_err().to_string().contains("list of prefixes"));
    }
}
