//! Kazoo's classifiers, in their order: the first that matches the normalized number wins. And how a
//! format prints a number.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::normalize::{constant, normalize};

/// One classifier.
pub(super) struct Classifier {
    pub(super) name: &'static str,
    pub(super) regex: &'static str,
    friendly_name: &'static str,
    pretty_print: Option<&'static str>,
}

/// How a North American number is printed.
const NATIONAL: &str = "SS(###) ### - ####";

/// The order counts: `did_us` would match what stands before it.
pub(super) const CLASSIFIERS: &[Classifier] = &[
    Classifier {
        name: "tollfree_us",
        regex: r"^\+1((?:800|888|877|866|855)\d{7})$",
        friendly_name: "US TollFree",
        pretty_print: Some(NATIONAL),
    },
    Classifier {
        name: "toll_us",
        regex: r"^\+1(900\d{7})$",
        friendly_name: "US Toll",
        pretty_print: Some(NATIONAL),
    },
    Classifier {
        name: "emergency",
        regex: r"^(911)$",
        friendly_name: "Emergency Dispatcher",
        pretty_print: None,
    },
    Classifier {
        name: "caribbean",
        regex: r"^\+?1((?:684|264|268|242|246|441|284|345|767|809|829|849|473|671|876|664|670|787|939|869|758|784|721|868|649|340)\d{7})$",
        friendly_name: "Caribbean",
        pretty_print: Some(NATIONAL),
    },
    Classifier {
        name: "did_us",
        regex: r"^\+?1?([2-9][0-9]{2}[2-9][0-9]{6})$",
        friendly_name: "US DID",
        pretty_print: Some(NATIONAL),
    },
    Classifier {
        name: "international",
        regex: r"^(011\d*)$|^(00\d*)$",
        friendly_name: "International",
        pretty_print: None,
    },
    Classifier { name: "unknown", regex: r"^(.*)$", friendly_name: "Unknown", pretty_print: None },
];

/// The published expressions take any decimal digit; numbers here have ASCII ones.
static COMPILED: LazyLock<Vec<Regex>> =
    LazyLock::new(|| CLASSIFIERS.iter().map(|one| constant(&one.regex.replace(r"\d", "[0-9]"))).collect());

impl Classifier {
    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("regex".into(), self.regex.into());
        fields.insert("friendly_name".into(), self.friendly_name.into());
        if let Some(format) = self.pretty_print {
            fields.insert("pretty_print".into(), format.into());
        }
        fields
    }
}

/// All of them.
pub(super) fn all() -> Value {
    let named = CLASSIFIERS.iter().map(|one| (one.name.to_owned(), one.fields().into()));
    Value::Object(named.collect())
}

/// The one that matches a number as given.
pub(super) fn classify(given: &str) -> Value {
    let number = normalize(given);
    let found = COMPILED.iter().position(|regex| regex.is_match(&number));
    // The last one takes everything but line breaks, and what has those is as unknown.
    let class = &CLASSIFIERS[found.unwrap_or(CLASSIFIERS.len() - 1)];
    let mut fields = class.fields();
    fields.insert("name".into(), class.name.into());
    fields.insert("number".into(), given.into());
    fields.insert("e164".into(), number.clone().into());
    fields.insert("formatted_number".into(), formatted(given, class.pretty_print).into());
    json!(fields)
}

/// A number by its classifier's format; without one, North American numbers have theirs and others stay as
/// they were given.
fn formatted(given: &str, format: Option<&str>) -> String {
    let number = normalize(given);
    match format {
        Some(format) => pretty(&number, format),
        None if number.starts_with("+1") => pretty(&number, NATIONAL),
        None => given.to_owned(),
    }
}

