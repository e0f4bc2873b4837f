//! An application's HTTP server, as bad as it is told to be. It reads requests by itself, so that a
//! fault of the client's library cannot hide behind the same library here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// The request line's target.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The connection it came over, from 0.
    pub connection: usize,
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// A whole answer with Content-Length, the connection kept.
    Say(u16, Vec<(&'static str, String)>, String),
    /// The same after a while.
    Late(Duration, Box<Act>),
    /// Nothing, ever.
    Silence,
    /// These octets, then the connection is closed.
    Raw(Vec<u8>),
    /// These octets one by one with a pause between.
    Dribble(Vec<u8>, Duration),
    /// The head, then these octets again and again.
    Endless(&'static [u8], &'static [u8]),
    /// A whole answer, then the connection is closed without a word.
    SayAndClose(String),
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    hung_up: Arc<AtomicUsize>,
}

impl Server {
    /// Serves until the process ends; requests that nobody waits for any more cost nothing.
    pub fn start(act: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let hung_up = Arc::new(AtomicUsize::new(0));
        let (log, count, act) = (seen.clone(), connections.clone(), Arc::new(act));
        let gone = hung_up.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (log, act, gone) = (log.clone(), act.clone(), gone.clone());
                let number = count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(stream, number, &log, &gone, &*act));
            }
        });
        Self { address, seen, connections, hung_up }
    }

    /// Always the same document.
    pub fn saying(body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| say(&body))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic while held").clone()
    }

    /// How many callers of [`Act::Silence`] closed their connection.
    pub fn hung_up(&self) -> usize {
        self.hung_up.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The parameters of the body, or of the query where there is no body.
    pub fn params(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let text = if self.method == "POST" { &self.body } else { query };
        form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    pub fn param(&self, name: &str) -> Option<String> {
        self.params().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

pub fn say(body: &str) -> Act {
    Act::Say(200, vec![("Content-Type", "text/xml".into())], body.to_owned())
}

pub fn status(code: u16) -> Act {
    Act::Say(code, Vec::new(), String::new())
}

fn serve(
    stream: TcpStream,
    connection: usize,
    log: &Mutex<Vec<Seen>>,
    gone: &AtomicUsize,
    act: &dyn Fn(&Seen) -> Act,
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    while let Some(seen) = read(&mut reader, connection) {
        log.lock().expect("no panic while held").push(seen.clone());
        if !perform(act(&seen), &mut writer, gone) {
            return;
        }
    }
}

/// True: the connection may be used again.
fn perform(act: Act, out: &mut TcpStream, gone: &AtomicUsize) -> bool {
    match act {
        Act::Say(code, headers, body) => out.write_all(&answer(code, &headers, &body)).is_ok(),
        Act::SayAndClose(body) => out.write_all(&answer(200, &[], &body)).is_err(),
        Act::Late(wait, then) => {
            thread::sleep(wait);
            perform(*then, out, gone)
        }
        Act::Silence => {
            out.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
            gone.fetch_add(usize::from(out.read(&mut [0]).is_ok_and(|read| read == 0)), Ordering::SeqCst);
            false
        }
        Act::Raw(bytes) => out.write_all(&bytes).is_err(),
        Act::Dribble(bytes, pause) => {
            for byte in bytes {
                if out.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(pause);
            }
            false
        }
        Act::Endless(head, again) => {
            let chunk = again.repeat(1 + 4096 / again.len());
            let mut going = out.write_all(head).is_ok();
            while going {
                going = out.write_all(&chunk).is_ok();
            }
            false
        }
    }
}

fn answer(code: u16, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {code} Whatever\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn read(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let start = line()?;
    let mut words = start.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: String::new(), connection };
    let length = seen.header("content-length").map_or(0, |text| text.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8(body).expect("a form");
    Some(seen)
}
