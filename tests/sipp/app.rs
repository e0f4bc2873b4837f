//! The scripted application: an HTTP server whose answer stands in the path it is asked at.
//!
//! `/dial/PORT[/tcp]`, `/together/PORT/PORT`, `/reject`, `/hangup`, `/goto/PORT`, `/at/HOST`, `/text/WORD`, `/slow/MS/PORT`, `/never`, `/notfound`, and
//! `/status`, which hears the callbacks; or what a test has it say.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Method and path.
    pub path: String,
    /// The parameters: of its body, or of a GET's query.
    pub form: BTreeMap<String, String>,
    /// The other side was gone before the answer.
    pub aborted: bool,
}

impl Request {
    /// One parameter, empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }
}

/// The server, and what it was asked.
#[derive(Clone)]
pub struct App {
    /// Its port on 127.0.0.1.
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// How many came, where only that is kept beside the last one.
    counted: Option<Arc<AtomicUsize>>,
    documents: Arc<Mutex<BTreeMap<String, (&'static str, String)>>>,
}

impl App {
    /// Starts on a free port; its threads end with the process.
    pub fn start() -> Self {
        Self::launch(None)
    }

    /// One that counts its requests and forgets them: for more of them than memory holds.
    #[allow(dead_code, reason = "the floor bench keeps all of its own")]
    pub fn forgetful() -> Self {
        Self::launch(Some(Arc::default()))
    }

    fn launch(counted: Option<Arc<AtomicUsize>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let app = Self {
            port: listener.local_addr().expect("bound").port(),
            requests: Arc::default(),
            counted,
            documents: Arc::default(),
        };
        let served = app.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let app = served.clone();
                thread::spawn(move || app.serve(stream));
            }
        });
        app
    }

    /// Its URL for `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers `path` with this status line and body from now on; its URL.
    pub fn says(&self, path: &str, status: &'static str, body: &str) -> String {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        documents.insert(path.to_owned(), (status, body.to_owned()));
        self.url(path)
    }

    fn said(&self, path: &str) -> Option<(&'static str, String)> {
        let path = path.split('?').next().unwrap_or(path);
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Everything asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.locked().clone()
    }

    /// The webhook's requests so far.
    pub fn asked(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| !request.path.contains("/status")).collect()
    }

    /// The callbacks so far.
    pub fn told(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path.contains("/status")).collect()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        let counted = self.counted.as_ref().map(|count| count.load(Ordering::SeqCst));
        counted.unwrap_or_else(|| self.locked().len())
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut writer = stream;
        while let Some(request) = read_request(&mut reader) {
            let at = {
                let mut requests = self.locked();
                if let Some(count) = &self.counted {
                    count.fetch_add(1, Ordering::SeqCst);
                    requests.clear();
                }
                requests.push(request.clone());
                requests.len() - 1
            };
            let path = request.path.split(' ').nth(1).unwrap_or("/").to_owned();
            if !wait_as_scripted(&path, &writer) {
                self.locked()[at].aborted = true;
                return;
            }
            let (status, body) = self.said(&path).unwrap_or_else(|| answer(&path));
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if writer.write_all((head + &body).as_bytes()).is_err() {
                self.locked()[at].aborted = true;
                return;
            }
        }
    }
}

/// Waits as the path says; false when the other side hung up meanwhile.
fn wait_as_scripted(path: &str, stream: &TcpStream) -> bool {
    let words: Vec<&str> = path.split('/').collect();
    let wait = match words[..] {
        ["", "slow", ms, ..] => ms.parse().unwrap_or(0),
        ["", "never", ..] => 60_000,
        _ => return true,
    };
    stream.set_read_timeout(Some(Duration::from_millis(wait))).expect("a timeout");
    let gone = matches!(stream.peek(&mut [0]), Ok(0));
    stream.set_read_timeout(None).expect("no timeout");
    !gone
}

fn answer(path: &str) -> (&'static str, String) {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let words: Vec<&str> = path.split('/').collect();
    let dial = |port: &str, rest: &str| {
        format!("<Dial timeout=\"20\"><Sip>sip:bob@127.0.0.1:{port}{rest}</Sip></Dial>")
    };
    let verbs = match words[..] {
        ["", "dial", port] | ["", "slow", _, port] => dial(port, ""),
        ["", "dial", port, "tcp"] => dial(port, ";transport=tcp"),
        ["", "quick", port] => dial(port, "").replace("\"20\"", "\"1\""),
        ["", "serial", first, then] => {
            format!("{}{}", dial(first, ""), dial(then, ""))
        }
        ["", "together", one, other] => {
            dial(one, "").replace("</Dial>", &format!("<Sip>sip:carol@127.0.0.1:{other}</Sip></Dial>"))
        }
        // Back to the router, to another of its numbers.
        ["", "spiral", number, port] => dial(port, "").replace("bob@", &format!("{number}@")),
        ["", "at", host] => dial("", "").replace("127.0.0.1:", host),
        ["", "secure", host] => dial("", "").replace("sip:bob@127.0.0.1:", &format!("sips:bob@{host}")),
        ["", "as", user, password, port] => {
            let password = password.replace('+', " ");
            dial(port, "").replace("<Sip>", &format!("<Sip username=\"{user}\" password=\"{password}\">"))
        }
        ["", "text", word] => format!("<Sms>{word}</Sms>"),
        ["", "reject"] => "<Reject reason=\"busy\"/>".to_owned(),
        ["", "hangup"] => "<Hangup/>".to_owned(),
        ["", "goto", port] => format!("<Redirect>/dial/{port}</Redirect>"),
        ["", "status", ..] => return ("200 OK", String::new()),
        _ => return ("404 Not Found", String::new()),
    };
    ("200 OK", format!("<?xml version=\"1.0\"?><Response>{verbs}</Response>"))
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let query = first.split([' ', '?']).nth(2).unwrap_or_default();
    let form = if first.starts_with("GET ") { query.as_bytes() } else { &body };
    let form = form_urlencoded::parse(form).into_owned().collect();
    Some(Request { path: first.trim_end().to_owned(), form, aborted: false })
}
