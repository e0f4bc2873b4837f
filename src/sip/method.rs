//! Methods. They are case-sensitive (RFC 3261 7.1), and unknown ones are kept as they are.

use std::fmt;

macro_rules! methods {
    ($($variant:ident $text:literal;)*) => {
        /// The method of a request or of a CSeq.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method<'a> {
            $(#[doc = $text] $variant,)*
            /// Any other, as it was written.
            Other(&'a [u8]),
        }

        impl<'a> Method<'a> {
            /// The method that `text` names.
            #[must_use]
            pub fn new(text: &'a [u8]) -> Self {
                $(if text == $text.as_bytes() { return Self::$variant; })*
                Self::Other(text)
            }

            /// As it is written.
            #[must_use]
            pub const fn as_bytes(self) -> &'a [u8] {
                match self {
                    $(Self::$variant => $text.as_bytes(),)*
                    Self::Other(text) => text,
                }
            }

            /// The method without its borrow; `None` for an unknown one.
            #[must_use]
            pub const fn known(self) -> Option<Method<'static>> {
                match self {
                    $(Self::$variant => Some(Method::$variant),)*
                    Self::Other(_) => None,
                }
            }
        }
    };
}

methods! {
    Invite "INVITE";
    Ack "ACK";
    Bye "BYE";
    Cancel "CANCEL";
    Options "OPTIONS";
    Info "INFO";
    Update "UPDATE";
    Prack "PRACK";
    Refer "REFER";
    Notify "NOTIFY";
    Message "MESSAGE";
    Register "REGISTER";
    Subscribe "SUBSCRIBE";
    Publish "PUBLISH";
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn case_matters() {
        assert_eq!(Method::new(b"INVITE"), Method::Invite);
        assert_eq!(Method::new(b"invite"), Method::Other(b"invite"));
        assert_eq!(Method::new(b"invite").to_string(), "invite");
    }
}
