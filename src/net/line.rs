//! The line between two processes of one node: whole messages, each with the sockets that go along
//! (SCM_RIGHTS). It ends when the other process does.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// The longest message, in bytes; the kernel keeps their borders.
const LONGEST: usize = 16 << 10;
/// Sockets that come with one message at most.
const ALONG: usize = 4;

/// One end.
#[derive(Debug)]
pub struct Line(UnixDatagram);

impl Line {
    /// A line, and its other end for a child process.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::of(near)?, far))
    }

    /// The end that a parent gave.
    ///
    /// # Errors
    /// It is nothing that the runtime can wait for.
    pub fn of(end: OwnedFd) -> io::Result<Self> {
        // What the runtime does with a socket of datagrams it does with one of ordered packets as well.
        Ok(Self(UnixDatagram::from_std(end.into())?))
    }

    /// Sends one message; with `along`, the other process gets a descriptor of its own for the same socket.
    ///
    /// # Errors
    /// The other process has ended.
    pub async fn send(&self, message: &[u8], along: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds: &[BorrowedFd<'_>] = along.as_slice();
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::other("no room for a descriptor"));
            }
            sendmsg(self.0.as_fd(), &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        };
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// The next message and what came along; `None` when the other process has ended.
    ///
    /// # Errors
    /// The line is broken.
    pub async fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        self.0.async_io(Interest::READABLE, || receive(self.0.as_fd())).await
    }
}

fn receive(end: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ALONG))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; LONGEST];
    let received = recvmsg(end, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC);
    let received = match received {
        // Killed with words of ours unread.
        Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        received => received?,
    };
    bytes.truncate(received.bytes);
    let along = control.drain().filter_map(|item| match item {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let along = along.flatten().collect();
    Ok((!bytes.is_empty()).then_some((bytes, along)))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn messages_arrive_whole_with_their_sockets_and_an_end_is_seen() {
        let (near, far) = Line::pair().unwrap();
        let far = Line::of(far).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        near.send(b"one", Some(socket.as_fd())).await.unwrap();
        near.send(b"two", None).await.unwrap();
        let (text, mut along) = far.receive().await.unwrap().unwrap();
        let same = UdpSocket::from(along.remove(0));
        assert_eq!((&text[..], same.local_addr().unwrap()), (&b"one"[..], socket.local_addr().unwrap()));
        assert_eq!(far.receive().await.unwrap().unwrap().0, b"two");
        drop(near);
        assert!(far.receive().await.unwrap().is_none());
    }
}
