//! XML beside JSON: which of the two a request wants, and an answer's JSON retold as XML.
//!
//! Handlers print one form. What differs in XML follows from rules: names in capitals, `Uri` without
//! suffix, a list's position as attributes, `VoiceUrl` left out where there is none.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt;
use quick_xml::escape::escape;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The form a request wants its answer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    /// XML; JSON otherwise.
    pub(crate) xml: bool,
    /// What the request's path ended in: `.json`, `.xml` or nothing.
    pub(crate) suffix: &'static str,
}

/// The answer's element, as `IncomingPhoneNumber`; travels with the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root(pub(crate) &'static str);

impl Wire {
    /// The suffix decides, else whether `Accept` names JSON; without either it is XML, as in Restcomm.
    /// Also the path without its suffix.
    pub(crate) fn of<'a>(path: &'a str, headers: &HeaderMap) -> (Self, &'a str) {
        for (suffix, xml) in [(".json", false), (".xml", true)] {
            if let Some(path) = path.strip_suffix(suffix) {
                return (Self { xml, suffix }, path);
            }
        }
        let named = |value: &HeaderValue| value.to_str().is_ok_and(|accept| accept.contains("json"));
        let json = headers.get_all(header::ACCEPT).iter().any(named);
        (Self { xml: !json, suffix: "" }, path)
    }
}

/// A JSON answer that knows its element, as XML; any other as it is.
pub(crate) async fn retell(response: Response) -> Response {
    let Some(Root(root)) = response.extensions().get::<Root>().copied() else { return response };
    let (mut parts, body) = response.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        // Our own answers are whole in memory; a broken one stays broken.
        Err(error) => return Response::from_parts(parts, Body::new(format!("{error}\n"))),
    };
    let Ok(tree) = serde_json::from_slice::<Tree>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(document(root, &tree)))
}

/// JSON with its keys in the order they were written.
enum Tree {
    Null,
    Leaf(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn document(root: &str, tree: &Tree) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<RestcommResponse>\n");
    match tree {
        Tree::Object(members) => match members.iter().find(|(name, _)| name.eq_ignore_ascii_case(root)) {
            Some((_, Tree::List(rows))) => {
                let position = members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(root));
                list(&mut text, root, position, rows);
            }
            _ => element(&mut text, 1, root, tree),
        },
        _ => element(&mut text, 1, root, tree),
    }
    text.push_str("</RestcommResponse>\n");
    text
}

/// A page of a list: its position stands in attributes, `num_pages` as `numpages`.
fn list<'a>(
    text: &mut String,
    root: &str,
    position: impl Iterator<Item = &'a (String, Tree)>,
    rows: &[Tree],
) {
    text.push_str("  <");
    text.push_str(root);
    for (name, value) in position {
        if let Tree::Leaf(value) = value {
            text.push_str(&format!(" {}=\"{}\"", name.replace('_', ""), plain(value)));
        }
    }
    text.push_str(">\n");
    for row in rows {
        element(text, 2, &singular(root), row);
    }
    text.push_str(&format!("  </{root}>\n"));
}

fn element(text: &mut String, depth: usize, name: &str, tree: &Tree) {
    let indent = "  ".repeat(depth);
    match tree {
        Tree::Null if name == "VoiceUrl" => {}
        Tree::Null => text.push_str(&format!("{indent}<{name}/>\n")),
        Tree::Leaf(value) => {
            let value = if name == "Uri" { value.strip_suffix(".json").unwrap_or(value) } else { value };
            text.push_str(&format!("{indent}<{name}>{}</{name}>\n", plain(value)));
        }
        Tree::List(rows) => {
            text.push_str(&format!("{indent}<{name}>\n"));
            for row in rows {
                element(text, depth + 1, &singular(name), row);
            }
            text.push_str(&format!("{indent}</{name}>\n"));
        }
        Tree::Object(members) => {
            text.push_str(&format!("{indent}<{name}>\n"));
            for (member, value) in members {
                let member =
                    if name == "Capabilities" { member.trim_end_matches("_capable") } else { member };
                element(text, depth + 1, &capital(member), value);
            }
            text.push_str(&format!("{indent}</{name}>\n"));
        }
    }
}

/// `voice_url` and `voiceUrl` are `VoiceUrl`.
fn capital(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut first = true;
    for c in name.chars() {
        match c {
            '_' => first = true,
            c if first => {
                text.push(c.to_ascii_uppercase());
                first = false;
            }
            c => text.push(c),
        }
    }
    text
}

/// `IncomingPhoneNumbers` hold each an `IncomingPhoneNumber`, `AvailableCountries` an `AvailableCountry`.
fn singular(name: &str) -> String {
    match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => name.strip_suffix('s').unwrap_or(name).to_owned(),
    }
}

/// Escaped; a control character that XML 1.0 cannot hold is replaced.
fn plain(value: &str) -> String {
    let legal = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let value: String = value.chars().map(|c| if legal(c) { c } else { '\u{fffd}' }).collect();
    escape(value.as_str()).into_owned()
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(row) = rows.next_element()? {
            list.push(row);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(root: &str, json: &str) -> String {
        let text = document(root, &serde_json::from_str(json).unwrap());
        let inside = text.split_once("<RestcommResponse>\n").unwrap().1;
        inside.strip_suffix("</RestcommResponse>\n").unwrap().to_owned()
    }

    #[test]
    fn one_resource() {
        let json = r#"{"sid":"PN1","voice_url":null,"sms_url":null,"friendly_name":"a & <b>",
            "capabilities":{"voice_capable":true,"fax_capable":false},"uri":"/x/PN1.json"}"#;
        let expected = "  <IncomingPhoneNumber>\n    <Sid>PN1</Sid>\n    <SmsUrl/>\n    \
            <FriendlyName>a &amp; &lt;b&gt;</FriendlyName>\n    <Capabilities>\n      <Voice>true</Voice>\n      \
            <Fax>false</Fax>\n    </Capabilities>\n    <Uri>/x/PN1</Uri>\n  </IncomingPhoneNumber>\n";
        assert_eq!(told("IncomingPhoneNumber", json), expected);
    }

    #[test]
    fn a_page_has_its_position_in_attributes() {
        let json = r#"{"page":0,"num_pages":3,"next_page_uri":"/x?Page=1&PageSize=2","incomingPhoneNumbers":[{"sid":"PN1"}]}"#;
        let expected = "  <IncomingPhoneNumbers page=\"0\" numpages=\"3\" \
            nextpageuri=\"/x?Page=1&amp;PageSize=2\">\n    <IncomingPhoneNumber>\n      <Sid>PN1</Sid>\n    \
            </IncomingPhoneNumber>\n  </IncomingPhoneNumbers>\n";
        assert_eq!(told("IncomingPhoneNumbers", json), expected);
    }

    #[test]
    fn bare_lists() {
        let expected =
            "  <AvailableCountries>\n    <AvailableCountry>US</AvailableCountry>\n  </AvailableCountries>\n";
        assert_eq!(told("AvailableCountries", r#"["US"]"#), expected);
    }

    #[test]
    fn the_suffix_decides_then_accept() {
        let wants = |path: &str, accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            Wire::of(path, &headers).0.xml
        };
        assert!(!wants("/x.json", "application/xml"));
        assert!(wants("/x.xml", "application/json"));
        assert!(!wants("/x", "application/json, */*"));
        assert!(wants("/x", "application/xml"));
        assert!(wants("/x", "*/*"));
    }
}
