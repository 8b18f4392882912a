//! /proc/PID/net/{tcp,udp,udplite,icmp,raw} and their like for IPv6.
//!
//! All have the columns of `get_tcp4_sock` (net/ipv4/tcp_ipv4.c) or `udp4_format_sock`
//! (net/ipv4/udp.c): `sl local rem st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{address, charged, of_protocol};
use crate::model::{Family, Queued, Socket, SocketType, State};
use crate::procfs::parse::{decimal, hex, lines, words};

/// What a line says, before the protocol gives it a meaning.
struct Line {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    state: State,
    tx: u64,
    rx: u64,
    ino: u64,
    drops: Option<u64>,
}

impl Line {
    fn parse(line: &[u8], family: Family) -> Option<Self> {
        let words: Vec<&[u8]> = words(line).collect();
        let (tx, rx) = pair(words.get(4)?)?;
        Some(Self {
            local: endpoint(words.get(1)?, family)?,
            remote: endpoint(words.get(2)?, family)?,
            state: State::Tcp(hex(words.get(3)?)?),
            tx: hex(tx)?,
            rx: hex(rx)?,
            // 0 is a connection without a file: in TIME-WAIT, or closed and still sending.
            ino: decimal(words.get(9)?).filter(|&ino| ino != 0)?,
            drops: words.get(12).and_then(|word| decimal(word)),
        })
    }

    fn socket(&self, family: Family, kind: i32, protocol: u16) -> Socket {
        Socket {
            local: Some(address::inet(self.local.0, self.local.1)),
            remote: Some(address::inet(self.remote.0, self.remote.1)),
            ..of_protocol(family, Some(SocketType(kind as u16)), Some(protocol))
        }
    }
}

fn pair(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = word.iter().position(|&byte| byte == b':')?;
    Some((&word[..colon], &word[colon + 1..]))
}

/// An address is printed as numbers of 32 bits in the machine's order, which hold the address
/// in the network's order.
fn endpoint(word: &[u8], family: Family) -> Option<(IpAddr, u16)> {
    let (address, port) = pair(word)?;
    let part = |index: usize| {
        let digits = address.get(8 * index..8 * (index + 1))?;
        Some(hex::<u32>(digits)?.to_ne_bytes())
    };
    let ip = match (family, address.len()) {
        (Family::INET, 8) => IpAddr::from(Ipv4Addr::from(part(0)?)),
        (Family::INET6, 32) => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&part(index)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((ip, hex(port)?))
}

/// Reads /proc/PID/net/tcp or tcp6.
pub fn tcp(text: &[u8], family: Family, add: &mut dyn FnMut(u64, Socket)) {
    for line in lines(text).filter_map(|line| Line::parse(line, family)) {
        let (recv, send) = tcp_queues(&line);
        let socket = Socket {
            state: Some(line.state),
            recv: Some(recv),
            send: Some(send),
            ..line.socket(family, libc::SOCK_STREAM, 6)
        };
        add(line.ino, socket);
    }
}

/// The columns are distances between sequence numbers, in which SYN and FIN count one each
/// (RFC 9293, section 3.4). The state tells whether one of them is among them.
fn tcp_queues(line: &Line) -> (Queued, Queued) {
    let payload = |payload| Queued { payload, ..Queued::default() };
    let empty = Queued { messages: Some(0), payload: Some(0), memory: None };
    if line.state == State::LISTEN {
        // Its columns are connections that wait for accept.
        return (empty, empty);
    }
    let recv = match line.state {
        // The FIN comes last: while anything is unread, it is.
        State::CLOSE_WAIT | State::LAST_ACK | State::CLOSING => {
            payload(Some(line.rx.saturating_sub(1)))
        }
        State::CLOSE => payload((line.rx == 0).then_some(0)),
        _ => payload(Some(line.rx)),
    };
    let send = match line.state {
        State::SYN_SENT | State::SYN_RECV => payload(Some(0)),
        State::FIN_WAIT_1 | State::LAST_ACK | State::CLOSING => {
            payload(Some(line.tx.saturating_sub(1)))
        }
        State::CLOSE => payload((line.tx == 0).then_some(0)),
        _ => payload(Some(line.tx)),
    };
    (recv, send)
}

/// The sockets that keep whole messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// udp(7).
    Udp,
    /// udplite(7).
    UdpLite,
    /// ICMP echo sockets (icmp(7)).
    Ping,
    /// raw(7); what stands for the local port is the protocol.
    Raw,
}

