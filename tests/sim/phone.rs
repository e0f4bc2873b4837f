//! A telephone: caller or target, with its own transactions and dialogs by RFC 3261, as text. It talks
//! to the router only.

use std::net::SocketAddr;

use crate::rng::Rng;
use crate::text::Text;

pub const MS: u64 = 1_000_000;
const T1: u64 = 500 * MS;
const T2: u64 = 4_000 * MS;

/// What a caller does, chosen before it begins.
#[derive(Clone, Debug, Default)]
pub struct CallPlan {
    pub number: String,
    /// CANCEL this long after the INVITE (ns).
    pub cancel: Option<u64>,
    /// CANCEL even before a provisional came, as some telephones do.
    pub eager_cancel: bool,
    /// Hang up this long after the answer; `None`: the other side does.
    pub hold: Option<u64>,
    /// Never acknowledge a 2xx.
    pub lose_ack: bool,
    /// Send the INVITE a second time under another branch, as a forking proxy behind a trunk does.
    pub merged: bool,
    /// No SDP in the INVITE; it comes in the ACK.
    pub late_offer: bool,
}

/// What a target does with one INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Answer,
    AnswerAtOnce,
    EarlyMediaThenAnswer,
    EarlyMediaThenRefuse,
    Busy,
    Refuse(u16),
    RingUntilCancel,
    Silent,
    TwoAnswers,
}

/// Something a telephone means to do later.
#[derive(Clone, Debug)]
enum Todo {
    Cancel,
    Merge,
    Respond { branch: String, code: u16, tag: String },
    InDialog { tag: String, method: &'static str },
}

struct Client {
    branch: String,
    method: String,
    bytes: Vec<u8>,
    next: Option<u64>,
    interval: u64,
    /// Timer B or F; a ringing INVITE has none.
    gives_up: Option<u64>,
    provisional: bool,
    done: bool,
    /// The dialog it is in, by remote tag.
    dialog: Option<String>,
}

struct Server {
    branch: String,
    request: Text,
    last: Option<Vec<u8>>,
    code: u16,
    next: Option<u64>,
    interval: u64,
    gives_up: u64,
    tag: String,
}

struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    local_tag: String,
    remote_tag: String,
    uri: String,
    cseq: u32,
    over: bool,
    /// The CSeq of the 2xx it answered, and the ACK to send again.
    ack: Option<(u32, Vec<u8>)>,
}

/// What a telephone may use while it acts.
pub struct Hands<'a> {
    pub now: u64,
    pub rng: &'a mut Rng,
    pub out: &'a mut Vec<Vec<u8>>,
}

pub struct Phone {
    pub addr: SocketAddr,
    plan: CallPlan,
    client: Vec<Client>,
    server: Vec<Server>,
    dialogs: Vec<Dialog>,
    todo: Vec<(u64, Todo)>,
    count: u32,
    invite: Option<(String, u32)>,
    canceled: bool,
    /// Sides that talk inside a call, in percent.
    pub talkative: u64,
    /// What a target does; `None`: drawn per INVITE.
    pub mood: Option<Mood>,
}

impl Phone {
    pub fn new(addr: SocketAddr, plan: CallPlan, talkative: u64) -> Self {
        Self {
            addr,
            plan,
            client: Vec::new(),
            server: Vec::new(),
            dialogs: Vec::new(),
            todo: Vec::new(),
            count: 0,
            invite: None,
            canceled: false,
            talkative,
            mood: None,
        }
    }

    /// When it wants to be woken.
    pub fn wake(&self) -> Option<u64> {
        let clients =
            self.client.iter().filter(|c| !c.done).flat_map(|c| c.next.into_iter().chain(c.gives_up));
        let servers = self.server.iter().filter_map(|s| s.next);
        clients.chain(servers).chain(self.todo.iter().map(|(at, _)| *at)).min()
    }

