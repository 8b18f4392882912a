//! What the kernel itself tells the owner of a socket: the words of getsockopt(2), ioctl(2),
//! getsockname(2) and getpeername(2), in the form of the SOCKET document.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;

use serde_json::{Map, Value, json};

use crate::sys::{self, End};

// include/uapi/linux/sock_diag.h
const SK_MEMINFO_RMEM_ALLOC: usize = 0;
const SK_MEMINFO_DROPS: usize = 8;

/// Everything that can be asked without changing the socket. SO_ERROR is not: it clears.
pub fn socket(fd: BorrowedFd<'_>) -> io::Result<Value> {
    let option = |name| sys::socket_option(fd, libc::SOL_SOCKET, name);
    let domain = option(libc::SO_DOMAIN)?[0] as i32;
    let kind = option(libc::SO_TYPE)?[0] as i32;
    let protocol = option(libc::SO_PROTOCOL)?[0] as i32;
    let meminfo = option(libc::SO_MEMINFO)?;
    let mut known = Map::new();
    let mut know = |key: &str, value: Value| {
        known.insert(key.to_owned(), value);
    };
    know("family", family_name(domain).into());
    know("type", type_name(kind).into());
    know("rcvbuf", option(libc::SO_RCVBUF)?[0].into());
    know("sndbuf", option(libc::SO_SNDBUF)?[0].into());
    if kind == libc::SOCK_DGRAM {
        // Elsewhere the count may grow while nobody touches the socket: by SYNs that are sent
        // again to a full listener, by probes of a window that is shut.
        know("drops", meminfo[SK_MEMINFO_DROPS].into());
    }
    know("netns", fs::metadata("/proc/self/ns/net")?.ino().into());
    // For a raw socket, the "port" that getsockname gives is the protocol.
    if kind != libc::SOCK_RAW
        && let Some(local) = address(fd, domain, End::Local)?
    {
        know("local", local.into());
        know("remote", address(fd, domain, End::Remote)?.unwrap_or_default().into());
    }
    if option(libc::SO_ACCEPTCONN)?[0] == 0 {
        know("accept", Value::Null);
    }
    if matches!(domain, libc::AF_INET | libc::AF_INET6) {
        know("protocol", inet_protocol_name(protocol).into());
        // What is charged for the receive queue; unix sockets charge the sender instead.
        let mut recv = json!({ "memory": meminfo[SK_MEMINFO_RMEM_ALLOC] });
        if protocol == libc::IPPROTO_TCP {
            let info = sys::socket_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO)?;
            let state = info[0] as u8;
            know("state", tcp_state_name(state).into());
            if state == TCP_LISTEN {
                // For a listener, tcpi_unacked is the accept queue's length and tcpi_sacked its
                // limit (net/ipv4/tcp.c, tcp_get_info).
                know("accept", json!({ "pending": info[6], "max": info[7] }));
            } else {
                recv["payload"] = sys::ioctl_int(fd, libc::FIONREAD)?.into();
                know("send", json!({ "payload": sys::ioctl_int(fd, libc::TIOCOUTQ)? }));
            }
        }
        know("recv", recv);
    }
    Ok(known.into())
}

fn family_name(domain: i32) -> &'static str {
    match domain {
        libc::AF_UNIX => "unix",
        libc::AF_INET => "inet",
        libc::AF_INET6 => "inet6",
        libc::AF_NETLINK => "netlink",
        libc::AF_PACKET => "packet",
        libc::AF_VSOCK => "vsock",
        other => panic!("the workload makes no sockets of family {other}"),
    }
}

fn type_name(kind: i32) -> &'static str {
    match kind {
        libc::SOCK_STREAM => "stream",
        libc::SOCK_DGRAM => "dgram",
        libc::SOCK_RAW => "raw",
        libc::SOCK_SEQPACKET => "seqpacket",
        other => panic!("the workload makes no sockets of type {other}"),
    }
}

fn inet_protocol_name(protocol: i32) -> &'static str {
    match protocol {
        libc::IPPROTO_TCP => "tcp",
        libc::IPPROTO_UDP => "udp",
        libc::IPPROTO_ICMP => "icmp",
        libc::IPPROTO_ICMPV6 => "icmpv6",
        other => panic!("the workload makes no sockets of protocol {other}"),
    }
}

const TCP_LISTEN: u8 = 10;

fn tcp_state_name(state: u8) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN-SENT",
        4 => "FIN-WAIT-1",
        5 => "FIN-WAIT-2",
        7 => "CLOSE",
        8 => "CLOSE-WAIT",
        TCP_LISTEN => "LISTEN",
        other => panic!("the workload makes no TCP sockets in state {other}"),
    }
}

/// An address as the interface writes it: "" for none, `None` for families whose notation is
/// not the workload's to know.
fn address(fd: BorrowedFd<'_>, domain: i32, end: End) -> io::Result<Option<String>> {
    match sys::socket_address(fd, end) {
        Ok(bytes) => Ok(address_text(&bytes, domain)),
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(Some("".into())),
        Err(error) => Err(error),
    }
}

/// The same for an address that is there as the bytes of its structure.
pub fn address_text(bytes: &[u8], domain: i32) -> Option<String> {
    let port = |at: &[u8]| u16::from_be_bytes([at[2], at[3]]);
    match domain {
        libc::AF_INET => {
            let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
            Some(inet_text(
                SocketAddrV4::new(ip, port(bytes)).to_string(),
                ip.is_unspecified(),
                port(bytes),
            ))
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = bytes[8..24].try_into().expect("sixteen bytes");
            let ip = Ipv6Addr::from(octets);
            let text = SocketAddrV6::new(ip, port(bytes), 0, 0).to_string();
            Some(inet_text(text, ip.is_unspecified(), port(bytes)))
        }
        libc::AF_UNIX => Some(unix_text(bytes)),
        _ => None,
    }
}

/// Neither an address nor a port is no name at all.
fn inet_text(text: String, unspecified: bool, port: u16) -> String {
    if unspecified && port == 0 { String::new() } else { text }
}

/// sun_path: a path up to its NUL, `@` for an abstract name, nothing for an unnamed socket.
fn unix_text(bytes: &[u8]) -> String {
    let name = bytes.get(2..).unwrap_or_default();
    match name.split_first() {
        None => String::new(),
        Some((0, rest)) => format!("@{}", crib_tui::model::escape(rest)),
        Some(_) => {
            let path = name.split(|&b| b == 0).next().unwrap_or_default();
            crib_tui::model::escape(path)
        }
    }
}
