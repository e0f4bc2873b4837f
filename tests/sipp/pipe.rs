//! A telephone over TLS: openssl's own client or server, whose standard input and output are the line.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::phone::Message;

/// One openssl that runs.
pub struct Pipe {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Message>,
}

impl Pipe {
    /// `openssl` with these words: `s_client …` or `s_server …`, both quiet.
    pub fn openssl(words: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(words)
            .arg("-quiet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let (input, mut output) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                text.push_str(&String::from_utf8_lossy(&buffer[..length]));
                while let Some(message) = take(&mut text) {
                    if sender.send(message).is_err() {
                        return;
                    }
                }
            }
        });
        Self { child, input, messages }
    }

    /// Sends lines, ended as SIP ends them.
    pub fn send(&mut self, text: &str) {
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let input = self.input.as_mut().expect("open");
        input.write_all(bytes.as_bytes()).and_then(|()| input.flush()).expect("sent");
    }

    /// The next message that `wanted` wants; `None` when none comes, or the line is cut.
    pub fn next(&self, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        loop {
            let message = self.messages.recv_timeout(Duration::from_secs(8)).ok()?;
            if wanted(&message) {
                return Some(message);
            }
        }
    }

    /// The next request of this method.
    pub fn request(&self, method: &str) -> Message {
        self.next(|message| message.status() == 0 && message.method() == method)
            .unwrap_or_else(|| panic!("no {method}"))
    }

    /// The next response with this status.
    pub fn response(&self, status: u16) -> Message {
        let mut others = Vec::new();
        loop {
            match self.next(|message| message.status() > 0) {
                Some(message) if message.status() == status => return message,
                Some(message) => others.push(message.status()),
                None => panic!("no {status}, but {others:?}"),
            }
        }
    }
}

/// The first whole message of `text`, taken out of it.
fn take(text: &mut String) -> Option<Message> {
    let head = text.find("\r\n\r\n")? + 4;
    let message = Message(text[..head].to_owned());
    let length: usize = message.header("Content-Length").parse().unwrap_or(0);
    if text.len() < head + length {
        return None;
    }
    *text = text.split_off(head + length);
    Some(message)
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("openssl could not be stopped: {error}");
        }
    }
}