    fn fresh(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn branch(&mut self) -> String {
        let number = self.fresh();
        format!("z9hG4bK{}p{}n{number}", self.addr.ip().to_string().replace('.', "-"), self.addr.port())
    }

    fn sdp(&self, what: &str) -> String {
        format!(
            "v=0\r\no=- {} 1 IN IP4 {}\r\ns={what}\r\nc=IN IP4 {}\r\nt=0 0\r\n",
            self.addr.port(),
            self.addr.ip(),
            self.addr.ip()
        )
    }

    fn contact(&self) -> String {
        format!("Contact: <sip:phone@{}>\r\n", self.addr)
    }

    /// The first INVITE.
    pub fn call(&mut self, hands: &mut Hands<'_>) {
        let tag = format!("c{}", self.addr.port());
        let call_id = format!("call-{}@{}", self.addr.port(), self.addr.ip());
        let dialog = Dialog {
            call_id,
            local: format!(
                "\"Caller, {0}\" <sip:+1201555{0}@{1}>;tag={tag}",
                self.addr.port(),
                self.addr.ip()
            ),
            remote: format!("<sip:{}@192.0.2.1>", self.plan.number),
            local_tag: tag,
            remote_tag: String::new(),
            uri: format!("sip:{}@192.0.2.1:5060", self.plan.number),
            cseq: 1,
            over: true,
            ack: None,
        };
        let branch = self.branch();
        let body = if self.plan.late_offer { String::new() } else { self.sdp("offer") };
        let more = format!(
            "{}X-Thing: kept, as \"it, is\"\r\nDiversion: <sip:+1999@h>;reason=unknown\r\n",
            self.contact()
        );
        let bytes = request("INVITE", self.addr, &dialog, &branch, &more, &body);
        self.invite = Some((branch.clone(), 1));
        self.dialogs.push(dialog);
        self.begin(hands, "INVITE", branch, bytes, None);
        if let Some(after) = self.plan.cancel {
            self.todo.push((hands.now + after, Todo::Cancel));
        }
        if self.plan.merged {
            self.todo.push((hands.now + hands.rng.between(1, 400) * MS, Todo::Merge));
        }
    }

    /// A client transaction begins.
    fn begin(
        &mut self,
        hands: &mut Hands<'_>,
        method: &str,
        branch: String,
        bytes: Vec<u8>,
        dialog: Option<String>,
    ) {
        hands.out.push(bytes.clone());
        self.client.push(Client {
            branch,
            method: method.to_owned(),
            bytes,
            next: Some(hands.now + T1),
            interval: T1,
            gives_up: Some(hands.now + 64 * T1),
            provisional: false,
            done: false,
            dialog,
        });
    }

    /// Something it waits for is due.
    pub fn tick(&mut self, hands: &mut Hands<'_>) {
        self.tick_clients(hands);
        self.tick_servers(hands);
        let due: Vec<Todo> =
            self.todo.iter().filter(|(at, _)| *at <= hands.now).map(|(_, todo)| todo.clone()).collect();
        self.todo.retain(|(at, _)| *at > hands.now);
        for todo in due {
            match todo {
                Todo::Cancel => self.cancel(hands),
                Todo::Merge => self.merge(hands),
                Todo::Respond { branch, code, tag } => self.respond(hands, &branch, code, &tag),
                Todo::InDialog { tag, method } => self.in_dialog(hands, &tag, method),
            }
        }
    }

    fn tick_clients(&mut self, hands: &mut Hands<'_>) {
        let mut lost = Vec::new();
        for client in self.client.iter_mut().filter(|client| !client.done) {
            let invite = client.method == "INVITE";
            if client.gives_up.is_some_and(|at| at <= hands.now) {
                client.done = true;
                lost.extend(client.dialog.clone());
            }
            if !client.done && client.next.is_some_and(|next| next <= hands.now) {
                hands.out.push(client.bytes.clone());
                client.interval = if invite { client.interval * 2 } else { (client.interval * 2).min(T2) };
                client.next = Some(hands.now + client.interval);
            }
        }
        for tag in lost {
            self.end(&tag);
        }
    }

    fn tick_servers(&mut self, hands: &mut Hands<'_>) {
        let mut unacknowledged = Vec::new();
        for server in &mut self.server {
            if server.next.is_none_or(|next| next > hands.now) {
                continue;
            }
            if hands.now >= server.gives_up {
                server.next = None;
                if server.code < 300 {
                    unacknowledged.push(server.request.tag_of_from().to_owned());
                }
                continue;
            }
            hands.out.extend(server.last.clone());
            server.interval = (server.interval * 2).min(T2);
            server.next = Some(hands.now + server.interval);
        }
        for tag in unacknowledged {
            self.in_dialog(hands, &tag, "BYE");
        }
    }

    fn cancel(&mut self, hands: &mut Hands<'_>) {
        let Some((branch, cseq)) = self.invite.clone() else { return };
        let Some(client) =
            self.client.iter().find(|client| client.branch == branch && client.method == "INVITE")
        else {
            return;
        };
        if client.done || self.canceled {
            return;
        }
        if !client.provisional && !self.plan.eager_cancel {
            // RFC 3261 9.1: not before a provisional.
            self.todo.push((hands.now + 100 * MS, Todo::Cancel));
            return;
        }
        self.canceled = true;
        let mut dialog = self.dialogs.remove(0);
        dialog.cseq = cseq;
        let bytes = request("CANCEL", self.addr, &dialog, &branch, "", "");
        self.dialogs.insert(0, dialog);
        self.begin(hands, "CANCEL", branch, bytes, None);
    }

    /// The same INVITE over another path: all but the branch is equal.
    fn merge(&mut self, hands: &mut Hands<'_>) {
        let Some(first) = self.client.iter().find(|client| client.method == "INVITE") else { return };
        let (old, bytes) = (first.branch.clone(), String::from_utf8_lossy(&first.bytes).into_owned());
        let branch = self.branch();
        let bytes = bytes.replacen(&old, &branch, 1).into_bytes();
        self.begin(hands, "INVITE", branch, bytes, None);
    }

    /// A datagram came.
    pub fn receive(&mut self, hands: &mut Hands<'_>, bytes: &[u8]) {
        let Ok(text) = Text::read(bytes) else { return };
        if let Some(code) = text.code() {
            return self.response(hands, &text, code);
        }
        match text.method() {
            "ACK" => self.acknowledged(&text),
            "CANCEL" => self.canceled(hands, &text),
            _ => self.request(hands, text),
        }
    }

    fn response(&mut self, hands: &mut Hands<'_>, text: &Text, code: u16) {
        let method = text.cseq().1;
        let Some(at) = self.client.iter().position(|c| c.branch == text.branch() && c.method == method)
        else {
            return;
        };
        let (initial, dialog) = (self.client[at].dialog.is_none(), self.client[at].dialog.clone());
        let client = &mut self.client[at];
        if code < 200 {
            client.provisional = true;
            if method == "INVITE" {
                (client.next, client.gives_up) = (None, None);
            } else {
                client.next = Some(hands.now + T2);
            }
            return;
        }
        let first = !client.done;
        client.done = true;
        if method != "INVITE" {
            if method == "BYE" || code == 481 || code == 408 {
                dialog.iter().for_each(|tag| self.end(tag));
            }
        } else if code >= 300 {
            self.refused(hands, text, initial, dialog.as_deref());
            if first && (code == 481 || code == 408) {
                dialog.iter().for_each(|tag| self.end(tag));
            }
        } else {
            self.answered(hands, text, initial);
        }
    }

    /// ACK to a 3xx-6xx: the INVITE's branch, Request-URI and CSeq number (17.1.1.3).
    fn refused(&mut self, hands: &mut Hands<'_>, text: &Text, initial: bool, tag: Option<&str>) {
        let at = self
            .dialogs
            .iter()
            .position(|dialog| initial || Some(dialog.remote_tag.as_str()) == tag)
            .unwrap_or(0);
        let Some(dialog) = self.dialogs.get(at) else { return };
        let uri =
            self.client.iter().find(|c| c.branch == text.branch() && c.method == "INVITE").map(|client| {
                String::from_utf8_lossy(&client.bytes).split(' ').nth(1).unwrap_or_default().to_owned()
            });
        let mut copy = Dialog {
            uri: uri.unwrap_or_default(),
            remote: text.get("to").to_owned(),
            cseq: text.cseq().0,
            ..dialog.copy()
        };
        copy.ack = None;
        hands.out.push(request("ACK", self.addr, &copy, text.branch(), "", ""));
    }

    /// A 2xx: ACK it, each time; the first opens the dialog, another tag is hung up at once.
    fn answered(&mut self, hands: &mut Hands<'_>, text: &Text, initial: bool) {
        let tag = text.to_tag().to_owned();
        let cseq = text.cseq().0;
        let known = self.dialogs.iter().position(|dialog| dialog.remote_tag == tag);
        if let Some((acked, ack)) = known.and_then(|at| self.dialogs[at].ack.clone())
            && acked == cseq
        {
            return hands.out.push(ack);
        }
        if initial && self.plan.lose_ack {
            return;
        }
        let second = initial
            && self.dialogs.iter().any(|dialog| !dialog.remote_tag.is_empty() && dialog.remote_tag != tag);
        let at = known.unwrap_or_else(|| {
            let model = self.dialogs[0].copy();
            let opened = Dialog {
                remote: text.get("to").to_owned(),
                remote_tag: tag.clone(),
                over: false,
                ack: None,
                ..model
            };
            self.dialogs.push(opened);
            self.dialogs.len() - 1
        });
        self.dialogs[at].uri = text.contact().to_owned();
        let branch = self.branch();
        let mut copy = self.dialogs[at].copy();
        copy.cseq = cseq;
        let body = if initial && self.plan.late_offer { self.sdp("answer") } else { String::new() };
        let ack = request("ACK", self.addr, &copy, &branch, "", &body);
        hands.out.push(ack.clone());
        self.dialogs[at].ack = Some((cseq, ack));
        if initial && (second || self.canceled) {
            self.in_dialog(hands, &tag, "BYE");
        } else if initial {
            self.converse(hands, &tag, self.plan.hold);
        }
    }

    /// What is said inside the call.
    fn converse(&mut self, hands: &mut Hands<'_>, tag: &str, hold: Option<u64>) {
        for method in ["INFO", "INVITE", "OPTIONS", "MESSAGE", "UPDATE"] {
            if hands.rng.chance(self.talkative) {
                let at = hands.now + hands.rng.between(100, 3_000) * MS;
                self.todo.push((at, Todo::InDialog { tag: tag.to_owned(), method }));
            }
        }
        if let Some(hold) = hold {
            self.todo.push((hands.now + hold, Todo::InDialog { tag: tag.to_owned(), method: "BYE" }));
        }
    }

    fn in_dialog(&mut self, hands: &mut Hands<'_>, tag: &str, method: &'static str) {
        let pending =
            self.client.iter().any(|c| !c.done && c.method == "INVITE" && c.dialog.as_deref() == Some(tag));
        let Some(at) = self.dialogs.iter().position(|dialog| dialog.remote_tag == tag && !dialog.over) else {
            return;
        };
        // A callee that has no ACK yet holds its BYE and asks nothing (RFC 3261 15).
        let own_tag = self.dialogs[at].local_tag.clone();
        let held = self.server.iter().any(|s| s.next.is_some() && s.code < 300 && s.tag == own_tag);
        if held || (method == "INVITE" && pending) {
            return self.todo.push((hands.now + 300 * MS, Todo::InDialog { tag: tag.to_owned(), method }));
        }
        self.dialogs[at].cseq += 1;
        let branch = self.branch();
        let body = if method == "INVITE" || method == "UPDATE" { self.sdp("again") } else { String::new() };
        let more = if body.is_empty() { String::new() } else { self.contact() };
        let bytes = request(method, self.addr, &self.dialogs[at], &branch, &more, &body);
        self.begin(hands, method, branch, bytes, Some(tag.to_owned()));
        if method == "BYE" {
            self.end(tag);
        }
    }

    fn end(&mut self, tag: &str) {
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.remote_tag == tag) {
            dialog.over = true;
        }
        for server in
            self.server.iter_mut().filter(|server| server.request.tag_of_from() == tag && server.code < 300)
        {
            server.next = None;
        }
    }

