//! A peer of the engine: a few lines of SIP that know nothing of the engine's own code.

use std::collections::VecDeque;
use std::net::SocketAddr;

use callgate::flow::Domain;

use crate::script::{option, options};

/// A message as lines; enough to read what the engine wrote.
#[derive(Clone, Debug)]
pub struct Text {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub whole: String,
}

impl Text {
    pub fn read(bytes: &[u8]) -> Self {
        let whole = String::from_utf8(bytes.to_vec()).expect("text");
        let (head, body) = whole.split_once("\r\n\r\n").expect("an empty line");
        let mut lines = head.split("\r\n");
        let start = lines.next().expect("a start line").to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}"));
            (name.to_owned(), value.to_owned())
        };
        Self { start, headers: lines.map(header).collect(), body: body.to_owned(), whole: whole.clone() }
    }

    pub fn all<'t, 'n>(&'t self, name: &'n str) -> impl Iterator<Item = &'t str> + use<'t, 'n> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_else(|| panic!("no {name} in\n{}", self.whole))
    }

    pub fn method(&self) -> &str {
        self.get("CSeq").split(' ').nth(1).expect("a method")
    }

    pub fn is_request(&self) -> bool {
        !self.start.starts_with("SIP/2.0 ")
    }

    pub fn code(&self) -> &str {
        self.start.strip_prefix("SIP/2.0 ").map_or("", |rest| &rest[..3])
    }
}

/// What of a dialog a peer needs to speak in it.
#[derive(Clone, Debug, Default)]
struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    invite_cseq: u32,
    invite_remote: String,
    branch: String,
    uri: String,
}

#[derive(Debug)]
pub struct Peer {
    pub name: String,
    pub address: SocketAddr,
    /// Over a stream; with TLS; and whom it must prove to be then.
    pub tcp: bool,
    pub tls: bool,
    pub domain: Option<Domain>,
    pub inbox: VecDeque<Text>,
    received: Vec<Text>,
    dialog: Dialog,
    pub last_sent: String,
    pub last_got: Option<Text>,
    serial: u32,
}

impl Peer {
    pub fn new(name: &str, address: SocketAddr, tcp: bool) -> Self {
        Self {
            name: name.to_owned(),
            address,
            tcp,
            tls: false,
            domain: None,
            inbox: VecDeque::new(),
            received: Vec::new(),
            dialog: Dialog::default(),
            last_sent: String::new(),
            last_got: None,
            serial: 0,
        }
    }

    /// The Call-ID of its latest dialog.
    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    /// The one of UDP, TCP and TLS that it speaks.
    pub fn transport<T>(&self, [udp, tcp, tls]: [T; 3]) -> T {
        match (self.tls, self.tcp) {
            (true, _) => tls,
            (_, true) => tcp,
            _ => udp,
        }
    }

    fn contact(&self) -> String {
        format!(
            "<sip:{}@{}{}>",
            self.name,
            self.address,
            self.transport(["", ";transport=tcp", ";transport=tls"])
        )
    }

    fn via(&mut self, branch: Option<&str>) -> String {
        self.serial += 1;
        let branch = branch.map_or_else(|| format!("z9hG4bK{}{}", self.name, self.serial), ToOwned::to_owned);
        let transport = self.transport(["UDP", "TCP", "TLS"]);
        format!("Via: SIP/2.0/{transport} {};branch={branch};rport\r\n", self.address)
    }

    /// What the engine sent: taken note of for what comes next in its dialog.
    pub fn note(&mut self, text: &Text) {
        let contact = text.all("Contact").next().map(|contact| contact.trim_matches(['<', '>']).to_owned());
        if text.is_request() {
            if text.method() == "INVITE" {
                let remote = text.get("From").to_owned();
                if !text.get("To").contains(";tag=") {
                    let routes = text.all("Record-Route").map(ToOwned::to_owned).collect();
                    self.dialog = Dialog {
                        call_id: text.get("Call-ID").to_owned(),
                        remote,
                        routes,
                        cseq: 100,
                        ..Dialog::default()
                    };
                }
            }
        } else if text.method() == "INVITE" && text.code() > "100" {
            self.dialog.remote = text.get("To").to_owned();
            let mut routes: Vec<String> = text.all("Record-Route").map(ToOwned::to_owned).collect();
            routes.reverse();
            self.dialog.routes = routes;
        }
        if let Some(contact) = contact {
            self.dialog.target = contact;
        }
        self.received.push(text.clone());
    }

