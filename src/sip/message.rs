//! The view of one message: its bytes, and where everything stands in them.

use std::borrow::Cow;
use std::fmt;

use super::address::NameAddr;
use super::bytes::{number, unfold};
use super::list::Elements;
use super::malformed::Malformed;
use super::method::Method;
use super::name::Name;
use super::uri::Uri;
use super::values::{CSeq, RAck, SessionExpires};
use super::via::Via;

/// How many headers a message may have before the index leaves the stack.
pub(super) const INLINE: usize = 64;

/// Where one header line stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub name: Name,
    pub line: u16,
    pub name_end: u16,
    pub value: u16,
    pub value_end: u16,
    pub line_end: u16,
}

impl Span {
    pub const EMPTY: Self =
        Self { name: Name::Other, line: 0, name_end: 0, value: 0, value_end: 0, line_end: 0 };
}

/// What the scan found beside the headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub start: StartSpan,
    /// The names that are there.
    pub present: u128,
    /// Where the body begins.
    pub body: u16,
}

/// Where the parts of the start line stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartSpan {
    Request { known: Option<Method<'static>>, method_end: u16, uri: u16, uri_end: u16 },
    Status { code: u16, reason: u16, reason_end: u16 },
}

/// The index: on the stack, on the heap for a message of many headers, or lent by a `Kept`.
#[derive(Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "on the stack is the point: ordinary messages allocate nothing"
)]
pub(super) enum Spans<'a> {
    Inline { len: u8, spans: [Span; INLINE] },
    Heap(Vec<Span>),
    Lent(&'a [Span]),
}

impl Spans<'_> {
    pub fn as_slice(&self) -> &[Span] {
        match self {
            Self::Inline { len, spans } => &spans[..usize::from(*len)],
            Self::Heap(spans) => spans,
            Self::Lent(spans) => spans,
        }
    }
}

/// The start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// `INVITE sip:… SIP/2.0`
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI as written.
        uri: &'a [u8],
    },
    /// `SIP/2.0 200 OK`
    Status {
        /// 100 to 699.
        code: u16,
        /// The reason phrase as written; may be empty, may be UTF-8.
        reason: &'a [u8],
    },
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, where it is a known one.
    pub name: Name,
    /// Its name as written.
    pub text: &'a [u8],
    /// Its value as written, white space at both ends gone; folds are still in it, and every reader
    /// of this room takes them for white space.
    pub value: &'a [u8],
    /// The whole line (all of it, where it is folded) with its CRLF.
    pub line: &'a [u8],
}

impl<'a> Header<'a> {
    /// The value on one line; copied only where it is folded.
    #[must_use]
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.value)
    }
}

/// A SIP message: borrowed bytes, and an index over them. Nothing is copied, and nothing is read
/// before it is asked for, apart from what decides whether this is a sound message at all.
#[derive(Clone)]
pub struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) meta: Meta,
    pub(super) spans: Spans<'a>,
}

const CHECKED: &str = "the scan refuses a message where this cannot be read";