    fn acknowledged(&mut self, ack: &Text) {
        for server in self.server.iter_mut().filter(|server| server.request.method() == "INVITE") {
            let same = server.request.cseq().0 == ack.cseq().0 && server.request.call_id() == ack.call_id();
            let refused = server.code >= 300 && server.branch == ack.branch();
            if same && (refused || (server.code < 300 && server.tag == ack.to_tag())) {
                server.next = None;
            }
        }
    }

    fn canceled(&mut self, hands: &mut Hands<'_>, cancel: &Text) {
        let found =
            self.server.iter().find(|s| s.branch == cancel.branch() && s.request.method() == "INVITE");
        let Some((branch, code)) = found.map(|server| (server.branch.clone(), server.code)) else {
            return hands.out.push(cancel.response("481 No Such Transaction", "x", "", ""));
        };
        hands.out.push(cancel.response("200 OK", "x", "", ""));
        if code < 200 {
            self.respond(hands, &branch, 487, "x");
        }
    }

    fn request(&mut self, hands: &mut Hands<'_>, text: Text) {
        let known =
            self.server.iter().find(|s| s.branch == text.branch() && s.request.method() == text.method());
        if let Some(server) = known {
            return hands.out.extend(server.last.clone());
        }
        let (method, branch, tag) =
            (text.method().to_owned(), text.branch().to_owned(), text.tag_of_from().to_owned());
        let inside = !text.to_tag().is_empty();
        let alive = self.dialogs.iter().any(|dialog| dialog.remote_tag == tag && !dialog.over);
        let glare =
            self.client.iter().any(|c| !c.done && c.method == "INVITE" && c.dialog.as_deref() == Some(&tag));
        let own_tag = if inside { text.to_tag().to_owned() } else { String::new() };
        self.server.push(Server {
            branch: branch.clone(),
            request: text,
            last: None,
            code: 0,
            next: None,
            interval: T1,
            gives_up: u64::MAX,
            tag: own_tag,
        });
        match (method.as_str(), inside) {
            ("INVITE", false) => self.ring(hands, &branch),
            ("INVITE", true) if alive && glare => self.respond(hands, &branch, 491, ""),
            (_, true) if !alive => self.respond(hands, &branch, 481, ""),
            _ => self.respond(hands, &branch, 200, "x"),
        }
        if method == "BYE" {
            self.end(&tag);
        }
    }

