//! One pattern: what counts as one, how its text is read, and its compiled form.
//!
//! Two readings differ from plain regular expressions: a `*` or `+` with nothing before it to repeat
//! is the telephone key itself, and, but for `match = "search"`, the whole dialled form must match.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, literal};

use super::model::MatchMode;
use super::text::MAX_TEXT;

/// Greatest size of a compiled pattern, in bytes.
const SIZE_LIMIT: usize = 128 * 1024;

/// Why a text cannot be stored as a number or pattern; the sentence names the field and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing was given.
    #[error("PhoneNumber is empty: give a number such as +16508251255, or a pattern such as 16.*")]
    Empty,
    /// More than a dialled string can hold.
    #[error("PhoneNumber is {0} bytes long: at most {MAX_TEXT} are stored")]
    TooLong(usize),
    /// Nobody can dial it.
    #[error("PhoneNumber holds a control character: give it without")]
    Control,
    /// Not a regular expression.
    #[error(
        "PhoneNumber `{text}` is no valid pattern: {why}; write `\\` before a key that is meant literally"
    )]
    Syntax {
        /// The text as given.
        text: String,
        /// What the reader says.
        why: String,
    },
    /// Compiles to too much.
    #[error("PhoneNumber `{0}` is too large a pattern: use smaller repetition counts")]
    TooLarge(String),
}

/// Whether `text` is also a pattern: it holds one of `* # ^ | . $ \ [ ] ( ) { } ?`, or a `+` that is
/// not first. `scheme:address` never is.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    let special = |(at, byte): (usize, u8)| match byte {
        b'*' | b'#' | b'^' | b'|' | b'.' | b'$' | b'\\' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'?' => {
            true
        }
        b'+' => at > 0,
        _ => false,
    };
    !has_scheme(text) && text.bytes().enumerate().any(special)
}

/// Checks a number's text as it is to be written.
///
/// # Errors
///
/// A sentence for whoever writes it, when the text is empty, too long, or a pattern that does not
/// compile.
pub fn check(text: &str) -> Result<(), BadText> {
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    if text.len() > MAX_TEXT {
        return Err(BadText::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(BadText::Control);
    }
    if is_pattern(text) && text != "*" { Compiled::new(text, MatchMode::Full).map(drop) } else { Ok(()) }
}

/// `mms:+1…`, `sip:alice@…`: letters, a colon, an address.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, address)| {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(name)
            && !address.is_empty()
    })
}

/// A pattern ready to match, with what its index needs.
#[derive(Debug)]
pub struct Compiled {
    /// The row's own text.
    pub text: Arc<str>,
    /// How it matches.
    pub mode: MatchMode,
    /// Least and greatest length of a matching form, in bytes.
    pub lengths: (usize, usize),
    /// What every match begins with, one of these; empty: nothing is known.
    pub prefixes: Vec<Vec<u8>>,
    /// What every match ends with, one of these; empty: nothing is known.
    pub suffixes: Vec<Vec<u8>>,
    regex: Regex,
}

impl Compiled {
    /// Reads and compiles `text`.
    ///
    /// # Errors
    ///
    /// As [`check`].
    pub fn new(text: &str, mode: MatchMode) -> Result<Self, BadText> {
        let source = read_keys(text);
        let whole = match mode {
            MatchMode::Full => format!(r"\A(?:{source})\z"),
            MatchMode::Search => source.clone(),
        };
        // The text by itself first: `)(` must not become valid inside the anchors.
        let hir = parse(&source).map_err(|why| syntax(text, &why))?;
        let regex = RegexBuilder::new(&whole)
            .unicode(false)
            .size_limit(SIZE_LIMIT)
            .nest_limit(32)
            .build()
            .map_err(|error| refuse(text, &error))?;
        let indexed = mode == MatchMode::Full;
        let properties = hir.properties();
        let lengths = (properties.minimum_len().unwrap_or(0), properties.maximum_len().unwrap_or(usize::MAX));
        Ok(Self {
            text: text.into(),
            mode,
            lengths: if indexed { lengths } else { (lengths.0, usize::MAX) },
            prefixes: if indexed { literals(&hir, literal::ExtractKind::Prefix) } else { Vec::new() },
            suffixes: if indexed { literals(&hir, literal::ExtractKind::Suffix) } else { Vec::new() },
            regex,
        })
    }

    /// Whether `form` matches.
    #[must_use]
    pub fn matches(&self, form: &str) -> bool {
        self.regex.is_match(form.as_bytes())
    }

    /// The pattern as read, parsed anew.
    ///
    /// # Panics
    ///
    /// Never: it was parsed before.
    #[must_use]
    pub fn hir(&self) -> Hir {
        parse(&read_keys(&self.text)).expect("it was parsed before")
    }

    /// Whether a look-up has to try it against every form.
    #[must_use]
    pub fn is_unindexable(&self) -> bool {
        self.prefixes.is_empty() && self.suffixes.is_empty()
    }
}

fn parse(source: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(32).build();
    parser.parse(source).map_err(Box::new)
}

fn syntax(text: &str, error: &regex_syntax::Error) -> BadText {
    let why = match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "it cannot be read".to_owned(),
    };
    BadText::Syntax { text: text.to_owned(), why }
}

