//! A demo telephone, written with `rsip`: it shares no line with the router's own reading and
//! writing, so that a fault of ours cannot agree with itself.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rsip::prelude::*;
use rsip::{Header, Headers, Method, Request, Response, SipMessage, StatusCode};

use super::wire::Wire;

/// An offer or answer that any telephone could send; no media flows in the demo.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=callgate demo\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n";

/// What went wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The socket.
    #[error("the telephone's socket failed")]
    Socket(#[from] io::Error),
    /// A message `rsip` cannot read.
    #[error("a message could not be read: {0}")]
    Unreadable(String),
    /// A final response other than 2xx.
    #[error("the call was refused: {0} {1}")]
    Refused(u16, String),
    /// Nobody answered in time.
    #[error("no final response within {0:?}")]
    Silence(Duration),
}

/// One line of a telephone's ladder.
#[derive(Clone, Debug)]
pub struct Rung {
    /// True: it came in; false: it left.
    pub inbound: bool,
    /// `INVITE`, `180 Ringing`.
    pub start: String,
    /// The whole message.
    pub message: String,
}

/// Hears every message of a telephone.
pub type Listener = Box<dyn FnMut(&Rung) + Send>;

/// A telephone.
pub struct Phone {
    wire: Wire,
    user: String,
    hears: Listener,
}

/// A call as the calling telephone holds it.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// What the ACK and BYE go to.
    target: rsip::Uri,
    from: String,
    to: String,
    call_id: String,
    cseq: u32,
    /// Every response to the INVITE, in the order it came.
    pub responses: Vec<u16>,
}

impl Phone {
    /// A telephone of `user` on `wire`.
    #[must_use]
    pub fn new(wire: Wire, user: &str, hears: Listener) -> Self {
        Self { wire, user: user.to_owned(), hears }
    }