    /// A new call: the mood decides.
    fn ring(&mut self, hands: &mut Hands<'_>, branch: &str) {
        const MOODS: &[Mood] = &[
            Mood::Answer,
            Mood::Answer,
            Mood::Answer,
            Mood::AnswerAtOnce,
            Mood::EarlyMediaThenAnswer,
            Mood::EarlyMediaThenRefuse,
            Mood::Busy,
            Mood::Refuse(404),
            Mood::Refuse(503),
            Mood::Refuse(603),
            Mood::Refuse(407),
            Mood::Refuse(302),
            Mood::RingUntilCancel,
            Mood::Silent,
            Mood::TwoAnswers,
        ];
        let mood = self.mood.unwrap_or_else(|| hands.rng.pick(MOODS));
        let (one, two) = (format!("t{}a", self.fresh()), format!("t{}b", self.fresh()));
        let ringing = hands.now + hands.rng.between(10, 800) * MS;
        let later = ringing + hands.rng.between(50, 6_000) * MS;
        let mut plan = |at: u64, code: u16, tag: &str| {
            self.todo.push((at, Todo::Respond { branch: branch.to_owned(), code, tag: tag.to_owned() }));
        };
        match mood {
            Mood::Silent => {}
            Mood::AnswerAtOnce => plan(hands.now + MS, 200, &one),
            Mood::Busy => plan(ringing, 486, &one),
            Mood::Refuse(code) => plan(ringing, code, &one),
            Mood::RingUntilCancel => plan(ringing, 180, &one),
            Mood::Answer => {
                plan(ringing, 180, &one);
                plan(later, 200, &one);
            }
            Mood::EarlyMediaThenAnswer => {
                plan(ringing, 183, &one);
                plan(ringing + 20 * MS, 180, &two);
                plan(later, 200, &two);
            }
            Mood::EarlyMediaThenRefuse => {
                plan(ringing, 183, &one);
                plan(later, 480, &one);
            }
            Mood::TwoAnswers => {
                plan(ringing, 180, &one);
                plan(later, 200, &one);
                plan(later + hands.rng.between(0, 2_000) * MS, 200, &two);
            }
        }
    }

