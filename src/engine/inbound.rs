//! An INVITE or MESSAGE as routing reads it: the addresses by which it says whom it is for.

use crate::ids::OrganizationSid;
use crate::routing::decide::Inbound;
use crate::routing::model::{DialledFrom, Trunk};
use crate::routing::{Address, Scheme as Dialling};
use crate::sip::{Elements, Message, Name, NameAddr, Scheme, Uri};

/// What routing is told of a message to `uri`. `home`: where sources without a trunk belong, if anywhere.
pub(super) fn inbound<'a>(
    trunk: Option<&'a Trunk>,
    home: Option<OrganizationSid>,
    uri: &Uri<'a>,
    message: &Message<'a>,
) -> Inbound<'a> {
    let header = match trunk.map(|trunk| &trunk.dialled_from) {
        Some(DialledFrom::Header(name)) => first_address(message, name),
        _ => None,
    };
    Inbound {
        trunk,
        unknown_organization: home,
        request: address(uri),
        to: message.to().parsed_uri().as_ref().map(address).unwrap_or_default(),
        from_host: message.from().parsed_uri().map_or(&[], |uri| uri.host),
        header: header.as_ref().map(address),
    }
}

/// A URI as routing reads it.
fn address<'a>(uri: &Uri<'a>) -> Address<'a> {
    let (scheme, user) = match uri.scheme {
        Scheme::Tel => (Dialling::Tel, uri.raw.get(4..).unwrap_or_default()),
        Scheme::Other(_) => (Dialling::Urn, uri.headers),
        Scheme::Sip | Scheme::Sips => (Dialling::Sip, uri.user.unwrap_or_default()),
    };
    Address { scheme, user, host: uri.host }
}

/// The first URI of a header the trunk names.
fn first_address<'a>(message: &Message<'a>, name: &str) -> Option<Uri<'a>> {
    let value = match Name::of(name.as_bytes()) {
        Name::Other => message.named(name.as_bytes()).next()?.value,
        known => message.value(known)?,
    };
    let first = Elements::new(value).next()?;
    NameAddr::parse(first)?.parsed_uri()
}
