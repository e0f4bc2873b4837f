//! What the numbering plan says of a text, by the metadata that libphonenumber collects.

use phonenumber::Type;
use phonenumber::metadata::DATABASE;

use crate::ids::AccountSid;
use crate::store::{Classified, NumberKind};

use super::{Result, Service, ServiceError};

/// How many texts are looked at in one go.
const BATCH: u64 = 2_000;

/// Builds the tables of the plan: the first look into them takes a tenth of a second, which no request
/// should pay.
pub fn warm() {
    let american = classified("+14155552671");
    debug_assert_eq!(american.country, "US");
}

/// What the plan says of a text. Only `+` and digits, or digits alone, can be numbers of it.
#[must_use]
pub fn classified(text: &str) -> Classified {
    let none = || Classified { number: text.to_owned(), kind: NumberKind::None, country: String::new() };
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return none();
    }
    let Ok(number) = phonenumber::parse(None, format!("+{digits}")) else { return none() };
    if !number.is_valid() {
        return none();
    }
    let kind = match number.number_type(&DATABASE) {
        Type::TollFree => NumberKind::TollFree,
        Type::Mobile => NumberKind::Mobile,
        Type::FixedLineOrMobile => NumberKind::Either,
        _ => NumberKind::Local,
    };
    let country = number.country().id().map(|id| format!("{id:?}")).unwrap_or_default();
    Classified { number: text.to_owned(), kind, country }
}

impl Service {
    /// Sees to it that every number of an account, or of the inventory, is classified.
    pub(super) async fn classify(&self, account: Option<AccountSid>) -> Result<()> {
        loop {
            let texts = self.store.unclassified(account, BATCH).await?;
            if texts.is_empty() {
                return Ok(());
            }
            // Microseconds each, but thousands of them: not on the thread that serves everybody else.
            let look = move || texts.iter().map(|text| classified(text)).collect::<Vec<_>>();
            let found = tokio::task::spawn_blocking(look).await.map_err(|error| {
                tracing::error!(%error, "the numbering plan could not be asked");
                ServiceError::Failed("the numbering plan could not be asked; the log has more")
            })?;
            self.store.classify(&found).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_tells_kinds_and_countries() {
        for (text, kind, country) in [
            ("+14155552671", NumberKind::Either, "US"),
            ("+14166902867", NumberKind::Either, "CA"),
            ("+18005550123", NumberKind::TollFree, "US"),
            ("+442071838750", NumberKind::Local, "GB"),
            ("+447400123456", NumberKind::Mobile, "GB"),
            ("+4156902867", NumberKind::None, ""),
            ("442071838750", NumberKind::Local, "GB"),
            ("1234", NumberKind::None, ""),
            ("16.*", NumberKind::None, ""),
            ("mms:+12345678", NumberKind::None, ""),
        ] {
            let found = classified(text);
            assert_eq!((found.kind, found.country.as_str()), (kind, country), "{text}");
        }
    }
}
