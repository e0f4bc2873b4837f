//! Which numbers are wanted, in which order, and what that is in SQL.

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};
use crate::store::column::{Column, Word};
use crate::store::inventory::{NumberKind, OF_KIND};
use crate::store::list::{Conditions, HAS_CALLER, List, Order};
use crate::store::rows::NumberState;
use crate::store::sql::Database;

/// Which numbers are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of this account and of all under it.
    pub under: Option<AccountSid>,
    /// Those of this organization.
    pub organization: Option<OrganizationSid>,
    /// This very text.
    pub number: Option<String>,
    /// A part of the text, `*` standing for any one digit.
    pub number_part: Option<String>,
    /// What people call it: this very friendly name, or the digits of a number that has none.
    pub friendly_name: Option<String>,
    /// A text that the number or its caller id name holds, letters of ASCII in either case.
    pub search: Option<String>,
    /// This very caller id name.
    pub caller_id_name: Option<String>,
    /// Main ones, or the others.
    pub main: Option<bool>,
    /// Shared ones, or the others.
    pub shared: Option<bool>,
    /// Only digits with or without `+`: no patterns, no names.
    pub plain: bool,
    /// In this state.
    pub state: Option<NumberState>,
    /// Those that name this application for voice.
    pub application: Option<ApplicationSid>,
    /// Of this kind; local and mobile ones include those of which the plan does not tell. Only what is
    /// classified is found.
    pub kind: Option<NumberKind>,
    /// Neither patterns nor other schemes than telephony's.
    pub dialled: bool,
    /// Only those that somebody has: not in the inventory, not given back.
    pub held: bool,
    /// In which order.
    pub order: NumberOrder,
    /// From the last to the first.
    pub reverse: bool,
    /// From behind this one on, where it is there: a page's offset does not count then.
    pub after: Option<NumberSid>,
}

/// The order of a list of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberOrder {
    /// By text.
    #[default]
    Number,
    /// By what people call them.
    FriendlyName,
    /// By caller id name, those without one last.
    CallerIdName,
    /// Main ones last.
    Main,
    /// Shared ones last.
    Shared,
}

/// The accounts from one on down.
macro_rules! family {
    () => {
        "(WITH RECURSIVE below (id) AS (SELECT id FROM accounts WHERE id = ? UNION \
         SELECT accounts.id FROM accounts JOIN below ON accounts.parent_id = below.id) SELECT id FROM below) "
    };
}

/// Those of an account and of all under it, read account by account.
const UNDER: &str = concat!("AND account_id IN ", family!());

/// The same, looked for in the order of all numbers: the sign behind the column keeps the servers from reading
/// account by account, for then they would have to sort.
const UNDER_IN_ORDER: &str = concat!("AND account_id || '' IN ", family!());

impl NumberFilter {
    /// The lists that its numbers stand in, one behind the other.
    /// With `few` those of several accounts may be sorted.
    pub(crate) fn lists(&self, database: &Database, few: bool) -> Vec<List> {
        let mut within = Conditions::default();
        if let Some(account) = self.account {
            within.and("AND account_id = ? ", [account.bind()]);
        }
        if let Some(name) = &self.friendly_name {
            within.and("AND called = ? ", [name.clone().bind()]);
        }
        let only = self.conditions(database, few);
        let follows_accounts = self.under.is_some();
        let list = List { within, only, order: Order::Number, follows_accounts };
        let halves = |first: &'static str, second: &'static str| {
            [first, second].map(|half| {
                let mut list = list.clone();
                list.only.and(half, []);
                list
            })
        };
        match self.order {
            NumberOrder::Number => vec![list],
            NumberOrder::FriendlyName => vec![List { order: Order::Called, ..list }],
            NumberOrder::Main => halves("AND NOT main ", "AND main ").into(),
            NumberOrder::Shared => halves("AND NOT shared ", "AND shared ").into(),
            NumberOrder::CallerIdName => {
                let mut bare = list.clone();
                bare.only.and("AND caller_id_name IS NULL ", []);
                let mut named = List { order: Order::Caller, ..list };
                named.within.and(HAS_CALLER, []);
                vec![named, bare]
            }
        }
    }

