//! Sockets of TCP, UDP and ICMP over the loopback device, in the states that processes leave
//! them in.

use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

const LOCALHOST: &str = "127.0.0.1:0";

// include/net/tcp_states.h
const TCP_FIN_WAIT2: u8 = 5;
const TCP_CLOSE: u8 = 7;
const TCP_CLOSE_WAIT: u8 = 8;

/// How long the loopback device may take for what it usually does at once.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until a connection has come to `state`.
fn wait_for(fd: BorrowedFd<'_>, state: u8) -> io::Result<()> {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        let info = sys::socket_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO)?;
        if info[0] as u8 == state {
            return Ok(());
        }
        sleep(PAUSE);
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("never came to TCP state {state}")))
}

/// A connection: the client's end and the server's.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(LOCALHOST)?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

/// A listener with exactly this backlog; std chooses its own.
fn listener(backlog: i32) -> io::Result<TcpListener> {
    let fd = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    let mut address = [0u8; 16]; // struct sockaddr_in: 127.0.0.1, any port
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    sys::bind(fd.as_fd(), &address)?;
    sys::listen(fd.as_fd(), backlog)?;
    Ok(fd.into())
}

/// Neither bound nor connected.
pub fn tcp_unbound(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    let expect = json!({ "state": "CLOSE", "local": "", "remote": "", "shutdown": "none" });
    holder.add("socket", "tcp-unbound", fd, json!({ "socket": expect }));
    Ok(())
}

/// Two connections wait to be accepted.
pub fn tcp_listen(holder: &mut Holder) -> io::Result<()> {
    let listener = listener(5)?;
    let address = listener.local_addr()?;
    for label in ["tcp-listen-client", "tcp-listen-second-client"] {
        let client = TcpStream::connect(address)?;
        let expect = json!({ "state": "ESTABLISHED", "remote": address.to_string() });
        holder.add("socket", label, client, json!({ "socket": expect }));
    }
    let expect = json!({ "state": "LISTEN", "local": address.to_string(), "remote": "",
                         "accept": { "pending": 2, "max": 5 }, "error": 0, "shutdown": "none" });
    holder.add("socket", "tcp-listen", listener, json!({ "socket": expect }));
    Ok(())
}

/// Both ends; the server hasn't read what the client sent.
pub fn tcp_established(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection()?;
    client.write_all(b"thirteen here")?;
    let state = |recv: u32| {
        json!({ "socket": { "state": "ESTABLISHED", "recv": { "payload": recv },
                            "send": { "payload": 0 }, "error": 0, "shutdown": "none" } })
    };
    holder.add("socket", "tcp-established-client", client, state(0));
    holder.add("socket", "tcp-established", server, state(13));
    Ok(())
}

/// Small buffers, full in both the sender and the receiver that doesn't read.
pub fn tcp_unsent(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind(LOCALHOST)?;
    sys::set_socket_option(listener.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 8192)?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    sys::set_socket_option(client.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, 8192)?;
    client.set_nonblocking(true)?;
    // Full for good when the window stays shut for a while.
    let mut refused = 0;
    while refused < 10 {
        match client.write(&[b'x'; 4096]) {
            Ok(_) => refused = 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                refused += 1;
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    let unread = sys::ioctl_int(server.as_fd(), libc::FIONREAD)?;
    let unsent = sys::ioctl_int(client.as_fd(), libc::TIOCOUTQ)?;
    if unread == 0 || unsent == 0 {
        return Err(io::Error::other("the kernel took all that was sent"));
    }
    let state = json!({ "socket": { "state": "ESTABLISHED" } });
    holder.add("socket", "tcp-unsent", client, state.clone());
    holder.add("socket", "tcp-unread", server, state);
    Ok(())
}

/// The client has said that it is done; the server has neither read nor closed.
pub fn tcp_close_wait(holder: &mut Holder) -> io::Result<()> {
    let (mut client, server) = connection()?;
    client.write_all(b"eleven byte")?;
    client.shutdown(std::net::Shutdown::Write)?;
    wait_for(server.as_fd(), TCP_CLOSE_WAIT)?;
    wait_for(client.as_fd(), TCP_FIN_WAIT2)?;
    let closed = json!({ "state": "CLOSE-WAIT", "recv": { "payload": 11 }, "shutdown": "read" });
    holder.add("socket", "tcp-close-wait", server, json!({ "socket": closed }));
    let half = json!({ "state": "FIN-WAIT-2", "recv": { "payload": 0 }, "shutdown": "write" });
    holder.add("socket", "tcp-fin-wait-2", client, json!({ "socket": half }));
    Ok(())
}

/// Reset by the peer: no longer in the kernel's tables, still a descriptor, with its last
/// addresses, five unread bytes and an error that nobody has asked for.
pub fn tcp_reset(holder: &mut Holder) -> io::Result<()> {
    for accepted in [false, true] {
        let (client, server) = connection()?;
        let (stays, mut resets) = if accepted { (server, client) } else { (client, server) };
        let (local, remote) = (stays.local_addr()?, stays.peer_addr()?);
        resets.write_all(b"bytes")?;
        sys::linger_zero(resets.as_fd())?;
        drop(resets);
        wait_for(stays.as_fd(), TCP_CLOSE)?;
        let expect = json!({
            "state": "CLOSE", "local": local.to_string(), "remote": remote.to_string(),
            "recv": { "payload": 5 }, "error": libc::ECONNRESET, "shutdown": "both",
        });
        let label = if accepted { "tcp-reset-accepted" } else { "tcp-reset" };
        holder.add("socket", label, stays, json!({ "socket": expect }));
    }
    Ok(())
}

/// A connection that a full listener leaves without an answer.
pub fn tcp_syn_sent(holder: &mut Holder) -> io::Result<()> {
    let listener = listener(0)?;
    let remote = listener.local_addr()?;
    holder.keep(TcpStream::connect(remote)?);
    let fd = sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    // Try for as long as the workload may live.
    sys::set_socket_option(fd.as_fd(), libc::IPPROTO_TCP, libc::TCP_SYNCNT, 60)?;
    let mut address = sys::socket_address(listener.as_fd(), sys::End::Local)?;
    address.truncate(16);
    match sys::connect(fd.as_fd(), &address) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
        Ok(()) => return Err(io::Error::other("a full listener took one more connection")),
    }
    let expect = json!({ "state": "SYN-SENT", "remote": remote.to_string(), "error": 0 });
    holder.add("socket", "tcp-syn-sent", fd, json!({ "socket": expect }));
    let full = json!({ "state": "LISTEN", "accept": { "pending": 1, "max": 0 } });
    holder.add("socket", "tcp-listen-full", listener, json!({ "socket": full }));
    Ok(())
}

/// A connection over IPv6, and one over IPv4 to an IPv6 listener.
pub fn tcp6_established(holder: &mut Holder) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.write_all(b"six")?;
    let unread = json!({ "family": "inet6", "recv": { "payload": 3 } });
    holder.add("socket", "tcp6-established", server, json!({ "socket": unread }));
    holder.add("socket", "tcp6-established-client", client, json!({}));

    let dual = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))?;
    let port = dual.local_addr()?.port();
    let client = TcpStream::connect(("127.0.0.1", port))?;
    let (mapped, _) = dual.accept()?;
    let local = format!("[::ffff:127.0.0.1]:{port}");
    holder.add("socket", "tcp6-mapped", mapped, json!({ "socket": { "local": local } }));
    holder.add("socket", "tcp6-mapped-client", client, json!({}));
    let any = json!({ "local": format!("[::]:{port}"), "state": "LISTEN" });
    holder.add("socket", "tcp6-listen", dual, json!({ "socket": any }));
    Ok(())
}

