//! The protocol of a socket that is in no table, by the name that the kernel gives it.

use super::of_protocol;
use crate::model::{Family, Socket, SocketType};

/// The extended attribute in which the kernel shows `sk_prot->name` (net/socket.c,
/// `sockfs_xattr_handlers`).
const ATTRIBUTE: &str = "system.sockprotoname";

const STREAM: Option<SocketType> = Some(SocketType(libc::SOCK_STREAM as u16));
const DGRAM: Option<SocketType> = Some(SocketType(libc::SOCK_DGRAM as u16));
const RAW: Option<SocketType> = Some(SocketType(libc::SOCK_RAW as u16));

/// IPPROTO_MPTCP.
pub const MPTCP: u16 = 262;

/// What the name of the protocol says of the socket behind a link in /proc/PID/fd.
pub fn by_name(link: &str) -> Option<Socket> {
    let mut name = [0; 64];
    let len = rustix::fs::getxattr(link, ATTRIBUTE, &mut name[..]).ok()?;
    parse(name.get(..len)?)
}

/// The kernel's `struct proto` names, those whose family they prove.
fn parse(name: &[u8]) -> Option<Socket> {
    let name = name.split(|&byte| byte == 0).next()?;
    let inet = |kind, protocol| Some(of_protocol(Family::INET, kind, protocol));
    let inet6 = |kind, protocol| Some(of_protocol(Family::INET6, kind, protocol));
    match name {
        b"TCP" => inet(STREAM, Some(6)),
        b"TCPv6" => inet6(STREAM, Some(6)),
        b"MPTCP" => inet(STREAM, Some(MPTCP)),
        b"MPTCPv6" => inet6(STREAM, Some(MPTCP)),
        b"UDP" => inet(DGRAM, Some(17)),
        b"UDPv6" => inet6(DGRAM, Some(17)),
        b"UDP-Lite" => inet(DGRAM, Some(136)),
        b"UDPLITEv6" => inet6(DGRAM, Some(136)),
        b"PING" => inet(DGRAM, Some(1)),
        b"PINGv6" => inet6(DGRAM, Some(58)),
        b"RAW" => inet(RAW, None),
        b"RAWv6" => inet6(RAW, None),
        b"SCTP" => inet(None, Some(132)),
        b"SCTPv6" => inet6(None, Some(132)),
        b"UNIX-STREAM" => Some(of_protocol(Family::UNIX, STREAM, None)),
        // Until Linux 5.14 for streams as well.
        b"UNIX" => Some(of_protocol(Family::UNIX, None, None)),
        b"NETLINK" => Some(of_protocol(Family::NETLINK, None, None)),
        b"PACKET" => Some(of_protocol(Family::PACKET, None, None)),
        b"AF_VSOCK" => Some(of_protocol(Family::VSOCK, None, None)),
        b"XDP" => Some(of_protocol(Family(libc::AF_XDP as u16), None, None)),
        b"KEY" => Some(of_protocol(Family(libc::AF_KEY as u16), None, None)),
        b"ALG" => Some(of_protocol(Family(libc::AF_ALG as u16), None, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_tells_family_type_and_protocol() {
        let tcp6 = parse(b"TCPv6\0").unwrap();
        assert_eq!(tcp6.family, Some(Family::INET6));
        assert_eq!(tcp6.kind, STREAM);
        assert_eq!(tcp6.protocol.unwrap().name(), "tcp");
        assert_eq!(tcp6.state, None);
        assert_eq!(parse(b"something new\0"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