    /// Whether most of the account's numbers are likely let through.
    pub(crate) fn is_wide(&self) -> bool {
        let Self {
            number_part,
            friendly_name,
            search,
            caller_id_name,
            main,
            shared,
            state,
            application,
            kind,
            ..
        } = self;
        number_part.is_none()
            && friendly_name.is_none()
            && search.is_none()
            && caller_id_name.is_none()
            && main.is_none()
            && shared.is_none()
            && state.is_none()
            && application.is_none()
            && kind.is_none()
            && self.under.is_none()
            && self.organization.is_none()
    }

    /// The conditions that no index of a list begins with.
    fn conditions(&self, database: &Database, few: bool) -> Conditions {
        let mut only = Conditions::default();
        if let Some(account) = self.under {
            only.and(if few { UNDER } else { UNDER_IN_ORDER }, [account.bind()]);
        }
        if let Some(part) = &self.number_part {
            let (condition, value) = digits(database, part);
            only.and(condition, [value.bind()]);
        }
        if let Some(text) = &self.search {
            const HOLDS: &str = "AND (lower(number) LIKE ? ESCAPE '!' \
                 OR lower(coalesce(caller_id_name, '')) LIKE ? ESCAPE '!') ";
            let held = holding(&lower(database, text));
            only.and(HOLDS, [held.clone().bind(), held.bind()]);
        }
        for (condition, value) in [
            ("AND organization_id = ? ", self.organization.map(|sid| sid.bind())),
            ("AND number = ? ", self.number.clone().map(|text| text.bind())),
            ("AND caller_id_name = ? ", self.caller_id_name.clone().map(|text| text.bind())),
            ("AND main = ? ", self.main.map(|flag| flag.bind())),
            ("AND shared = ? ", self.shared.map(|flag| flag.bind())),
            ("AND state = ? ", self.state.map(|state| state.word().bind())),
            ("AND voice_application_id = ? ", self.application.map(|sid| sid.bind())),
        ] {
            if let Some(value) = value {
                only.and(condition, [value]);
            }
        }
        if let Some(kind) = self.kind {
            only.and(OF_KIND, [kind.word().bind(), kind.unless_told().word().bind()]);
        }
        for (condition, wanted) in [
            ("AND shape = 'digits' ", self.plain),
            ("AND shape NOT IN ('pattern', 'address') ", self.dialled),
            (NumberState::AND_HELD, self.held),
        ] {
            if wanted {
                only.and(condition, []);
            }
        }
        only
    }
}

/// Lower case as the server's `lower` makes it: SQLite's knows ASCII only.
fn lower(database: &Database, text: &str) -> String {
    match database {
        Database::Sqlite(_) => text.to_ascii_lowercase(),
        Database::Postgres(_) => text.to_lowercase(),
    }
}

/// `LIKE`'s pattern for what holds this text.
fn holding(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A part of a text with `*` for one digit, as each server matches it.
pub(crate) fn digits(database: &Database, part: &str) -> (&'static str, String) {
    match database {
        Database::Sqlite(_) => ("AND number GLOB ? ", glob(part)),
        Database::Postgres(_) => ("AND number ~ ? ", pattern(part)),
    }
}

fn glob(part: &str) -> String {
    let mut text = String::from("*");
    for c in part.chars() {
        match c {
            '*' => text.push_str("[0-9]"),
            '[' | '?' => text.extend(['[', c, ']']),
            c => text.push(c),
        }
    }
    text.push('*');
    text
}

fn pattern(part: &str) -> String {
    let mut text = String::new();
    for c in part.chars() {
        match c {
            '*' => text.push_str("[0-9]"),
            c if c.is_alphanumeric() => text.push(c),
            c => text.extend(['\\', c]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_digit_and_nothing_else_does() {
        assert_eq!(glob("+1650*"), "*+1650[0-9]*");
        assert_eq!(glob("5?[%"), "*5[?][[]%*");
        assert_eq!(pattern("+1650*"), "\\+1650[0-9]");
        assert_eq!(pattern("^1.$"), "\\^1\\.\\$");
    }
}