/// Reads the table of a protocol that keeps whole messages. Its queues are given as memory.
pub fn datagram(text: &[u8], family: Family, which: Datagram, add: &mut dyn FnMut(u64, Socket)) {
    for line in lines(text).filter_map(|line| Line::parse(line, family)) {
        let (kind, protocol) = match which {
            Datagram::Udp => (libc::SOCK_DGRAM, 17),
            Datagram::UdpLite => (libc::SOCK_DGRAM, 136),
            Datagram::Ping => (libc::SOCK_DGRAM, if family == Family::INET { 1 } else { 58 }),
            Datagram::Raw => (libc::SOCK_RAW, line.local.1),
        };
        let mut socket = Socket {
            state: Some(match line.state {
                State::CLOSE => State::Unconnected,
                state => state,
            }),
            recv: Some(charged(line.rx)),
            send: Some(charged(line.tx)),
            drops: line.drops,
            ..line.socket(family, kind, protocol)
        };
        if which == Datagram::Raw {
            socket.local = Some(address::portless(line.local.0));
            socket.remote = Some(address::portless(line.remote.0));
        }
        add(line.ino, socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;
    use rstest::rstest;

    fn one(read: impl Fn(&mut dyn FnMut(u64, Socket))) -> (u64, Socket) {
        let mut found = Vec::new();
        read(&mut |ino, socket| found.push((ino, socket)));
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn tcp_line(state: u8, tx: u32, rx: u32) -> Socket {
        let text = format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
             timeout inode\n   0: 0100007F:07E8 0200007F:D431 {state:02X} {tx:08X}:{rx:08X} \
             00:00000000 00000000     0        0 1579 1 000000005a3b6fb8 100 0 0 10 0\n"
        );
        one(|add| tcp(text.as_bytes(), Family::INET, add)).1
    }

    fn payloads(socket: &Socket) -> (Option<u64>, Option<u64>) {
        (socket.recv.unwrap().payload, socket.send.unwrap().payload)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_connection_has_addresses_state_and_bytes() {
        let socket = tcp_line(1, 5, 13);
        assert_eq!(socket.local, Some(Text::from("127.0.0.1:2024")));
        assert_eq!(socket.remote, Some(Text::from("127.0.0.2:54321")));
        assert_eq!(socket.state, Some(State::ESTABLISHED));
        assert_eq!(payloads(&socket), (Some(13), Some(5)));
        assert_eq!(socket.recv.unwrap().memory, None);
        assert_eq!(socket.protocol.unwrap().name(), "tcp");
    }

    #[rstest]
    #[case::fin_received(8, 0, 12, Some(11), Some(0))]
    #[case::fin_received_and_read(8, 0, 0, Some(0), Some(0))]
    #[case::fin_sent(4, 8, 3, Some(3), Some(7))]
    #[case::both(9, 1, 1, Some(0), Some(0))]
    #[case::syn_sent(2, 1, 0, Some(0), Some(0))]
    #[case::listener(10, 0, 3, Some(0), Some(0))]
    #[case::closed(7, 1, 2, None, None)]
    fn syn_and_fin_are_no_payload(
        #[case] state: u8,
        #[case] tx: u32,
        #[case] rx: u32,
        #[case] recv: Option<u64>,
        #[case] send: Option<u64>,
    ) {
        assert_eq!(payloads(&tcp_line(state, tx, rx)), (recv, send));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv6_addresses_are_four_numbers() {
        let text = b"   0: 00000000000000000000000001000000:0050 \
            00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     \
            0        0 24 1 0000000000000000 100 0 0 10 0";
        let (ino, socket) = one(|add| tcp(text, Family::INET6, add));
        assert_eq!(ino, 24);
        assert_eq!(socket.local, Some(Text::from("[::1]:80")));
        assert_eq!(socket.remote, Some(Text::default()));
    }

    #[test]
    fn a_udp_queue_is_memory() {
        let text = b"  12: 00000000:14E9 00000000:0000 07 00000000:00000680 00:00000000 00000000 \
                        0        0 4711 2 000000003082d0c3 6\n";
        let (ino, socket) = one(|add| datagram(text, Family::INET, Datagram::Udp, add));
        assert_eq!(ino, 4711);
        assert_eq!(socket.state, Some(State::Unconnected));
        assert_eq!(socket.recv, Some(Queued { memory: Some(1664), ..Queued::default() }));
        assert_eq!(socket.send, Some(charged(0)));
        assert_eq!(socket.drops, Some(6));
    }

    #[test]
    fn the_protocol_of_a_raw_socket_stands_for_its_port() {
        let text = b"   1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                        0        0 9 2 000000003082d0c3 0\n";
        let (_, socket) = one(|add| datagram(text, Family::INET, Datagram::Raw, add));
        assert_eq!(socket.protocol.unwrap().name(), "icmp");
        assert_eq!(socket.kind.unwrap().name(), "raw");
        assert_eq!(socket.local, Some(Text::default()));
    }

    #[test]
    fn a_connection_without_a_file_is_left_out() {
        let text = b"   0: 0100007F:07E8 0200007F:D431 06 00000000:00000000 03:00000A5E 00000000 \
                        0        0 0 3 000000005a3b6fb8\n";
        tcp(text, Family::INET, &mut |ino, _| panic!("{ino}"));
    }
}