    /// A request of this peer: in its dialog, unless it is the first INVITE or `fresh`.
    pub fn request(&mut self, method: &str, words: &[String]) -> String {
        let fresh = self.dialog.local.is_empty() || option(words, "uri").is_some();
        if fresh {
            self.serial += 1;
            let from = option(words, "from")
                .map_or_else(|| format!("<sip:+15550001111@{}>", self.address.ip()), ToOwned::to_owned);
            let uri = option(words, "uri").unwrap_or("sip:100@gate.example").to_owned();
            let to = option(words, "to").map_or_else(|| format!("<{uri}>"), ToOwned::to_owned);
            let tag = option(words, "tag")
                .map_or_else(|| format!("{}{}", self.name, self.serial), ToOwned::to_owned);
            let call_id = option(words, "call-id")
                .map_or_else(|| format!("call-{}-{}", self.name, self.serial), ToOwned::to_owned);
            self.dialog = Dialog {
                call_id,
                local: if tag.is_empty() { from } else { format!("{from};tag={tag}") },
                remote: to,
                target: uri,
                cseq: 1,
                ..Dialog::default()
            };
        } else if !matches!(method, "ACK" | "CANCEL") {
            self.dialog.cseq += 1;
        }
        let (mut cseq, mut target, mut branch) = (self.dialog.cseq, self.dialog.target.clone(), None);
        let mut remote = self.dialog.remote.clone();
        match method {
            "INVITE" => {}
            "ACK" => cseq = self.dialog.invite_cseq,
            "CANCEL" => {
                (cseq, target, branch) =
                    (self.dialog.invite_cseq, self.dialog.uri.clone(), Some(self.dialog.branch.clone()));
                remote.clone_from(&self.dialog.invite_remote);
            }
            _ => {}
        }
        if option(words, "refused").is_some() {
            (target, branch) = (self.dialog.uri.clone(), Some(self.dialog.branch.clone()));
        }
        let branch = option(words, "branch").map(ToOwned::to_owned).or(branch);
        let via = match option(words, "via") {
            Some(via) => format!("Via: {via}\r\n"),
            None => self.via(branch.as_deref()),
        };
        if method == "INVITE" {
            self.dialog.invite_cseq = cseq;
            self.dialog.uri.clone_from(&target);
            self.dialog.invite_remote.clone_from(&remote);
            self.dialog.branch = via
                .split("branch=")
                .nth(1)
                .map_or("", |rest| rest.trim_end())
                .split(';')
                .next()
                .expect("a part")
                .to_owned();
        }
        let mut text = format!("{method} {target} SIP/2.0\r\n{via}");
        if !matches!(method, "CANCEL") && option(words, "refused").is_none() {
            for route in &self.dialog.routes {
                text += &format!("Route: {route}\r\n");
            }
        }
        let hops = option(words, "max-forwards").unwrap_or("70");
        let cseq = option(words, "cseq").map_or(cseq, |number| number.parse().expect("a number"));
        text += &format!(
            "Max-Forwards: {hops}\r\nFrom: {}\r\nTo: {remote}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            self.dialog.local, self.dialog.call_id
        );
        if matches!(method, "INVITE" | "UPDATE") {
            let contact = option(words, "contact").map_or_else(|| self.contact(), ToOwned::to_owned);
            text += &format!("Contact: {contact}\r\n");
        }
        self.finish(text, words)
    }

    /// The response of this peer to the last request of `method` (by default the last INVITE, BYE …).
    pub fn respond(&mut self, code: &str, words: &[String]) -> String {
        let method = words.iter().find(|word| word.chars().all(|letter| letter.is_ascii_uppercase()));
        let fits = |text: &&Text| {
            text.is_request() && text.method() != "ACK" && method.is_none_or(|method| text.method() == method)
        };
        let nth = option(words, "back").map_or(0, |back| back.parse::<usize>().expect("a number"));
        let request = self.received.iter().rev().filter(fits).nth(nth).expect("a request to answer").clone();
        let mut text = format!("SIP/2.0 {code} {}\r\n", option(words, "phrase").unwrap_or("Whatever"));
        for via in request.all("Via") {
            text += &format!("Via: {via}\r\n");
        }
        let mut to = request.get("To").to_owned();
        let tag = option(words, "tag").map_or_else(|| format!("{}-tag", self.name), ToOwned::to_owned);
        if !to.contains(";tag=") && code != "100" && !tag.is_empty() {
            to += &format!(";tag={tag}");
        }
        let cseq = request.get("CSeq");
        text += &format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq}\r\n",
            request.get("From"),
            request.get("Call-ID")
        );
        for route in options(words, "record-route") {
            text += &format!("Record-Route: {route}\r\n");
        }
        if request.method() == "INVITE" {
            self.dialog.local = to;
            self.dialog.call_id = request.get("Call-ID").to_owned();
            self.dialog.remote = request.get("From").to_owned();
            if code > "100" && code < "300" {
                let contact = option(words, "contact").map_or_else(|| self.contact(), ToOwned::to_owned);
                text += &format!("Contact: {contact}\r\n");
            }
        }
        self.finish(text, words)
    }

    fn finish(&mut self, mut text: String, words: &[String]) -> String {
        if option(words, "rack").is_some() {
            // The reliable response that came last, under whose dialog this request goes.
            let mut responses = self.received.iter().rev().filter(|text| !text.is_request());
            let last = responses.find(|text| text.all("RSeq").next().is_some()).expect("a reliable response");
            text += &format!("RAck: {} {}\r\n", last.get("RSeq"), last.get("CSeq"));
        }
        for header in options(words, "h") {
            text += &format!("{header}\r\n");
        }
        let body = option(words, "body").unwrap_or_default();
        if !body.is_empty() {
            let kind = option(words, "type").unwrap_or("application/sdp");
            text += &format!("Content-Type: {kind}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.last_sent.clone_from(&text);
        text
    }
}