    fn respond(&mut self, hands: &mut Hands<'_>, branch: &str, code: u16, tag: &str) {
        let (sdp, contact) = (self.sdp(&format!("from {code}")), self.contact());
        let Some(at) = self.server.iter().rposition(|server| server.branch == branch) else { return };
        let server = &self.server[at];
        let method = server.request.method().to_owned();
        let opens = method == "INVITE" && (200..300).contains(&code);
        if server.code >= 300 || (server.code >= 200 && !opens) {
            return;
        }
        let (more, body) = match (method.as_str(), code) {
            ("INVITE", 302) => ("Contact: <sip:elsewhere@203.0.113.99>\r\n".to_owned(), String::new()),
            ("INVITE", 183 | 200..=299) => (format!("{contact}Content-Type: application/sdp\r\n"), sdp),
            ("INVITE", 180) => (contact, String::new()),
            ("INVITE", 407) => {
                ("Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n".to_owned(), String::new())
            }
            ("INVITE", 503) => ("Retry-After: 9\r\n".to_owned(), String::new()),
            _ => Default::default(),
        };
        let bytes = server.request.response(&format!("{code} Said By Target"), tag, &more, &body);
        hands.out.push(bytes.clone());
        let tag = if server.request.to_tag().is_empty() {
            tag.to_owned()
        } else {
            server.request.to_tag().to_owned()
        };
        if opens && server.code >= 200 {
            // A second answer of a forking proxy: a server of its own, so that both are repeated.
            let request = server.request.clone();
            self.server.push(Server {
                branch: format!("{branch}/second"),
                request,
                last: None,
                code: 0,
                next: None,
                interval: T1,
                gives_up: 0,
                tag: String::new(),
            });
            let last = self.server.len() - 1;
            self.finish(hands, last, code, bytes, &tag);
        } else if code >= 200 && method == "INVITE" {
            self.finish(hands, at, code, bytes, &tag);
        } else {
            let server = &mut self.server[at];
            (server.last, server.code, server.tag) = (Some(bytes), code, tag.clone());
        }
        if opens && self.server[at].request.to_tag().is_empty() {
            self.open(hands, at, &tag);
        }
    }

