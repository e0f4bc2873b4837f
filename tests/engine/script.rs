//! A dialogue is a text: one step a line, `#` begins a comment. Words with blanks in them stand in
//! double quotes; `\r\n` is written `\n`.

/// The steps: line number and words.
pub fn steps(text: &str) -> impl Iterator<Item = (usize, Vec<String>)> {
    text.lines().enumerate().filter_map(|(number, line)| {
        let words = words(line);
        (!words.is_empty()).then_some((number + 1, words))
    })
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let mut word = String::new();
        let mut quoted = false;
        let mut end = rest.len();
        for (at, letter) in rest.char_indices() {
            match letter {
                '"' => quoted = !quoted,
                ' ' if !quoted => {
                    end = at;
                    break;
                }
                other => word.push(other),
            }
        }
        words.push(word.replace("\\n", "\r\n").replace('\'', "\""));
        rest = rest[end..].trim_start();
    }
    words
}

/// The value of `name=value` among words.
pub fn option<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// All values of `name=value` among words.
pub fn options<'w>(words: &'w [String], name: &'w str) -> impl Iterator<Item = &'w str> {
    words.iter().filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
}

/// `500ms`, `32s`, `15m`.
pub fn duration(text: &str) -> std::time::Duration {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).expect("a unit"));
    let number: u64 = digits.parse().expect("a number");
    std::time::Duration::from_millis(match unit {
        "ms" => number,
        "s" => number * 1000,
        "m" => number * 60_000,
        other => panic!("no unit of time: {other}"),
    })
}
