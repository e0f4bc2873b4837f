//! A small reader and writer of SIP as text, written for the simulated world alone: it shares no line
//! with the stack under test, so that a fault there cannot agree with itself.

/// A message in its parts. Header names are lower case and long.
#[derive(Clone, Debug)]
pub struct Text {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Text {
    /// Reads strictly: CRLF everywhere, printable names, the body exactly as long as Content-Length.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or("no empty line")?;
        let head = std::str::from_utf8(&bytes[..split]).map_err(|_| "the head is no UTF-8")?;
        let body = bytes[split + 4..].to_vec();
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.contains(['\r', '\n', '\0']) {
                return Err(format!("control characters in `{line}`"));
            }
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut().ok_or("a fold before any header")?;
                *value = format!("{value} {}", line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| format!("no colon in `{line}`"))?;
            if name.is_empty() || name.trim() != name {
                return Err(format!("a bad name in `{line}`"));
            }
            headers.push((long(&name.to_ascii_lowercase()), value.trim().to_owned()));
        }
        let text = Self { start, headers, body };
        text.check()?;
        Ok(text)
    }

    fn check(&self) -> Result<(), String> {
        for name in ["via", "from", "to", "call-id", "cseq", "content-length"] {
            let count = self.all(name).count();
            if count == 0 || (count > 1 && name != "via") {
                return Err(format!("{count} {name} headers in `{}`", self.start));
            }
        }
        let length: usize = self.get("content-length").parse().map_err(|_| "Content-Length is no number")?;
        if length != self.body.len() {
            return Err(format!("Content-Length {length}, body {}", self.body.len()));
        }
        let words: Vec<&str> = self.start.split(' ').collect();
        match self.code() {
            Some(code) if !(100..700).contains(&code) => return Err(format!("code {code}")),
            Some(_) => {}
            None if words.len() != 3 || words[2] != "SIP/2.0" => {
                return Err(format!("start `{}`", self.start));
            }
            None if words[0] != self.cseq().1 => return Err(format!("CSeq of `{}`", self.start)),
            None if self.all("max-forwards").count() != 1 => return Err("no Max-Forwards".into()),
            None => {}
        }
        if !self.branch().starts_with("z9hG4bK") {
            return Err(format!("branch `{}`", self.branch()));
        }
        Ok(())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The first header of this name, or nothing.
    pub fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    pub fn code(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub fn is_request(&self) -> bool {
        self.code().is_none()
    }

    pub fn method(&self) -> &str {
        if self.is_request() { self.start.split(' ').next().unwrap_or_default() } else { "" }
    }

    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Number and method.
    pub fn cseq(&self) -> (u32, String) {
        let (number, method) = self.get("cseq").split_once(' ').unwrap_or_default();
        (number.parse().unwrap_or(0), method.trim().to_owned())
    }

    pub fn call_id(&self) -> &str {
        self.get("call-id")
    }

    /// Of the top Via.
    pub fn branch(&self) -> &str {
        param(self.get("via"), "branch").unwrap_or_default()
    }

    pub fn tag_of_from(&self) -> &str {
        param(self.get("from"), "tag").unwrap_or_default()
    }

    pub fn to_tag(&self) -> &str {
        param(self.get("to"), "tag").unwrap_or_default()
    }

    /// The URI in Contact.
    pub fn contact(&self) -> &str {
        let value = self.get("contact");
        value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
    }

    /// The message as octets again.
    pub fn write(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        [out.as_bytes(), &self.body].concat()
    }

    /// The response to this request, without a body.
    pub fn response(&self, status: &str, to_tag: &str, more: &str, body: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {status}\r\n");
        for via in self.all("via") {
            out.push_str(&format!("Via: {via}\r\n"));
        }
        let tag = if self.to_tag().is_empty() && !to_tag.is_empty() {
            format!(";tag={to_tag}")
        } else {
            String::new()
        };
        out.push_str(&format!("From: {}\r\nTo: {}{tag}\r\n", self.get("from"), self.get("to")));
        out.push_str(&format!("Call-ID: {}\r\nCSeq: {}\r\n{more}", self.call_id(), self.get("cseq")));
        out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        out.into_bytes()
    }
}

fn long(name: &str) -> String {
    match name {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "l" => "content-length",
        "m" => "contact",
        "c" => "content-type",
        "k" => "supported",
        "e" => "content-encoding",
        "s" => "subject",
        other => other,
    }
    .to_owned()
}

/// A parameter behind the address of a header value (the last `>`, where there is one).
fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let from = value.rfind('>').map_or(0, |at| at + 1);
    value[from..].split(';').skip(1).find_map(|piece| {
        let (own, text) = piece.split_once('=').unwrap_or((piece, ""));
        own.trim().eq_ignore_ascii_case(name).then_some(text.trim())
    })
}
