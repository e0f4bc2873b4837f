//! Bytes <-> messages: no state, no time.
//!
//! - `scan`: one pass over the bytes. `message`: the view it gives, without copying. `malformed`: what
//!   is wrong with bytes that are no message, and as much of them as an answer needs.
//! - `name`, `method`: the words that are known. `bytes`: the alphabet.
//! - `list`: comma lists and parameters. `uri`, `address`, `via`, `values`: what stands in headers,
//!   read when asked for.
//! - `kept`: the copy that outlives the receive buffer. `print`: messages written. `frame`: messages
//!   found in a stream.

mod address;
mod bytes;
mod frame;
mod kept;
mod list;
mod malformed;
mod message;
mod method;
mod name;
mod print;
mod scan;
mod uri;
mod values;
mod via;

pub use address::NameAddr;
pub use bytes::{is_keep_alive, trim, unfold, unquote};
pub use frame::{Frame, FrameError, Framer};
pub use kept::Kept;
pub use list::{Elements, Param, Params};
pub use malformed::{Answerable, Fault, Malformed};
pub use message::{Header, Message, Start};
pub use method::Method;
pub use name::Name;
pub use print::{Stamp, Writer};
pub use scan::{MAX_HEADERS, MAX_MESSAGE};
pub use uri::{Scheme, Uri};
pub use values::{CSeq, RAck, Refresher, SessionExpires};
pub use via::Via;
