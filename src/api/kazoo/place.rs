//! What a path names, and which methods it takes.

use axum::http::Method;

use super::refusal::Refusal;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Place {
    /// The account's numbers; without an account, the search.
    Numbers,
    /// One number, as it was written.
    Number(String),
    /// `…/activate`.
    Activate(String),
    /// `…/reserve`.
    Reserve(String),
    /// `…/port`.
    Port(String),
    /// `…/identify`.
    Identify(String),
    /// Many numbers at once.
    Collection,
    /// Many to be put in service.
    CollectionActivate,
    /// All classifiers.
    Classifiers,
    /// The classifier of a number.
    Classify(String),
    /// What may still be had.
    Check,
    /// Where numbers are.
    Locality,
    /// The area codes of a city.
    Prefix,
    /// All numbers anew.
    Fix,
    /// One number anew.
    FixOne(String),
    /// What carriers can do.
    Carriers,
    /// The account itself.
    Account,
    /// The accounts right below.
    Children,
    /// All accounts below.
    Descendants,
    /// The accounts above.
    Parents,
    /// A token for a user's digest.
    UserAuth,
    /// A token for a key.
    ApiAuth,
    /// The token itself.
    TokenAuth,
}

/// A path, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Read {
    /// What stands behind `accounts`.
    pub(super) account: Option<String>,
    /// What the path names.
    pub(in crate::api) place: Place,
}

/// Reads a path.
pub(in crate::api) fn read(path: &[String]) -> Option<Read> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let (account, rest) = match parts.as_slice() {
        ["accounts", account, rest @ ..] => (Some((*account).to_owned()), rest),
        rest => (None, rest),
    };
    let place = match rest {
        ["phone_numbers", rest @ ..] => number(rest)?,
        [] if account.is_some() => Place::Account,
        ["children"] if account.is_some() => Place::Children,
        ["descendants"] if account.is_some() => Place::Descendants,
        ["parents"] if account.is_some() => Place::Parents,
        ["user_auth"] if account.is_none() => Place::UserAuth,
        ["api_auth"] if account.is_none() => Place::ApiAuth,
        ["token_auth"] => Place::TokenAuth,
        _ => return None,
    };
    Some(Read { account, place })
}

fn number(rest: &[&str]) -> Option<Place> {
    Some(match rest {
        [] => Place::Numbers,
        ["collection"] => Place::Collection,
        ["collection", "activate"] => Place::CollectionActivate,
        ["classifiers"] => Place::Classifiers,
        ["classifiers", number] => Place::Classify((*number).to_owned()),
        ["check"] => Place::Check,
        ["locality"] => Place::Locality,
        ["prefix"] => Place::Prefix,
        ["fix"] => Place::Fix,
        ["fix", number] => Place::FixOne((*number).to_owned()),
        ["carriers_info"] => Place::Carriers,
        ["collection" | "check" | "locality" | "prefix" | "carriers_info", ..] => return None,
        [number] => Place::Number((*number).to_owned()),
        [number, "activate"] => Place::Activate((*number).to_owned()),
        [number, "reserve"] => Place::Reserve((*number).to_owned()),
        [number, "port"] => Place::Port((*number).to_owned()),
        [number, "identify"] => Place::Identify((*number).to_owned()),
        _ => return None,
    })
}

impl Read {
    /// Whether it is open to those who show no token.
    pub(super) fn is_open(&self) -> bool {
        match self.place {
            Place::Numbers => self.account.is_none(),
            Place::Prefix | Place::Classifiers | Place::Classify(_) | Place::UserAuth | Place::ApiAuth => {
                true
            }
            _ => false,
        }
    }

    /// Whether an object without members is as good as no body: as documented for `activate`. Everything else
    /// wants its data in the envelope.
    pub(in crate::api) fn may_be_bare(&self) -> bool {
        matches!(self.place, Place::Activate(_))
    }

    /// Refuses a method that the path does not take.
    pub(super) fn takes(&self, method: &Method) -> Result<(), Refusal> {
        if self.methods().contains(method) { Ok(()) } else { Err(Refusal::wrong_method()) }
    }

    /// The methods that the path takes, beside OPTIONS.
    pub(in crate::api) fn methods(&self) -> &'static [Method] {
        match self.place {
            Place::Number(_) => &[Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE],
            Place::Collection => &[Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE],
            Place::Activate(_) | Place::Reserve(_) | Place::Port(_) | Place::CollectionActivate => {
                &[Method::PUT]
            }
            Place::UserAuth | Place::ApiAuth => &[Method::PUT],
            Place::Check | Place::Locality => &[Method::POST],
            Place::Fix | Place::FixOne(_) => &[Method::POST, Method::GET],
            Place::TokenAuth => &[Method::GET, Method::DELETE],
            Place::Account => &[Method::GET, Method::POST, Method::PATCH],
            Place::Numbers
            | Place::Identify(_)
            | Place::Classifiers
            | Place::Classify(_)
            | Place::Prefix
            | Place::Carriers
            | Place::Children
            | Place::Descendants
            | Place::Parents => &[Method::GET],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Option<Place> {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        read(&path).map(|read| read.place)
    }

    #[test]
    fn words_are_no_numbers() {
        assert_eq!(place("accounts/a/phone_numbers/check"), Some(Place::Check));
        assert_eq!(place("accounts/a/phone_numbers/fix/+1"), Some(Place::FixOne("+1".into())));
        assert_eq!(place("accounts/a/phone_numbers/+1"), Some(Place::Number("+1".into())));
        assert_eq!(place("phone_numbers"), Some(Place::Numbers));
        for none in
            ["accounts/a/phone_numbers/+1/bogus", "accounts/a/phone_numbers/check/1", "nothing", "accounts"]
        {
            assert_eq!(place(none), None, "{none}");
        }
    }

    #[test]
    fn a_path_takes_its_methods_alone() {
        let takes = |path: &str, method: Method| {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            read(&path).unwrap().takes(&method).is_ok()
        };
        for (path, method) in [
            ("accounts/a/phone_numbers", Method::PATCH),
            ("accounts/a/phone_numbers", Method::POST),
            ("accounts/a/phone_numbers/classifiers", Method::DELETE),
            ("accounts/a/phone_numbers/check", Method::GET),
            ("accounts/a/phone_numbers/1/activate", Method::POST),
            ("accounts/a/phone_numbers/1/identify", Method::PUT),
        ] {
            assert!(!takes(path, method.clone()), "{method} {path}");
        }
        assert!(takes("accounts/a/phone_numbers/fix", Method::GET), "as the document's last section has it");
    }
}
