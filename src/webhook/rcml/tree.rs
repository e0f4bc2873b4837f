//! Bytes to elements. No DTD, no entities but the five of XML and character references, nothing
//! fetched; depth, elements and attributes are limited, so that reading is linear in 64 KiB.

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesStart, Event};

use super::Error;

const DEPTH: usize = 32;
const ELEMENTS: usize = 1_000;
const ATTRIBUTES: usize = 64;

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    /// All its own text, in one piece.
    pub(super) text: String,
}

/// The root element of a document.
pub(super) fn read(body: &[u8]) -> Result<Element, Error> {
    let text = std::str::from_utf8(body).map_err(|_| not_xml("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Error::Empty);
    }
    if let Some(bad) = text.chars().find(|c| !is_legal(*c)) {
        return Err(not_xml(&format!("the character U+{:04X}", u32::from(bad))));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    reader.config_mut().check_comments = true;
    let mut builder = Builder::default();
    loop {
        let event = reader.read_event().map_err(|error| not_xml(&error.to_string()))?;
        match event {
            Event::Start(start) => builder.open(&start)?,
            Event::Empty(start) => {
                builder.open(&start)?;
                builder.close();
            }
            Event::End(_) => builder.close(),
            Event::Text(text) => builder.text(&text.xml10_content())?,
            Event::CData(text) => builder.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let name = reference.into_inner();
                builder.text(resolve(&name)?.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(not_xml("a DTD is not accepted")),
            Event::Decl(declaration) => encoding(&declaration)?,
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return builder.finish(),
        }
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Builder {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        if self.root.is_some() {
            return Err(not_xml("there is something after the root element"));
        }
        self.count += 1;
        if self.open.len() >= DEPTH {
            return Err(Error::TooLarge("depth 32"));
        }
        if self.count > ELEMENTS {
            return Err(Error::TooLarge("1,000 elements"));
        }
        let name = start.name().as_ref().to_owned();
        self.open.push(Element { name, attributes: attributes(start)?, ..Element::default() });
        Ok(())
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(not_xml("there is text outside the root element")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, Error> {
        if !self.open.is_empty() {
            return Err(not_xml("it ends inside an element"));
        }
        self.root.ok_or_else(|| not_xml("there is no element"))
    }
}

fn attributes(start: &BytesStart<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut out: Vec<(String, String)> = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| not_xml(&error.to_string()))?;
        let name = attribute.key.as_ref().to_owned();
        if out.len() >= ATTRIBUTES {
            return Err(Error::TooLarge("64 attributes"));
        }
        if out.iter().any(|(known, _)| *known == name) {
            return Err(not_xml(&format!("the attribute {name} stands twice")));
        }
        let value = unescape(&attribute.value)?;
        out.push((name, value));
    }
    Ok(out)
}

/// An attribute's value: references resolved, line ends and tabs as spaces (XML 1.0 3.3.3).
fn unescape(value: &str) -> Result<String, Error> {
    if value.contains('<') {
        return Err(not_xml("a < inside an attribute"));
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        rest = tail;
        if !value[value.len() - tail.len() - 1..].starts_with('&') {
            out.push(' ');
            continue;
        }
        let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(tail.len());
        let whole = end > 0 && tail[end..].starts_with(';');
        if whole || tail.starts_with('#') {
            out.push(resolve(&tail[..end])?);
            rest = tail[end..].strip_prefix(';').ok_or_else(|| not_xml("a reference without end"))?;
        } else {
            out.push('&');
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The character a reference stands for.
fn resolve(name: &str) -> Result<char, Error> {
    let numbered = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(char::from_u32)
    };
    let found = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix('x') {
                Some(hex) => numbered(hex, 16),
                None => numbered(number, 10),
            },
            None => return Err(not_xml(&format!("the entity {name} is not known"))),
        },
    };
    found
        .filter(|c| is_legal(*c))
        .ok_or_else(|| not_xml(&format!("the reference {name} stands for no character")))
}

fn encoding(declaration: &BytesDecl<'_>) -> Result<(), Error> {
    let Some(named) = declaration.encoding() else { return Ok(()) };
    let named = named.map_err(|error| not_xml(&error.to_string()))?;
    if ["utf-8", "utf8", "us-ascii"].iter().any(|known| named.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(not_xml(&format!("the encoding {named} is not read; send UTF-8")))
}

/// XML 1.0 2.2.
const fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn not_xml(why: &str) -> Error {
    Error::NotXml(why.to_owned())
}