fn refuse(text: &str, error: &regex::Error) -> BadText {
    match error {
        regex::Error::CompiledTooBig(_) => BadText::TooLarge(text.to_owned()),
        _ => BadText::Syntax { text: text.to_owned(), why: "it cannot be compiled".to_owned() },
    }
}

/// The finite set of literals that every match begins (or ends) with; empty when there is none.
fn literals(hir: &Hir, kind: literal::ExtractKind) -> Vec<Vec<u8>> {
    let mut extractor = literal::Extractor::new();
    extractor.kind(kind).limit_class(12).limit_total(64).limit_literal_len(12);
    let found = extractor.extract(hir);
    let found: Vec<Vec<u8>> =
        found.literals().unwrap_or_default().iter().map(|literal| literal.as_bytes().to_vec()).collect();
    if found.iter().any(Vec::is_empty) { Vec::new() } else { found }
}

/// The text with `*` and `+` escaped where nothing stands before them to repeat: first, or after
/// `^`, `(` or `|`.
fn read_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut rest = text;
    let mut repeatable = false;
    while let Some(next) = rest.chars().next() {
        let token = token_length(rest);
        match next {
            '*' | '+' if !repeatable => {
                out.push('\\');
                repeatable = true;
            }
            '^' | '(' | '|' => repeatable = false,
            _ => repeatable = true,
        }
        out.push_str(&rest[..token]);
        rest = &rest[token..];
    }
    out
}

/// How far the token at the start of `rest` reaches: an escape, a class, a group's opening with its
/// flags, or one character.
fn token_length(rest: &str) -> usize {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    match rest.as_bytes()[0] {
        b'\\' => first + rest[first..].chars().next().map_or(0, char::len_utf8),
        b'[' => class_length(rest),
        b'(' if rest[1..].starts_with('?') => rest.find([':', '>', ')']).map_or(first, |end| end + 1),
        _ => first,
    }
}

/// A class ends at the first `]` that is neither escaped nor its first member; an open one reaches to the end.
fn class_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = if rest[1..].starts_with('^') { 2 } else { 1 };
    if bytes.get(at) == Some(&b']') {
        at += 1;
    }
    let mut depth = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(pattern: &str, form: &str) -> bool {
        Compiled::new(pattern, MatchMode::Full).expect("compiles").matches(form)
    }

    fn search(pattern: &str, form: &str) -> bool {
        Compiled::new(pattern, MatchMode::Search).expect("compiles").matches(form)
    }

    #[test]
    fn keys_with_nothing_to_repeat_are_keys() {
        assert_eq!(read_keys("^*77...33#$"), r"^\*77...33#$");
        assert_eq!(read_keys("+16.*"), r"\+16.*");
        assert_eq!(read_keys("(*1|+2)*"), r"(\*1|\+2)*");
        assert_eq!(read_keys("**21"), r"\**21");
        assert_eq!(read_keys(r"\**"), r"\**");
        assert_eq!(read_keys("[*+]+"), "[*+]+");
        assert_eq!(read_keys("(?:*1)"), r"(?:\*1)");
        assert_eq!(read_keys("12*"), "12*");
    }

    #[test]
    fn the_whole_form_must_match_unless_searching() {
        assert!(full("16.*", "16508251255") && !full("16.*", "99916"));
        assert!(full("7777|8888", "8888") && !full("7777|8888", "177779"));
        assert!(search("16.*", "99916") && search("7777|8888", "177779"));
        assert!(!search("+16.*", "16508251255") && search("+16.*", "+16508251255"));
    }

    #[test]
    fn broken_patterns_are_refused_with_a_sentence() {
        for text in ["(1", "[12", "1{2", "12.*{", "\\", ")(", "^(?!1).*", r"7777\8888"] {
            let error = check(text).expect_err(text).to_string();
            assert!(error.starts_with("PhoneNumber `"), "{error}");
        }
        assert_eq!(check(""), Err(BadText::Empty));
        assert_eq!(check("+1650\r\nX"), Err(BadText::Control));
        assert_eq!(check("1\0"), Err(BadText::Control));
        assert_eq!(check(&"1".repeat(200)), Err(BadText::TooLong(200)));
        assert_eq!(check("(.{1,90}){1,90}"), Err(BadText::TooLarge("(.{1,90}){1,90}".into())));
        for text in ["*", "+16508251255", "alice", "mms:+12345678", "*777#", "1650?", "^[12]2233#$"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_counts_as_a_pattern() {
        for text in ["*", "*777#", "16.*", "1650?", "16(5)", "1+2", "12{3}"] {
            assert!(is_pattern(text), "{text}");
        }
        for text in ["1234", "+1234", "alice", "mms:+12345678", "sip:alice@example.com", "5,6"] {
            assert!(!is_pattern(text), "{text}");
        }
    }

    #[test]
    fn the_index_knows_ends_and_lengths() {
        let compiled = Compiled::new("^[45]234[23]$", MatchMode::Full).expect("compiles");
        assert_eq!(compiled.lengths, (5, 5));
        assert_eq!(compiled.prefixes.len(), 4);
        assert!(Compiled::new(".*", MatchMode::Full).expect("compiles").is_unindexable());
        assert!(Compiled::new("16.*", MatchMode::Search).expect("compiles").is_unindexable());
        assert!(!Compiled::new(".*99", MatchMode::Full).expect("compiles").is_unindexable());
    }
}