impl<'a> Message<'a> {
    /// Reads one message. CRLFs in front of it and bytes behind its Content-Length are left out.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong, and whether and how it can be answered.
    pub fn scan(bytes: &'a [u8]) -> Result<Self, Malformed<'a>> {
        super::scan::scan(bytes)
    }

    /// From the start line to the end of the body.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The start line in its parts.
    #[must_use]
    pub fn start(&self) -> Start<'a> {
        match self.meta.start {
            StartSpan::Request { known, method_end, uri, uri_end } => Start::Request {
                method: known.unwrap_or(Method::Other(self.cut(0, method_end))),
                uri: self.cut(uri, uri_end),
            },
            StartSpan::Status { code, reason, reason_end } => {
                Start::Status { code, reason: self.cut(reason, reason_end) }
            }
        }
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.meta.start, StartSpan::Request { .. })
    }

    /// A request's method; `None` for a response.
    #[must_use]
    pub fn method(&self) -> Option<Method<'a>> {
        match self.start() {
            Start::Request { method, .. } => Some(method),
            Start::Status { .. } => None,
        }
    }

    /// A response's status code; `None` for a request.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self.meta.start {
            StartSpan::Status { code, .. } => Some(code),
            StartSpan::Request { .. } => None,
        }
    }

    /// A request's Request-URI as written; empty for a response.
    #[must_use]
    pub fn uri_bytes(&self) -> &'a [u8] {
        match self.meta.start {
            StartSpan::Request { uri, uri_end, .. } => self.cut(uri, uri_end),
            StartSpan::Status { .. } => &[],
        }
    }

    /// A request's Request-URI; `None` for a response.
    #[must_use]
    pub fn uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri_bytes())
    }

    /// The body, cut at Content-Length; empty where there is none.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[usize::from(self.meta.body)..]
    }

    /// All headers in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> {
        self.spans.as_slice().iter().map(|span| self.lend(span))
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub const fn has(&self, name: Name) -> bool {
        self.meta.present & name.bit() != 0
    }

    /// The first header of this (known) name.
    #[must_use]
    pub fn header(&self, name: Name) -> Option<Header<'a>> {
        self.all(name).next()
    }

    /// The headers of this (known) name, in order.
    pub fn all(&self, name: Name) -> impl Iterator<Item = Header<'a>> {
        let spans = if self.has(name) { self.spans.as_slice() } else { &[] };
        spans.iter().filter(move |span| span.name == name).map(|span| self.lend(span))
    }

    /// The headers whose name is `text` in any case; for names that [`Name`] does not know.
    pub fn named(&self, text: &[u8]) -> impl Iterator<Item = Header<'a>> {
        self.headers().filter(move |header| header.text.eq_ignore_ascii_case(text))
    }

    /// The value of the first header of this name, folds included.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&'a [u8]> {
        self.header(name).map(|header| header.value)
    }

    /// The elements of a comma-list header, over all its lines, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(|header| Elements::new(header.value))
    }

    /// All hops, the top one first. One below the top that cannot be read is left out.
    pub fn vias(&self) -> impl Iterator<Item = Via<'a>> {
        self.values(Name::Via).filter_map(Via::parse)
    }

    /// The top Via.
    #[must_use]
    pub fn top_via(&self) -> Via<'a> {
        self.values(Name::Via).next().and_then(Via::parse).expect(CHECKED)
    }

    /// From.
    #[must_use]
    pub fn from(&self) -> NameAddr<'a> {
        self.value(Name::From).and_then(NameAddr::parse).expect(CHECKED)
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> NameAddr<'a> {
        self.value(Name::To).and_then(NameAddr::parse).expect(CHECKED)
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &'a [u8] {
        self.value(Name::CallId).expect(CHECKED)
    }

    /// CSeq.
    #[must_use]
    pub fn cseq(&self) -> CSeq<'a> {
        self.value(Name::CSeq).and_then(CSeq::parse).expect(CHECKED)
    }

    /// Max-Forwards, where there is one.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.small(Name::MaxForwards)
    }

    /// Expires in seconds, where there is a readable one.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        number(self.value(Name::Expires)?, u32::MAX)
    }

    /// Max-Breadth (RFC 5393), where there is a readable one.
    #[must_use]
    pub fn max_breadth(&self) -> Option<u32> {
        number(self.value(Name::MaxBreadth)?, u32::MAX)
    }

    /// The Contacts; one that cannot be read is left out. `*` has the URI `*`.
    pub fn contacts(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.addresses(Name::Contact)
    }

    /// The Routes, top first.
    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.addresses(Name::Route)
    }

    /// The Record-Routes, top first.
    pub fn record_routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.addresses(Name::RecordRoute)
    }

    /// The addresses in a comma-list header; what cannot be read is left out.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = NameAddr<'a>> {
        self.values(name).filter_map(NameAddr::parse)
    }

    /// Session-Expires (RFC 4028), where there is a readable one.
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(self.value(Name::SessionExpires)?)
    }

    /// Min-SE in seconds (RFC 4028 5), where there is a readable one.
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        let value = self.value(Name::MinSe)?;
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        number(super::bytes::trim(&value[..end]), u32::MAX)
    }

    /// RAck, where there is a readable one.
    #[must_use]
    pub fn rack(&self) -> Option<RAck<'a>> {
        RAck::parse(self.value(Name::RAck)?)
    }

    /// RSeq, where there is a readable one.
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        number(self.value(Name::RSeq)?, u32::MAX)
    }

    /// Whether a list header (`Supported`, `Require`, `Allow`, …) holds this token, in any case.
    #[must_use]
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.values(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    fn small(&self, name: Name) -> Option<u8> {
        number(self.value(name)?, 255).and_then(|value| u8::try_from(value).ok())
    }

    fn lend(&self, span: &Span) -> Header<'a> {
        Header {
            name: span.name,
            text: self.cut(span.line, span.name_end),
            value: self.cut(span.value, span.value_end),
            line: self.cut(span.line, span.line_end),
        }
    }

    fn cut(&self, from: u16, to: u16) -> &'a [u8] {
        &self.bytes[usize::from(from)..usize::from(to)]
    }
}

impl fmt::Debug for Message<'_> {
    /// The start line only: headers hold numbers and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start() {
            Start::Request { method, .. } => write!(f, "Message({method} …)"),
            Start::Status { code, .. } => write!(f, "Message({code} …)"),
        }
    }
}
