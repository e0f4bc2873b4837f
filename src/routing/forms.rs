//! The spellings one dialled string is looked up by, in order, each computed only when reached.

use super::dialled::{Dialled, is_short_code};
use super::model::NumberProfile;
use super::text::Text;
use crate::e164;

/// How a form came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKind {
    /// As dialled, separators removed and the trunk's rules applied.
    Dialled,
    /// As written, before separators were removed.
    Written,
    /// E.164.
    E164,
    /// With or without the leading `+`.
    Plus,
}

impl FormKind {
    const ALL: [Self; 4] = [Self::Dialled, Self::Written, Self::E164, Self::Plus];

    /// In words, for `explain`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialled => "as dialled",
            Self::Written => "as written, separators kept",
            Self::E164 => "E.164",
            Self::Plus => "with or without +",
        }
    }
}

/// The forms computed so far; an iterator of the rest.
#[derive(Clone, Debug)]
pub struct Forms<'a> {
    dialled: &'a Dialled,
    profile: &'a NumberProfile,
    found: [Text; 4],
    count: usize,
    next: usize,
}

impl<'a> Forms<'a> {
    /// Begins before the first form.
    #[must_use]
    pub const fn new(dialled: &'a Dialled, profile: &'a NumberProfile) -> Self {
        Self { dialled, profile, found: [Text::EMPTY; 4], count: 0, next: 0 }
    }

    /// The forms given so far, in order.
    #[must_use]
    pub fn so_far(&self) -> &[Text] {
        &self.found[..self.count]
    }

    fn compute(&self, kind: FormKind) -> Option<Text> {
        let number = &self.dialled.number;
        match kind {
            FormKind::Dialled => Some(*number),
            FormKind::Written if self.dialled.rewritten => None,
            FormKind::Written => Some(self.dialled.raw),
            _ if is_short_code(number, self.profile) => None,
            FormKind::E164 => self.e164(number),
            FormKind::Plus => match number.strip_prefix('+') {
                Some(rest) => Text::new(rest.as_bytes()).filter(|text| !text.is_empty()),
                None => Text::join("+", number),
            },
        }
    }

    fn e164(&self, number: &str) -> Option<Text> {
        let profile = self.profile;
        let joined = self.dialled.context.filter(|_| !number.starts_with('+'));
        let joined = joined.and_then(|context| Text::join(&context, number));
        let number = joined.as_deref().unwrap_or(number);
        let form = if profile.country_code == "1" {
            e164::us(number)
        } else {
            e164::national(
                number,
                &profile.country_code,
                &profile.international_prefix,
                &profile.national_prefix,
            )
        };
        Text::new(form?.as_bytes())
    }
}

impl Iterator for Forms<'_> {
    type Item = (FormKind, Text);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let kind = *FormKind::ALL.get(self.next)?;
            self.next += 1;
            if let Some(text) = self.compute(kind)
                && !self.so_far().contains(&text)
            {
                self.found[self.count] = text;
                self.count += 1;
                return Some((kind, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(user: &str, profile: &NumberProfile) -> Vec<String> {
        let dialled = Dialled::read(user.as_bytes()).expect("readable").rewrite(profile);
        Forms::new(&dialled, profile).map(|(_, text)| text.to_string()).collect()
    }

    #[test]
    fn in_order_and_each_once() {
        let us = NumberProfile::default();
        assert_eq!(forms("6508251255", &us), ["6508251255", "+16508251255", "+6508251255"]);
        assert_eq!(forms("+16508251255", &us), ["+16508251255", "16508251255"]);
        assert_eq!(forms("650-825", &us), ["650825", "650-825", "+1650825", "+650825"]);
        assert_eq!(forms("alice", &us), ["alice", "+alice"]);
    }

    #[test]
    fn short_codes_have_no_derived_form() {
        let profile = NumberProfile { short_codes: vec!["1234".into()], ..NumberProfile::default() };
        for code in ["112", "911", "311", "*77#", "1234"] {
            assert_eq!(forms(code, &profile), [code]);
        }
    }

    #[test]
    fn a_trunk_abroad_writes_its_own_way() {
        let profile = NumberProfile {
            country_code: "44".into(),
            international_prefix: "00".into(),
            national_prefix: "0".into(),
            ..NumberProfile::default()
        };
        assert_eq!(forms("02071838750", &profile), ["02071838750", "+442071838750", "+02071838750"]);
        assert_eq!(forms("0016508251255", &profile), ["0016508251255", "+16508251255", "+0016508251255"]);
    }

    #[test]
    fn a_global_context_completes_a_local_number() {
        let forms = forms("8251255;phone-context=+1650", &NumberProfile::default());
        assert_eq!(forms, ["8251255", "+16508251255", "+8251255"]);
    }
}