    /// A final response to an INVITE is repeated until its ACK (13.3.1.4, 17.2.1).
    fn finish(&mut self, hands: &Hands<'_>, at: usize, code: u16, bytes: Vec<u8>, tag: &str) {
        let server = &mut self.server[at];
        server.last = Some(bytes);
        server.code = code;
        server.tag = tag.to_owned();
        server.interval = T1;
        server.next = Some(hands.now + T1);
        server.gives_up = hands.now + 64 * T1;
    }

    fn open(&mut self, hands: &mut Hands<'_>, at: usize, tag: &str) {
        let request = &self.server[at].request;
        let remote_tag = request.tag_of_from().to_owned();
        self.dialogs.push(Dialog {
            call_id: request.call_id().to_owned(),
            local: format!("{};tag={tag}", request.get("to")),
            remote: request.get("from").to_owned(),
            local_tag: tag.to_owned(),
            remote_tag: remote_tag.clone(),
            uri: request.contact().to_owned(),
            cseq: 100,
            over: false,
            ack: None,
        });
        let hold = hands.rng.chance(60).then(|| hands.rng.between(500, 9_000) * MS);
        let last_resort = Some(hold.unwrap_or(120_000 * MS));
        self.converse(hands, &remote_tag, last_resort);
    }
}

impl Dialog {
    fn copy(&self) -> Self {
        Self {
            call_id: self.call_id.clone(),
            local: self.local.clone(),
            remote: self.remote.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
            uri: self.uri.clone(),
            cseq: self.cseq,
            over: self.over,
            ack: self.ack.clone(),
        }
    }
}

fn request(method: &str, addr: SocketAddr, dialog: &Dialog, branch: &str, more: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {addr};branch={branch};rport\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {} {method}\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
        dialog.uri, dialog.local, dialog.remote, dialog.call_id, dialog.cseq, body.len()
    )
    .into_bytes()
}
