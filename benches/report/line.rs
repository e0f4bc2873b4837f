//! Who is measured, each before one sipp or between two.

use std::path::Path;

use crate::app::App;
use crate::callgate::{Setup, provision};
use crate::free_port::free_port;
use crate::numbers;
use crate::pair::{Outcome, Pair, Size};
use crate::sipp::Side;
use crate::subject::{Does, Subject, floor, kamailio};
use crate::tls::Tls;

/// Who is behind the calling sipp.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The same datagrams and HTTP requests, nothing read.
    Floor,
    /// callgate with webhook, three callbacks, journal.
    Callgate,
    /// Kamailio.
    Kamailio(Does),
}

impl Who {
    /// As the tables say.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Callgate => "callgate",
            Self::Kamailio(Does::Relay) => "Kamailio, bare relay",
            Self::Kamailio(Does::Dialogs) => "Kamailio, dialogs",
            Self::Kamailio(Does::Webhook) => "Kamailio, dialogs, webhook, callbacks",
        }
    }

    /// Questions and reports of a call.
    fn heard(self) -> (usize, usize) {
        match self {
            Self::Floor => (0, 4),
            Self::Callgate | Self::Kamailio(Does::Webhook) => (1, 3),
            Self::Kamailio(_) => (0, 0),
        }
    }
}

/// A started subject with its application, and the sides that call through it.
pub struct Line {
    /// Who it is.
    pub who: Who,
    /// The program.
    pub subject: Subject,
    /// What it asks.
    pub app: App,
    /// The called side; none in redirect mode.
    pub callee: Option<Side>,
    /// The calling side.
    pub caller: Side,
    /// Questions and reports of a call.
    pub heard: (usize, usize),
}

impl Line {
    /// `who` over `transport` (`udp`, `tcp`, `tls`), ready.
    pub fn start(who: Who, transport: &'static str, tls: &Tls) -> Self {
        let (app, port) = (App::start(), free_port());
        let kind = if transport == "udp" { "u1" } else { "t1" };
        let mut callee = Side { transport: kind, ..called(port) };
        let mut target = port;
        if transport == "tls" {
            target = tls.behind(port);
            callee.contact = Some(format!("127.0.0.1:{target};transport=tls"));
        }
        let subject = started(who, transport, target, &app, tls);
        let remote = match transport {
            "udp" => subject.udp,
            "tcp" => subject.tcp,
            _ => tls.before(subject.tls),
        };
        let caller = Side { transport: kind, ..Side::new("caller", free_port(), remote) };
        Self { who, subject, app, callee: Some(callee), caller, heard: who.heard() }
    }

    /// callgate with a store of its own, within so many seconds.
    pub fn with_store(setup: Setup, seconds: u64) -> Self {
        let (app, port) = (App::start(), free_port());
        let store = setup.folder.as_ref().map(|folder| folder.join("callgate.db"));
        let subject = setup.start(seconds);
        let (voice, status) = (app.url(&format!("/dial/{port}")), app.url("/status"));
        match store {
            Some(file) => numbers::provision(&subject, &file, &voice, &status),
            None => provision(&subject, "call", &voice, &status),
        }
        let caller = Side::new("caller", free_port(), subject.udp);
        let who = Who::Callgate;
        Self { who, subject, app, callee: Some(called(port)), caller, heard: who.heard() }
    }

    /// callgate in redirect mode without callbacks, or the floor of that.
    pub fn redirected(who: Who) -> Self {
        let app = App::start();
        let (subject, heard) = if who == Who::Callgate {
            let subject = Setup::default().start(30);
            provision(&subject, "redirect", &app.url("/dial/5999"), "");
            (subject, (1, 0))
        } else {
            let near = free_port();
            (floor(&format!("redirect {near} {}", app.port), near), (0, 1))
        };
        let caller = Side::new("redirected", free_port(), subject.udp);
        Self { who, subject, app, callee: None, caller, heard }
    }

    /// One run of it.
    pub fn run(&self, size: Size) -> Outcome {
        // Each run from a port of its own: what the last one left open is nobody's.
        let caller = Side { port: free_port(), ..self.caller.clone() };
        let (callee, heard) = (self.callee.clone(), self.heard);
        Pair { subject: &self.subject, app: &self.app, callee, caller, heard }.run(size)
    }
}

fn called(port: u16) -> Side {
    Side::new("callee", port, ([127, 0, 0, 1], 9).into())
}

fn started(who: Who, transport: &str, target: u16, app: &App, tls: &Tls) -> Subject {
    let words =
        if transport == "udp" { target.to_string() } else { format!("{target};transport={transport}") };
    match who {
        Who::Floor => {
            let near = free_port();
            floor(&format!("{near} {target} {}", app.port), near)
        }
        Who::Callgate => {
            let sip = if transport == "tls" { tls.section() } else { String::new() };
            let subject = Setup { sip, ..Setup::default() }.start(30);
            let path = if transport == "udp" {
                format!("/dial/{target}")
            } else {
                format!("/dial/{target}/{transport}")
            };
            provision(&subject, "call", &app.url(&path), &app.url("/status"));
            subject
        }
        Who::Kamailio(does) => {
            let files = (tls.certificate.as_path(), tls.key.as_path());
            let files: Option<(&Path, &Path)> = (transport == "tls").then_some(files);
            kamailio(does, &words, app.port, files)
        }
    }
}
