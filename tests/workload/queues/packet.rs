//! Sockets below the transport protocols: raw, ping, packet; and vsock.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::{Value, json};

use super::apart::{USUAL_MTU, in_own_net};
use super::segment::checksum;
use super::tcp::wait_for;
use super::{drain, missing, told};
use crate::holder::{Holder, Queued};
use crate::sys::{self, message, net};

/// A protocol for experiments (RFC 3692), and an EtherType for such (IEEE 802).
const EXPERIMENTAL: i32 = 253;
const EXPERIMENTAL_TYPE: u16 = 0x88b5;

/// struct sockaddr_in: 127.0.0.1.
fn localhost() -> [u8; 16] {
    let mut address = [0u8; 16];
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    address
}

fn add(holder: &mut Holder, label: &str, fd: OwnedFd, packets: &[Value]) {
    let queues = json!({ "receive": packets });
    holder.add_queued("socket", label, fd, Queued { queues, drain: drain::messages() });
}

/// The first message, which stays where it is.
fn peek(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    wait_for("no packet", || {
        let received = message::receive(fd.as_fd(), libc::MSG_PEEK, 1 << 16)?;
        Ok(received.map(|received| bytes = received.bytes).is_some())
    })?;
    Ok(bytes)
}

/// A packet with its IP header, which the kernel made.
pub fn raw(holder: &mut Holder) -> io::Result<()> {
    let (socket, bytes) = in_own_net(USUAL_MTU, || {
        let socket = sys::socket(libc::AF_INET, libc::SOCK_RAW, EXPERIMENTAL)?;
        message::send_to(socket.as_fd(), b"without ports", &localhost())?;
        let bytes = peek(&socket)?;
        Ok((socket, bytes))
    })?;
    if bytes.len() != 20 + 13 || !bytes.ends_with(b"without ports") {
        return Err(io::Error::other("the packet came otherwise than it went"));
    }
    add(holder, "raw", socket, &[told::packet(&bytes)]);
    Ok(())
}

/// Over IPv6 the reader gets no header.
pub fn raw_over_6(holder: &mut Holder) -> io::Result<()> {
    let socket = in_own_net(USUAL_MTU, || {
        let socket = sys::socket(libc::AF_INET6, libc::SOCK_RAW, EXPERIMENTAL)?;
        let mut address = [0u8; 28]; // struct sockaddr_in6: ::1
        address[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        address[23] = 1;
        // The address may be there a moment later than the device.
        wait_for("no IPv6", || {
            Ok(message::send_to(socket.as_fd(), b"without header", &address).is_ok())
        })?;
        peek(&socket)?;
        Ok(socket)
    })?;
    add(holder, "raw6", socket, &[told::packet(b"without header")]);
    Ok(())
}

/// The answer to an echo request, with its ICMP header.
pub fn ping(holder: &mut Holder) -> io::Result<()> {
    let (socket, bytes) = in_own_net(USUAL_MTU, || {
        // This namespace is ours alone.
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")?;
        let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)?;
        // Echo request; the kernel fills in checksum and identifier.
        let mut request = vec![8, 0, 0, 0, 0, 0, 0, 1];
        request.extend(b"are you there");
        message::send_to(socket.as_fd(), &request, &localhost())?;
        let bytes = peek(&socket)?;
        Ok((socket, bytes))
    })?;
    if !bytes.ends_with(b"are you there") || checksum(&bytes) != 0 || bytes[0] != 0 {
        return Err(io::Error::other("that is no answer to the request"));
    }
    add(holder, "ping", socket, &[told::packet(&bytes)]);
    Ok(())
}

/// Two frames, as one socket sees them with and another without their header.
pub fn frames(holder: &mut Holder) -> io::Result<()> {
    let payloads = [&b"a frame on the loopback"[..], b"and another one of them"];
    let frame = |payload: &[u8]| [&[0; 12][..], &EXPERIMENTAL_TYPE.to_be_bytes(), payload].concat();
    let frames = payloads.map(frame);
    let sent = frames.clone();
    let (raw, cooked) = in_own_net(USUAL_MTU, move || {
        let protocol = i32::from(EXPERIMENTAL_TYPE.to_be());
        let raw = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol)?;
        let cooked = sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, protocol)?;
        let sender = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let mut address = [0u8; 20]; // struct sockaddr_ll
        address[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
        address[2..4].copy_from_slice(&EXPERIMENTAL_TYPE.to_be_bytes());
        address[4..8].copy_from_slice(&net::loopback_index()?.to_ne_bytes());
        for frame in &sent {
            message::send_to(sender.as_fd(), frame, &address)?;
        }
        peek(&raw)?;
        peek(&cooked)?;
        Ok((raw, cooked))
    })?;
    add(holder, "packet", raw, &frames.map(|frame| told::packet(&frame)));
    add(holder, "packet-cooked", cooked, &payloads.map(told::packet));
    Ok(())
}

/// What a vsock stream received waits in its transport, in none of the socket's own queues: all
/// that can be pinned is that these are there, and empty.
pub fn vsock(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)
        .map_err(|error| missing(&error.to_string()))?;
    let queued = Queued { queues: json!({}), drain: drain::nothing() };
    holder.add_queued("socket", "vsock", fd, queued);
    Ok(())
}
