//! The demo's application: answers each call with a Dial to the demo's target, takes the callbacks.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;

use super::http::Message;

/// One exchange of the application, as it happened.
#[derive(Clone, Debug)]
pub enum Exchange {
    /// "What shall this call do?", and the document that went back.
    Voice {
        /// The request's parameters.
        params: Vec<(String, String)>,
        /// The answer.
        document: String,
    },
    /// What became of the call.
    Status {
        /// The request's parameters.
        params: Vec<(String, String)>,
    },
}

/// Serves on a free port until the process ends; every exchange is told.
///
/// # Errors
/// What the system says.
pub fn start(target: SocketAddr, told: Sender<Exchange>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let document = format!(
        "<?xml version=\"1.0\"?>\n<Response>\n  <Dial timeout=\"20\"><Sip>sip:demo@{target}</Sip></Dial>\n</Response>"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (document, told) = (document.clone(), told.clone());
            std::thread::spawn(move || {
                if let Err(error) = serve(stream, &document, &told) {
                    eprintln!("demo application: {error}");
                }
            });
        }
    });
    Ok(at)
}

fn serve(stream: TcpStream, document: &str, told: &Sender<Exchange>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = Message::read(&mut reader)? {
        let params: Vec<(String, String)> =
            form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        let voice = request.start.contains("/voice");
        let body = if voice { document } else { "" };
        let exchange = match voice {
            true => Exchange::Voice { params, document: document.to_owned() },
            false => Exchange::Status { params },
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        if told.send(exchange).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
