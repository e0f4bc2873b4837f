//! An application of the test's own: it says what each number's call shall do, and takes callbacks
//! with the status the test wants.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callgate::cli::demo::http::Message;

/// What it has heard, and what it answers.
#[derive(Clone)]
pub struct Receiver {
    pub at: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Documents by dialled number; any other number gets a Reject.
    documents: BTreeMap<String, String>,
    /// What callbacks are answered.
    status: AtomicU16,
    heard: Mutex<Vec<Heard>>,
    /// Questions and callbacks, counted.
    counts: [AtomicUsize; 2],
}

/// One request.
#[derive(Clone, Debug)]
pub struct Heard {
    /// A question, not a callback.
    pub voice: bool,
    /// `CallSid`.
    pub call: String,
    /// `SequenceNumber`.
    pub sequence: u32,
    /// `CallStatus`.
    pub status: String,
}

impl Receiver {
    /// Serves until the process ends: calls to these numbers are dialled to these targets.
    pub fn start(targets: &[(&str, SocketAddr)]) -> Self {
        let dial = |target| format!("<Response><Dial><Sip>sip:t@{target}</Sip></Dial></Response>");
        let documents: Vec<(&str, String)> =
            targets.iter().map(|(number, target)| (*number, dial(*target))).collect();
        Self::answering(&documents)
    }

    /// The same with whole documents.
    pub fn answering(documents: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let documents = documents.iter().map(|(number, text)| ((*number).to_owned(), text.clone())).collect();
        let shared = Arc::new(Shared {
            documents,
            status: AtomicU16::new(200),
            heard: Mutex::default(),
            counts: Default::default(),
        });
        let receiver = Self { at, shared: shared.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || match shared.serve(stream) {
                    // A router that was killed leaves its connections half-way.
                    Ok(()) | Err(_) => {}
                });
            }
        });
        receiver
    }

    /// What callbacks are answered from here on.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// Everything heard so far, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// The `CallStatus` of the callbacks of one call, in order.
    pub fn statuses(&self, call: &str) -> Vec<String> {
        let heard = self.heard().into_iter().filter(|heard| !heard.voice && heard.call == call);
        heard.map(|heard| heard.status).collect()
    }

    /// How many questions and how many callbacks came so far.
    pub fn counts(&self) -> (usize, usize) {
        let [asked, told] = &self.shared.counts;
        (asked.load(Ordering::SeqCst), told.load(Ordering::SeqCst))
    }

    /// The calls it was asked about, in order.
    pub fn asked(&self) -> Vec<String> {
        self.heard().into_iter().filter(|heard| heard.voice).map(|heard| heard.call).collect()
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = Message::read(&mut reader)? {
            let params: BTreeMap<String, String> =
                form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
            let get = |name: &str| params.get(name).cloned().unwrap_or_default();
            let voice = request.start.contains("/voice");
            let heard = Heard {
                voice,
                call: get("CallSid"),
                sequence: get("SequenceNumber").parse().unwrap_or(0),
                status: get("CallStatus"),
            };
            self.heard.lock().unwrap().push(heard);
            self.counts[usize::from(!voice)].fetch_add(1, Ordering::SeqCst);
            let (status, body) = if voice {
                let reject = || "<Response><Reject/></Response>".to_owned();
                (200, self.documents.get(&get("To")).cloned().unwrap_or_else(reject))
            } else {
                (self.status.load(Ordering::SeqCst), String::new())
            };
            write!(stream, "HTTP/1.1 {status} .\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        }
        Ok(())
    }
}
