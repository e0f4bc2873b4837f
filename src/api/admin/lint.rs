//! Remarks about the patterns of the live directory.

use serde_json::{Value, json};

use crate::routing::lint::{Finding, Note, one, together};
use crate::routing::model::Organization;
use crate::routing::{Directory, lint};

/// The rows that were left out, then what looks wrong among each organization's patterns.
pub(super) fn report(directory: &Directory) -> Vec<Value> {
    let skipped = directory.skipped().map(|skipped| {
        json!({
            "kind": "skipped",
            "number": skipped.text.as_ref(),
            "sid": skipped.sid.to_string(),
            "organization_sid": skipped.organization.to_string(),
            "message": skipped.why,
        })
    });
    let remarks = directory.organizations().flat_map(|organization| remarks(directory, organization));
    skipped.chain(remarks).collect()
}

fn remarks(directory: &Directory, organization: &Organization) -> Vec<Value> {
    let Some(set) = directory.patterns_of(organization.sid) else { return Vec::new() };
    let alone = set.ranked().iter().flat_map(|entry| one(&entry.pattern.text, organization.match_mode));
    let notes: Vec<Note> = alone.chain(together(set)).collect();
    notes.iter().map(|note| print(directory, organization, note)).collect()
}

fn print(directory: &Directory, organization: &Organization, note: &lint::Note) -> Value {
    let number = directory.number(&note.text, organization.sid);
    json!({
        "kind": kind(&note.finding),
        "number": note.text.as_ref(),
        "sid": number.map(|number| number.sid().to_string()),
        "organization_sid": organization.sid.to_string(),
        "message": note.to_string(),
    })
}

const fn kind(finding: &Finding) -> &'static str {
    match finding {
        Finding::Shadowed(_) => "shadowed",
        Finding::Unreachable => "unreachable",
        Finding::Overlapping(..) => "overlapping",
        Finding::CatchAll => "catch_all",
        Finding::StarAfterDigit(_) => "star_after_digit",
        Finding::SubstringOnly(_) => "substring_only",
        Finding::Broken(_) => "broken",
    }
}
