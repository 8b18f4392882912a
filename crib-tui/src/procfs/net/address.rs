//! How the addresses of sockets are written, as the readings from the kernel have them.

use std::net::{IpAddr, SocketAddr};

use crate::model::Text;

/// An internet address and port, `127.0.0.1:80` or `[::1]:80`; "" where neither is set.
pub fn inet(ip: IpAddr, port: u16) -> Text {
    if ip.is_unspecified() && port == 0 {
        return Text::default();
    }
    SocketAddr::new(ip, port).to_string().into()
}

/// An internet address of a protocol without ports; "" where none is set.
pub fn portless(ip: IpAddr) -> Text {
    if ip.is_unspecified() { Text::default() } else { ip.to_string().into() }
}

/// A netlink port id (netlink(7)), 0 before it is bound.
pub fn netlink(port_id: u32) -> Text {
    port_id.to_string().into()
}

/// The interface that a packet socket is bound to, by its index (packet(7)); "" for any.
pub fn packet(interface: u32) -> Text {
    if interface == 0 { Text::default() } else { format!("if{interface}").into() }
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
        assert_eq!(portless(Ipv6Addr::LOCALHOST.into()), Text::from("::1"));
        assert_eq!(portless(Ipv4Addr::UNSPECIFIED.into()), Text::default());
        assert_eq!(netlink(4711), Text::from("4711"));
        assert_eq!(packet(0), Text::default());
        assert_eq!(packet(3), Text::from("if3"));
    }
}
