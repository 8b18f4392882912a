//! How the addresses of sockets are written, the same for every source.

use std::net::{IpAddr, SocketAddr};

use super::Text;

/// An internet address and port, `127.0.0.1:80` or `[::1]:80`; "" where neither is set.
pub fn inet(ip: IpAddr, port: u16) -> Text {
    if ip.is_unspecified() && port == 0 {
        return Text::default();
    }
    SocketAddr::new(ip, port).to_string().into()
}

/// A unix socket's name as unix(7) has it in `sun_path`: a path, or `@` and the bytes behind
/// the first one of an abstract name; "" where there is none.
pub fn unix(sun_path: &[u8]) -> Text {
    match sun_path {
        [] => Text::default(),
        [0, name @ ..] => [b"@", name].concat().into(),
        path => path.split(|&byte| byte == 0).next().unwrap_or_default().into(),
    }
}

/// A netlink port id (netlink(7)); "" for 0, which is the kernel or unbound.
pub fn netlink(port_id: u32) -> Text {
    number(port_id)
}

/// The index of the interface that a packet socket is bound to (packet(7)); "" for 0, any.
pub fn packet(interface: u32) -> Text {
    number(interface)
}

fn number(number: u32) -> Text {
    if number == 0 { Text::default() } else { number.to_string().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn addresses_are_written_as_users_know_them() {
        assert_eq!(inet(Ipv4Addr::LOCALHOST.into(), 80), Text::from("127.0.0.1:80"));
        assert_eq!(inet(Ipv4Addr::UNSPECIFIED.into(), 80), Text::from("0.0.0.0:80"));
        assert_eq!(inet(Ipv6Addr::LOCALHOST.into(), 80), Text::from("[::1]:80"));
        assert_eq!(inet(Ipv6Addr::UNSPECIFIED.into(), 0), Text::default());
        assert_eq!(netlink(4711), Text::from("4711"));
        assert_eq!(packet(0), Text::default());
    }

    #[test]
    fn a_unix_path_ends_at_its_first_nul_and_an_abstract_name_does_not() {
        assert_eq!(unix(b"/run/x\0\0"), Text::from("/run/x"));
        assert_eq!(unix(b"\0a\0b"), Text::from("@a\0b"));
        assert_eq!(unix(b""), Text::default());
    }
}
