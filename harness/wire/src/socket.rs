//! A TCP socket that never blocks.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

/// A socket, connecting or connected.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

/// What a system call on a socket came to.
pub(crate) enum Step {
    /// So many bytes.
    Bytes(usize),
    /// Not now.
    Later,
}

impl Socket {
    /// Begins to connect. It is connected once it can be written.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        match rustix::net::connect(&fd, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self(fd)),
            Err(error) => Err(error.into()),
        }
    }

    /// How connecting ended, once it can be written.
    pub(crate) fn connected(&self) -> io::Result<()> {
        sockopt::socket_error(&self.0)?.map_err(io::Error::from)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<Step> {
        step(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL))
    }

    /// Reads into `buffer`; 0 bytes at the end of the stream.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Step> {
        step(rustix::net::recv(&self.0, buffer, RecvFlags::empty()).map(|(read, _)| read))
    }
}

fn step(result: Result<usize, Errno>) -> io::Result<Step> {
    match result {
        Ok(bytes) => Ok(Step::Bytes(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Step::Later),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
