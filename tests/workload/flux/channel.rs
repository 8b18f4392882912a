//! What bytes go through: messages with borders, or a stream.

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::pattern;
use crate::sys::{self, message};

/// One end.
pub trait Channel {
    /// Its descriptor.
    fn fd(&self) -> i32;
    /// Its kind, in the interface's words.
    fn kind(&self) -> &'static str;
    /// Sends what comes after so many messages or bytes; returns how many there are then.
    fn send(&mut self, sent: u64) -> io::Result<u64>;
    /// Receives and checks what comes after so many.
    fn receive(&mut self, received: u64) -> io::Result<Came>;
    /// Nothing more will be sent; whether that is told to the receiver ([`Came::End`]). Where it
    /// is not, all that was sent is there at once.
    fn finish(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// What has come.
pub enum Came {
    /// So many messages or bytes in all.
    After(u64),
    /// Nothing for a while.
    Nothing,
    /// All there ever will be.
    End,
}

type Ends = (Box<dyn Channel + Send>, Box<dyn Channel + Send>);

/// Waits up to a moment until there is something to read.
fn readable(fd: &OwnedFd) -> io::Result<bool> {
    sys::poll(fd.as_fd(), libc::POLLIN, 50).map(|events| events & libc::POLLIN != 0)
}

/// Keeps borders.
struct Messages {
    fd: OwnedFd,
    kind: &'static str,
    /// Some may be lost, but none comes twice or out of order.
    lossy: bool,
}

impl Channel for Messages {
    fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn send(&mut self, sent: u64) -> io::Result<u64> {
        if sys::poll(self.fd.as_fd(), libc::POLLOUT, 50)? & libc::POLLOUT == 0 {
            return Ok(sent);
        }
        match sys::write(self.fd.as_fd(), &pattern::message(sent)) {
            Ok(_) => Ok(sent + 1),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(sent),
            Err(error) => Err(error),
        }
    }

    fn receive(&mut self, received: u64) -> io::Result<Came> {
        if !readable(&self.fd)? {
            return Ok(Came::Nothing);
        }
        // A pipe's packets are whole pages at most, and these messages are shorter.
        let bytes = message::read(self.fd.as_fd(), 4096)?;
        let number = pattern::message_number(&bytes).map_err(io::Error::other)?;
        if number == received || (self.lossy && number > received) {
            return Ok(Came::After(number + 1));
        }
        Err(io::Error::other(format!("message {number} came where {received} was to come")))
    }
}

/// Keeps order alone.
struct Stream {
    fd: OwnedFd,
    kind: &'static str,
}

impl Channel for Stream {
    fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn send(&mut self, sent: u64) -> io::Result<u64> {
        if sys::poll(self.fd.as_fd(), libc::POLLOUT, 50)? & libc::POLLOUT == 0 {
            return Ok(sent);
        }
        // As long as the messages, which are of many lengths.
        let len = pattern::message(sent).len() * 2;
        match sys::write(self.fd.as_fd(), &pattern::stream(sent, len)) {
            Ok(n) => Ok(sent + n as u64),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(sent),
            Err(error) => Err(error),
        }
    }

    fn receive(&mut self, received: u64) -> io::Result<Came> {
        if !readable(&self.fd)? {
            return Ok(Came::Nothing);
        }
        let bytes = message::read(self.fd.as_fd(), 5000)?;
        if bytes != pattern::stream(received, bytes.len()) {
            return Err(io::Error::other(format!("other bytes came at {received}")));
        }
        let len = bytes.len() as u64;
        Ok(if len > 0 { Came::After(received + len) } else { Came::End })
    }

    /// What TCP has sent may come late, where some of it has to be sent again.
    fn finish(&mut self) -> io::Result<bool> {
        let is_socket = self.kind == "socket";
        if is_socket {
            sys::shutdown(self.fd.as_fd(), libc::SHUT_WR)?;
        }
        Ok(is_socket)
    }
}

/// Opens both ends: the sender and the receiver.
pub fn open(name: &str) -> io::Result<Ends> {
    let messages = |(sender, receiver): (OwnedFd, OwnedFd), kind, lossy| -> io::Result<Ends> {
        set_nonblocking(&sender)?;
        let receiver = Messages { fd: receiver, kind, lossy };
        Ok((Box::new(Messages { fd: sender, kind, lossy }), Box::new(receiver)))
    };
    let stream = |(sender, receiver): (OwnedFd, OwnedFd), kind| -> io::Result<Ends> {
        set_nonblocking(&sender)?;
        let receiver = Stream { fd: receiver, kind };
        Ok((Box::new(Stream { fd: sender, kind }), Box::new(receiver)))
    };
    let pipe = |flags| sys::pipe(flags).map(|(read, write)| (write, read));
    match name {
        "unix-dgram" => {
            messages(sys::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM)?, "socket", false)
        }
        "unix-seqpacket" => {
            messages(sys::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET)?, "socket", false)
        }
        "unix-stream" => stream(sys::socketpair(libc::AF_UNIX, libc::SOCK_STREAM)?, "socket"),
        "udp" => messages(udp()?, "socket", true),
        "tcp" => stream(tcp()?, "socket"),
        "pipe" => stream(pipe(libc::O_CLOEXEC)?, "pipe"),
        "pipe-packets" => messages(pipe(libc::O_CLOEXEC | libc::O_DIRECT)?, "pipe", false),
        _ => Err(io::Error::other(format!("there is no flux {name:?}"))),
    }
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = sys::fcntl(fd.as_fd(), libc::F_GETFL, 0)?;
    sys::fcntl(fd.as_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK).map(drop)
}

fn udp() -> io::Result<(OwnedFd, OwnedFd)> {
    let (sender, receiver) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    sender.connect(receiver.local_addr()?)?;
    receiver.connect(sender.local_addr()?)?;
    Ok((sender.into(), receiver.into()))
}

fn tcp() -> io::Result<(OwnedFd, OwnedFd)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    Ok((sender.into(), receiver.into()))
}
