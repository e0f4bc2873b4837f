//! Numbers and their states.

use jiff::Timestamp;

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};
use crate::routing::model::Method;
use crate::store::table::table;

table! {
    /// A number: an exact one, a pattern or the catch-all.
    NumberRow in "numbers" {
        /// Identity.
        1 id: NumberSid,
        /// Owner; empty in SQL by hand: the default account.
        2 account_id: AccountSid,
        /// Always the account's organization; triggers keep it so whatever is written.
        3 organization_id: OrganizationSid,
        /// The text that is dialled, or a pattern.
        4 number: String,
        /// A pure SIP number: unique per organization; a provider number is unique in the system.
        5 is_sip: bool,
        /// Kazoo's words; `in_service`, `port_in` and `port_out` route.
        6 state: NumberState,
        /// What people call it; NULL: its digits.
        7 friendly_name: Option<String>,
        /// Asked what to do with a call.
        8 voice_url: Option<String>,
        /// How.
        9 voice_method: Method,
        /// Asked when it fails.
        10 voice_fallback_url: Option<String>,
        /// How.
        11 voice_fallback_method: Method,
        /// Its application, whose URLs win over the number's.
        12 voice_application_id: Option<ApplicationSid>,
        /// Whether the caller's name is looked up.
        13 voice_caller_id_lookup: bool,
        /// Told what became of the call.
        14 status_callback: Option<String>,
        /// How.
        15 status_callback_method: Method,
        /// A SIP URI for when no URL gave a document.
        16 fallback_target: Option<String>,
        /// For messages.
        17 sms_url: Option<String>,
        /// How.
        18 sms_method: Method,
        /// When it fails.
        19 sms_fallback_url: Option<String>,
        /// How.
        20 sms_fallback_method: Method,
        /// The messages' application.
        21 sms_application_id: Option<ApplicationSid>,
        /// For REFER.
        22 refer_url: Option<String>,
        /// How.
        23 refer_method: Method,
        /// REFER's application.
        24 refer_application_id: Option<ApplicationSid>,
        /// For USSD.
        25 ussd_url: Option<String>,
        /// How.
        26 ussd_method: Method,
        /// When it fails.
        27 ussd_fallback_url: Option<String>,
        /// How.
        28 ussd_fallback_method: Method,
        /// USSD's application.
        29 ussd_application_id: Option<ApplicationSid>,
        /// Capability, which informs and blocks nothing.
        30 voice_capable: bool,
        /// Capability.
        31 sms_capable: bool,
        /// Capability.
        32 mms_capable: bool,
        /// Capability.
        33 fax_capable: bool,
        /// The name that goes with it where it is shown as the caller.
        34 caller_id_name: Option<String>,
        /// The account's canonical number; at most one, and always shared.
        35 main: bool,
        /// Offered to everybody of the account as the caller to show.
        36 shared: bool,
        /// What uses it, in Kazoo's words; NULL: what its URLs say.
        37 used_by: Option<String>,
        /// Whose it was before.
        38 previous_account_id: Option<AccountSid>,
        /// The accounts that reserved it, the last first: a number that is given back goes to the one before.
        39 reserve_history: Vec<AccountSid>,
        /// It came from another carrier.
        40 ported_in: bool,
        /// What Kazoo's clients say of it beside the other columns: a JSON object.
        41 fields: Fields,
        /// Put before the name of who calls.
        42 caller_name_prefix: Option<String>,
        /// Who carries it, in Kazoo's words; NULL: `local`.
        43 carrier: Option<String>,
        /// When it was made.
        44 created_at: Timestamp,
        /// When it was last changed.
        45 updated_at: Timestamp,
    }
}

/// A JSON object in a column.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// The states of a number, in Kazoo's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberState {
    /// Known to a carrier.
    Discovery,
    /// In the inventory, nobody's.
    Available,
    /// Somebody's, not routed.
    Reserved,
    /// Routed.
    #[default]
    InService,
    /// On its way in.
    PortIn,
    /// On its way out.
    PortOut,
    /// Given back.
    Released,
    /// Given back; waits before anybody else may have it.
    Aging,
    /// Taken away by the carrier.
    Disconnected,
    /// Gone.
    Deleted,
}

impl NumberState {
    /// The condition of numbers that somebody has, as [`NumberState::is_held`] says.
    pub(crate) const HELD: &'static str = Self::AND_HELD.split_at(4).1;
    /// The same behind another condition.
    pub(crate) const AND_HELD: &'static str =
        "AND state NOT IN ('discovery', 'available', 'released', 'aging', 'deleted') ";

    /// Whether somebody has a number in this state; the others are as if they were not there.
    #[must_use]
    pub const fn is_held(self) -> bool {
        !matches!(self, Self::Discovery | Self::Available | Self::Released | Self::Aging | Self::Deleted)
    }
}

impl NumberRow {
    /// A number with the defaults of the table; id and dates are given when it is created.
    #[must_use]
    pub fn new(account: AccountSid, organization: OrganizationSid, number: impl Into<String>) -> Self {
        Self {
            id: NumberSid(0),
            account_id: account,
            organization_id: organization,
            number: number.into(),
            is_sip: false,
            state: NumberState::InService,
            friendly_name: None,
            voice_url: None,
            voice_method: Method::Post,
            voice_fallback_url: None,
            voice_fallback_method: Method::Post,
            voice_application_id: None,
            voice_caller_id_lookup: false,
            status_callback: None,
            status_callback_method: Method::Post,
            fallback_target: None,
            sms_url: None,
            sms_method: Method::Post,
            sms_fallback_url: None,
            sms_fallback_method: Method::Post,
            sms_application_id: None,
            refer_url: None,
            refer_method: Method::Post,
            refer_application_id: None,
            ussd_url: None,
            ussd_method: Method::Post,
            ussd_fallback_url: None,
            ussd_fallback_method: Method::Post,
            ussd_application_id: None,
            voice_capable: true,
            sms_capable: true,
            mms_capable: false,
            fax_capable: false,
            caller_id_name: None,
            main: false,
            shared: false,
            used_by: None,
            previous_account_id: None,
            reserve_history: Vec::new(),
            ported_in: false,
            fields: Fields::new(),
            caller_name_prefix: None,
            carrier: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NumberState;
    use crate::store::column::Word;

    #[test]
    fn the_condition_names_just_the_states_in_which_nobody_has_a_number() {
        use NumberState::{
            Aging, Available, Deleted, Disconnected, Discovery, InService, PortIn, PortOut, Released,
            Reserved,
        };
        for state in [
            Discovery,
            Available,
            Reserved,
            InService,
            PortIn,
            PortOut,
            Released,
            Aging,
            Disconnected,
            Deleted,
        ] {
            let named = NumberState::HELD.contains(&format!("'{}'", state.word()));
            assert_eq!(named, !state.is_held(), "{state:?}");
        }
    }
}