/// Prints a number: `S` skips a character of it, `#` takes one, `*` takes the rest, `\` makes the next
/// character of the format itself, which all others are.
pub(super) fn pretty(number: &str, format: &str) -> String {
    let mut digits = number.chars();
    let mut printed = String::with_capacity(format.len() + number.len());
    let mut signs = format.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            'S' => drop(digits.next()),
            '#' => printed.extend(digits.next()),
            '*' => printed.extend(digits.by_ref()),
            '\\' => printed.push(signs.next_if(|next| matches!(next, 'S' | '#' | '*')).unwrap_or('\\')),
            other => printed.push(other),
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: &str) -> String {
        classify(number)["name"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_first_classifier_that_matches_wins() {
        for (number, expected) in [
            ("+18005550123", "tollfree_us"),
            ("18775550123", "tollfree_us"),
            ("8665550123", "tollfree_us"),
            ("8555550123", "tollfree_us"),
            ("9005550123", "toll_us"),
            ("+18765550123", "caribbean"),
            ("8095550123", "caribbean"),
            ("+17875550123", "caribbean"),
            ("+12125550123", "did_us"),
            ("2125550123", "did_us"),
            ("911", "emergency"),
            ("100", "unknown"),
            ("999", "unknown"),
            ("711", "unknown"),
            ("922", "unknown"),
            ("833", "unknown"),
            // As the document's expressions have it, not those that came later.
            ("8445550123", "did_us"),
            ("8225550123", "did_us"),
            ("8895550123", "did_us"),
            ("+4523456789", "did_us"),
            ("+4415550123", "did_us"),
            ("442079460018", "unknown"),
            ("011442079460018", "unknown"),
            ("41234567", "unknown"),
            ("0115", "international"),
        ] {
            assert_eq!(name(number), expected, "{number}");
        }
    }

    #[test]
    fn a_classified_number_says_all_about_itself() {
        assert_eq!(classify("1\n2")["regex"], r"^(.*)$", "a line break is no reason to say less");
        let found = classify("2125550123");
        assert_eq!(
            found,
            json!({
                "name": "did_us", "friendly_name": "US DID", "number": "2125550123", "e164": "+12125550123",
                "regex": r"^\+?1?([2-9][0-9]{2}[2-9][0-9]{6})$", "pretty_print": "SS(###) ### - ####",
                "formatted_number": "(212) 555 - 0123",
            })
        );
    }

    #[test]
    fn every_classifier_is_told_with_its_format_where_it_has_one() {
        let all = all();
        assert_eq!(all.as_object().unwrap().len(), 7);
        for bare in ["emergency", "international", "unknown"] {
            assert!(all[bare].get("pretty_print").is_none());
        }
        assert_eq!(all["toll_us"]["pretty_print"], NATIONAL);
    }

    #[test]
    fn formats_skip_take_and_quote() {
        for (number, format, expected) in [
            ("+12125550123", "SS(###) ### - *", "(212) 555 - 0123"),
            ("+12125550123", "S\\SS(###\\#) ### - *\\*", "S(212#) 555 - 0123*"),
            ("+12125550123", "*", "+12125550123"),
            ("+12125550123", "SS(###) ##### - ####", "(212) 55501 - 23"),
            ("+12125550123", "SS(###) ##### - *", "(212) 55501 - 23"),
            ("911", "####", "911"),
            ("911", "S*", "11"),
            ("911", "\\\\#", "\\#"),
            ("911", "", ""),
            ("911", "\\", "\\"),
            ("+12125550123", "S#-###-###-####", "1-212-555-0123"),
        ] {
            assert_eq!(pretty(number, format), expected, "{format}");
        }
    }

    #[test]
    fn without_a_format_only_north_american_numbers_are_printed_otherwise() {
        for (number, expected) in [
            ("2125550123", "(212) 555 - 0123"),
            ("8005550123", "(800) 555 - 0123"),
            ("911", "911"),
            ("+442079460018", "+442079460018"),
            ("442079460018", "442079460018"),
            ("*97", "*97"),
        ] {
            assert_eq!(classify(number)["formatted_number"], expected, "{number}");
        }
    }
}
