//! One TCP segment, made by hand and sent over a raw socket: as if the connection's other end
//! had sent it.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::AsFd;

use crate::sys::{self, message};

/// Sends `payload` from one end of a connection to the other with this sequence number.
pub fn send(
    from: SocketAddrV4,
    to: SocketAddrV4,
    seq: u32,
    ack: u32,
    payload: &[u8],
) -> io::Result<()> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(from.port().to_be_bytes());
    segment.extend(to.port().to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    // Five words of header; ACK and PSH.
    segment.extend([5 << 4, 0x18]);
    // The window; the checksum, which is filled in below; no urgent data.
    segment.extend(1024u16.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(payload);
    let mut pseudo_header = Vec::new();
    pseudo_header.extend(from.ip().octets());
    pseudo_header.extend(to.ip().octets());
    pseudo_header.extend([0, libc::IPPROTO_TCP as u8]);
    pseudo_header.extend((segment.len() as u16).to_be_bytes());
    let sum = checksum(&[pseudo_header.as_slice(), &segment].concat());
    segment[16..18].copy_from_slice(&sum.to_be_bytes());

    let socket = sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP)?;
    let mut address = [0u8; 16]; // struct sockaddr_in; a raw socket has no port
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[4..8].copy_from_slice(&to.ip().octets());
    message::send_to(socket.as_fd(), &segment, &address).map(drop)
}

/// The Internet's checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]))
    });
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum + (sum >> 16)) as u16)
}
