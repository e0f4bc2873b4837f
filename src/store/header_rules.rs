//! Header rules as they stand in the JSON of `trunks.header_rules` and `gateways.header_rules`.

use crate::routing::model::{HeaderAction, HeaderRule, HeaderRules, Way};
use crate::store::column::Word;

/// One rule in JSON.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
struct Form {
    header: String,
    direction: Direction,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    In,
    Out,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Pass,
    Drop,
    Set,
}

/// Reads rules and checks that they may be used.
///
/// # Errors
/// What is wrong, as it follows the name of the field.
pub fn header_rules(text: &str) -> Result<HeaderRules, String> {
    if text.trim().is_empty() {
        return Ok(HeaderRules::default());
    }
    let forms: Vec<Form> = serde_json::from_str(text)
        .map_err(|error| format!("is no list of rules ({error}): use {}", <HeaderRules as Word>::EXPECTED))?;
    let rules: Result<Vec<HeaderRule>, String> = forms.into_iter().map(rule).collect();
    let rules = HeaderRules::new(rules?);
    rules.check().map_err(|bad| format!("has a rule that may not be used: {bad}"))?;
    Ok(rules)
}

fn rule(form: Form) -> Result<HeaderRule, String> {
    let way = match form.direction {
        Direction::In => Way::In,
        Direction::Out => Way::Out,
    };
    let action = match (form.action, form.value) {
        (Action::Pass, None) => HeaderAction::Pass,
        (Action::Drop, None) => HeaderAction::Drop,
        (Action::Set, Some(value)) => HeaderAction::Set(value.into()),
        (Action::Set, None) => return Err(format!("sets {} to nothing: add a value", form.header)),
        (_, Some(_)) => return Err(format!("has a value for {}, which it does not set", form.header)),
    };
    Ok(HeaderRule::new(&form.header, way, action))
}

impl Word for HeaderRules {
    const EXPECTED: &'static str = r#"a JSON list of rules, as [{"header": "X-Site", "direction": "out", "action": "set", "value": "7"}], with the directions in and out, the actions pass, drop and set, and no header of the dialog's own"#;

    fn word(&self) -> String {
        let form = |rule: &HeaderRule| Form {
            header: rule.header().to_owned(),
            direction: match rule.way {
                Way::In => Direction::In,
                Way::Out => Direction::Out,
            },
            action: match rule.action {
                HeaderAction::Pass => Action::Pass,
                HeaderAction::Drop => Action::Drop,
                HeaderAction::Set(_) => Action::Set,
            },
            value: match &rule.action {
                HeaderAction::Set(value) => Some(value.to_string()),
                HeaderAction::Pass | HeaderAction::Drop => None,
            },
        };
        let forms: Vec<Form> = self.as_slice().iter().map(form).collect();
        serde_json::to_string(&forms).expect("texts have a JSON form")
    }

    fn of_word(text: &str) -> Option<Self> {
        // `EXPECTED` says what to write; the API tells what is wrong.
        header_rules(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_back_as_they_were_written() {
        let text = r#"[{"header":"X-Site","direction":"out","action":"set","value":"7"},{"header":"Subject","direction":"in","action":"drop"}]"#;
        assert_eq!(header_rules(text).unwrap().word(), text);
        assert_eq!(header_rules("").unwrap().word(), "[]");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let say = |text: &str| header_rules(text).unwrap_err();
        assert!(
            say(r#"[{"header":"Via","direction":"out","action":"drop"}]"#)
                .contains("Via belongs to the dialog")
        );
        assert!(say(r#"[{"header":"X-A","action":"drop"}]"#).contains("direction"));
        assert!(say(r#"[{"header":"X-A","direction":"out","action":"set"}]"#).contains("add a value"));
        assert!(say(r#"[{"header":"X-A","direction":"out","action":"drop","value":"1"}]"#).contains("X-A"));
        assert!(say("X-A").starts_with("is no list of rules"));
    }
}
