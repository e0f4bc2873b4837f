//! The `[edge]` section.

use serde::Deserialize;

/// What strangers may do before they get no more answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EdgeConfig {
    /// Requests of one source that may be refused at once, and again within `within-seconds`; 0: any number.
    pub refused_requests: u32,
    /// Within how many seconds they are forgiven.
    pub within_seconds: u64,
    /// How long a source that was refused more often gets no answer at all, in seconds; 0: nobody is banned.
    pub ban_seconds: u64,
    /// Sources remembered at once, 80 bytes each; beyond, the one heard of longest ago is forgotten.
    pub sources: usize,
    /// Parts of User-Agents that tell scanners: from a stranger they get no answer, and the second one a ban.
    pub scanners: Vec<String>,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        let scanners = [
            "friendly-scanner",
            "sipvicious",
            "sundayddr",
            "sipcli",
            "pplsip",
            "vaxsipuseragent",
            "sip-scan",
        ];
        Self {
            refused_requests: 20,
            within_seconds: 60,
            ban_seconds: 300,
            sources: 65_536,
            scanners: scanners.map(str::to_owned).to_vec(),
        }
    }
}
