//! /proc/PID/net/{netlink,packet}: the sockets below or beside the internet protocols.

use super::{address, charged, of_protocol};
use crate::model::{Family, Queued, Socket, SocketType, Text};
use crate::procfs::parse::{decimal, hex, lines, words};

/// Reads `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode` (net/netlink/af_netlink.c,
/// `netlink_native_seq_show`).
pub fn netlink(text: &[u8], add: &mut dyn FnMut(u64, Socket)) {
    for line in lines(text) {
        let words: Vec<&[u8]> = words(line).collect();
        let number = |index: usize| decimal::<u64>(words.get(index)?);
        let entry = || {
            let protocol = decimal(words.get(1)?)?;
            let socket = Socket {
                local: Some(address::netlink(decimal(words.get(2)?)?)),
                recv: Some(charged(number(4)?)),
                send: Some(charged(number(5)?)),
                drops: Some(number(8)?),
                // Whether it is SOCK_RAW or SOCK_DGRAM makes no difference and is not told.
                ..of_protocol(Family::NETLINK, None, Some(protocol))
            };
            Some((number(9)?, socket))
        };
        if let Some((ino, socket)) = entry() {
            add(ino, socket);
        }
    }
}

/// Reads `sk RefCnt Type Proto Iface R Rmem User Inode` (net/packet/af_packet.c,
/// `packet_seq_show`).
pub fn packet(text: &[u8], add: &mut dyn FnMut(u64, Socket)) {
    for line in lines(text) {
        let words: Vec<&[u8]> = words(line).collect();
        let entry = || {
            let kind = SocketType(decimal(words.get(2)?)?);
            let protocol = hex(words.get(3)?)?;
            // A ring that is mapped (PACKET_RX_RING) is not counted here.
            let memory = decimal(words.get(6)?)?;
            let socket = Socket {
                local: Some(address::packet(decimal(words.get(4)?)?)),
                remote: Some(Text::default()),
                recv: Some(Queued { memory: Some(memory), ..Queued::default() }),
                ..of_protocol(Family::PACKET, Some(kind), Some(protocol))
            };
            Some((decimal(words.get(8)?)?, socket))
        };
        if let Some((ino, socket)) = entry() {
            add(ino, socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netlink_sockets_have_protocol_port_and_memory() {
        let text = b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    \
            Drops    Inode\n\
            000000008a3a694e 0   4242       00000001 768      0        0     2        3        \
            1504    \n";
        let mut found = Vec::new();
        netlink(text, &mut |ino, socket| found.push((ino, socket)));
        let [(1504, socket)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(socket.protocol.unwrap().name(), "route");
        assert_eq!(socket.local, Some(Text::from("4242")));
        assert_eq!(socket.recv, Some(Queued { memory: Some(768), ..Queued::default() }));
        assert_eq!(socket.drops, Some(3));
        assert_eq!(socket.kind, None);
    }

    #[test]
    fn packet_sockets_have_ether_type_and_interface() {
        let text = b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
            00000000c0144d83 3      3    0003   2     1 0      0      977   \n";
        let mut found = Vec::new();
        packet(text, &mut |ino, socket| found.push((ino, socket)));
        let [(977, socket)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(socket.protocol.unwrap().name(), "all");
        assert_eq!(socket.kind.unwrap().name(), "raw");
        assert_eq!(socket.local, Some(Text::from("if2")));
    }
}