/// Never named.
pub fn udp_unbound(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let expect = json!({ "state": "UNCONN", "local": "", "remote": "",
                         "recv": { "messages": 0, "payload": 0, "memory": 0 } });
    holder.add("socket", "udp-unbound", fd, json!({ "socket": expect }));
    Ok(())
}

/// Two datagrams wait, thirteen bytes together.
pub fn udp_unconnected(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind(LOCALHOST)?;
    let sender = UdpSocket::bind(LOCALHOST)?;
    sender.send_to(b"hello", socket.local_addr()?)?;
    sender.send_to(b"datagram", socket.local_addr()?)?;
    let expect = json!({ "state": "UNCONN", "remote": "", "error": 0, "shutdown": "none",
                         "recv": { "messages": 2, "payload": 13 } });
    holder.add("socket", "udp-unconnected", socket, json!({ "socket": expect }));
    Ok(())
}

/// Connected to each other; one has an empty datagram and a full one to read.
pub fn udp_connected(holder: &mut Holder) -> io::Result<()> {
    let (one, other) = (UdpSocket::bind(LOCALHOST)?, UdpSocket::bind(LOCALHOST)?);
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    one.send(b"")?;
    one.send(b"seven b")?;
    let expect = |messages: u32, payload: u32| {
        json!({ "socket": { "state": "ESTABLISHED",
                            "recv": { "messages": messages, "payload": payload } } })
    };
    holder.add("socket", "udp-connected", other, expect(2, 7));
    holder.add("socket", "udp-connected-sender", one, expect(0, 0));
    Ok(())
}

/// A datagram came back as "port unreachable", and nobody has asked for the error yet.
pub fn udp_refused(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind(LOCALHOST)?;
    let nobody: SocketAddr = UdpSocket::bind(LOCALHOST)?.local_addr()?;
    socket.connect(nobody)?;
    socket.send(b"anyone there?")?;
    let expect = json!({ "error": libc::ECONNREFUSED, "remote": nobody.to_string() });
    holder.add("socket", "udp-refused", socket, json!({ "socket": expect }));
    Ok(())
}

/// More was sent than the smallest receive buffer holds.
pub fn udp_dropped(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind(LOCALHOST)?;
    sys::set_socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
    let sender = UdpSocket::bind(LOCALHOST)?;
    for _ in 0..20 {
        sender.send_to(&[b'x'; 1000], socket.local_addr()?)?;
    }
    holder.add("socket", "udp-dropped", socket, json!({}));
    Ok(())
}

/// Over IPv6.
pub fn udp6(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    let sender = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    sender.send_to(b"over six", socket.local_addr()?)?;
    let expect = json!({ "family": "inet6", "protocol": "udp", "state": "UNCONN",
                         "recv": { "messages": 1, "payload": 8 } });
    holder.add("socket", "udp6", socket, json!({ "socket": expect }));
    Ok(())
}

/// Filters every ICMP message away, since others may cause some.
pub fn raw_icmp(holder: &mut Holder) -> io::Result<()> {
    const ICMP_FILTER: i32 = 1;
    let fd: OwnedFd = sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)?;
    sys::set_socket_option(fd.as_fd(), libc::IPPROTO_RAW, ICMP_FILTER, -1)?;
    let expect = json!({ "family": "inet", "type": "raw", "protocol": "icmp" });
    holder.add("socket", "raw-icmp", fd, json!({ "socket": expect }));
    Ok(())
}
