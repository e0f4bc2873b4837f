//! The corpus files: messages with the outcome each must have.

/// One message of the corpus.
pub struct Case {
    /// Its name.
    pub name: String,
    /// Its octets.
    pub bytes: Vec<u8>,
    /// The part that the fault must name; `None`: it must be accepted.
    pub refused_for: Option<String>,
    /// What must be read out of it.
    pub facts: Vec<(String, String)>,
}

/// All of them.
pub fn all() -> Vec<Case> {
    [include_str!("rfc4475.txt"), include_str!("rfc5118.txt"), include_str!("own.txt")]
        .into_iter()
        .flat_map(read)
        .collect()
}

fn read(file: &str) -> impl Iterator<Item = Case> {
    file.split("\n== ").skip(1).map(case)
}

fn case(text: &str) -> Case {
    let (title, text) = text.split_once('\n').expect("a title line");
    let (name, outcome) = title.split_once(": ").expect("`name: outcome`");
    let mut facts = Vec::new();
    let mut bytes = Vec::new();
    // The blank line between two cases ends the last line and is no part of the message.
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        match line.strip_prefix("? ").and_then(|fact| fact.split_once(' ')) {
            Some((key, value)) if bytes.is_empty() => facts.push((key.to_owned(), value.to_owned())),
            _ => unescape(line, &mut bytes),
        }
    }
    Case {
        name: name.to_owned(),
        bytes,
        refused_for: outcome.strip_prefix("refuse ").map(str::to_owned),
        facts,
    }
}

fn unescape(line: &str, bytes: &mut Vec<u8>) {
    let mut rest = line.as_bytes();
    loop {
        rest = match rest {
            [] => return bytes.extend_from_slice(b"\r\n"),
            [b'\\'] => return,
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit");
                bytes.push(u8::try_from(digit(*high) * 16 + digit(*low)).expect("two digits"));
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}