    /// Where it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.wire.local()
    }

    /// Calls `number` at `router` and acknowledges the answer.
    ///
    /// # Errors
    /// [`PhoneError`]; a refusal is acknowledged too.
    pub fn call(
        &mut self,
        router: SocketAddr,
        number: &str,
        patience: Duration,
    ) -> Result<Dialog, PhoneError> {
        self.wire.aim(router);
        let local = self.wire.local()?;
        let mut dialog = Dialog {
            target: uri(&format!("sip:{number}@{router}"))?,
            from: format!("\"Demo\" <sip:{}@{local}>;tag={}", self.user, unique()),
            to: format!("<sip:{number}@{router}>"),
            call_id: format!("{}@{local}", unique()),
            cseq: 1,
            responses: Vec::new(),
        };
        let branch = unique();
        let invite = self.request(Method::Invite, &dialog, &branch, SDP)?;
        let last = self.until_final(&invite, &mut dialog, patience)?;
        dialog.to = last.to_header().map_err(unreadable)?.to_string().trim_start_matches("To: ").to_owned();
        let code = last.status_code.code();
        if !(200..300).contains(&code) {
            let ack = self.request(Method::Ack, &dialog, &branch, "")?;
            self.send(&ack)?;
            return Err(PhoneError::Refused(code, last.status_code.to_string()));
        }
        let contact = last.contact_header().and_then(|contact| contact.uri()).map_err(unreadable)?;
        dialog.target = contact;
        let ack = self.request(Method::Ack, &dialog, &unique(), "")?;
        self.send(&ack)?;
        Ok(dialog)
    }

    /// Hangs up; the status of the BYE's answer.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn hang_up(&mut self, dialog: &mut Dialog, patience: Duration) -> Result<u16, PhoneError> {
        dialog.cseq += 1;
        let bye = self.request(Method::Bye, dialog, &unique(), "")?;
        let last = self.until_final(&bye, dialog, patience)?;
        Ok(last.status_code.code())
    }

    /// Answers whatever comes within `patience` as the called side does: rings for `ring`, answers,
    /// takes the ACK and the BYE. True when a BYE ended a call.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn answer(&mut self, ring: Duration, patience: Duration) -> Result<bool, PhoneError> {
        let until = Instant::now() + patience;
        let tag = unique();
        while let Some(message) = self.receive(until.saturating_duration_since(Instant::now()))? {
            let SipMessage::Request(request) = message else { continue };
            match request.method {
                Method::Invite => {
                    self.respond(&request, StatusCode::Ringing, &tag, "")?;
                    std::thread::sleep(ring);
                    self.respond(&request, StatusCode::OK, &tag, SDP)?;
                }
                Method::Ack => {}
                Method::Bye => {
                    self.respond(&request, StatusCode::OK, &tag, "")?;
                    return Ok(true);
                }
                _ => self.respond(&request, StatusCode::OK, &tag, "")?,
            }
        }
        Ok(false)
    }

    /// Sends a request, again every 500 ms over UDP until something answers it, and returns its
    /// final response.
    fn until_final(
        &mut self,
        request: &Request,
        dialog: &mut Dialog,
        patience: Duration,
    ) -> Result<Response, PhoneError> {
        let until = Instant::now() + patience;
        let cseq = request.cseq_header().map_err(unreadable)?.to_string();
        let mut heard = false;
        self.send(request)?;
        while Instant::now() < until {
            let Some(message) = self.receive(Duration::from_millis(500))? else {
                if !heard && self.wire.transport() == "UDP" {
                    self.send(request)?;
                }
                continue;
            };
            let SipMessage::Response(response) = message else { continue };
            if response.cseq_header().map_err(unreadable)?.to_string() != cseq {
                continue;
            }
            heard = true;
            let code = response.status_code.code();
            dialog.responses.push(code);
            if code >= 200 {
                return Ok(response);
            }
        }
        Err(PhoneError::Silence(patience))
    }

    fn request(
        &self,
        method: Method,
        dialog: &Dialog,
        branch: &str,
        body: &str,
    ) -> Result<Request, PhoneError> {
        let local = self.wire.local()?;
        let transport = self.wire.transport();
        let tail = if transport == "TCP" { ";transport=tcp" } else { "" };
        let mut headers = Headers::default();
        headers.push(
            rsip::headers::Via::new(format!("SIP/2.0/{transport} {local};branch=z9hG4bK{branch};rport"))
                .into(),
        );
        headers.push(rsip::headers::MaxForwards::new("70").into());
        headers.push(rsip::headers::From::new(dialog.from.clone()).into());
        headers.push(rsip::headers::To::new(dialog.to.clone()).into());
        headers.push(rsip::headers::CallId::new(dialog.call_id.clone()).into());
        headers.push(rsip::headers::CSeq::new(format!("{} {method}", dialog.cseq)).into());
        headers.push(rsip::headers::Contact::new(format!("<sip:{}@{local}{tail}>", self.user)).into());
        finish(&mut headers, body);
        Ok(Request {
            method,
            uri: dialog.target.clone(),
            version: rsip::Version::V2,
            headers,
            body: body.into(),
        })
    }

    fn respond(
        &mut self,
        request: &Request,
        status: StatusCode,
        tag: &str,
        body: &str,
    ) -> Result<(), PhoneError> {
        let local = self.wire.local()?;
        let tail = if self.wire.transport() == "TCP" { ";transport=tcp" } else { "" };
        let mut headers = Headers::default();
        for header in request.headers.iter() {
            match header {
                Header::To(to) if !to.value().contains("tag=") => {
                    headers.push(rsip::headers::To::new(format!("{};tag={tag}", to.value())).into());
                }
                Header::Via(_) | Header::From(_) | Header::To(_) | Header::CallId(_) | Header::CSeq(_) => {
                    headers.push(header.clone());
                }
                Header::RecordRoute(_) => headers.push(header.clone()),
                _ => {}
            }
        }
        headers.push(rsip::headers::Contact::new(format!("<sip:{}@{local}{tail}>", self.user)).into());
        finish(&mut headers, body);
        let response =
            Response { status_code: status, version: rsip::Version::V2, headers, body: body.into() };
        let text = response.to_string();
        self.note(false, &text);
        Ok(self.wire.send(&text)?)
    }

    fn send(&mut self, request: &Request) -> Result<(), PhoneError> {
        let text = request.to_string();
        self.note(false, &text);
        Ok(self.wire.send(&text)?)
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<SipMessage>, PhoneError> {
        let Some(text) = self.wire.receive(patience)? else { return Ok(None) };
        self.note(true, &text);
        SipMessage::try_from(text.as_str()).map(Some).map_err(unreadable)
    }

    fn note(&mut self, inbound: bool, message: &str) {
        let line = message.lines().next().unwrap_or_default();
        let start = match line.strip_prefix("SIP/2.0 ") {
            Some(status) => status.to_owned(),
            None => line.split(' ').next().unwrap_or_default().to_owned(),
        };
        (self.hears)(&Rung { inbound, start, message: message.to_owned() });
    }
}

fn finish(headers: &mut Headers, body: &str) {
    if !body.is_empty() {
        headers.push(rsip::headers::ContentType::new("application/sdp").into());
    }
    headers.push(rsip::headers::ContentLength::new(body.len().to_string()).into());
}

fn uri(text: &str) -> Result<rsip::Uri, PhoneError> {
    rsip::Uri::try_from(text).map_err(unreadable)
}

fn unreadable(error: rsip::Error) -> PhoneError {
    PhoneError::Unreadable(error.to_string())
}

/// Unique within the machine: telephones of several demos may run side by side.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}{:x}{next:x}", std::process::id(), now.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Listener {
        Box::new(|_| {})
    }

    #[test]
    fn two_telephones_talk_to_each_other() {
        let local = "127.0.0.1:0".parse().unwrap();
        let mut called = Phone::new(Wire::udp(local).unwrap(), "called", silent());
        let at = called.local().unwrap();
        let answering = std::thread::spawn(move || called.answer(Duration::ZERO, Duration::from_secs(5)));
        let mut caller = Phone::new(Wire::udp(local).unwrap(), "caller", silent());
        let mut dialog = caller.call(at, "1234", Duration::from_secs(5)).unwrap();
        assert_eq!(dialog.responses, [180, 200]);
        assert_eq!(caller.hang_up(&mut dialog, Duration::from_secs(5)).unwrap(), 200);
        assert!(answering.join().unwrap().unwrap());
    }
}
