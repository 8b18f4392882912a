//! UDP: received, taken over by the reader, and the error queue.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::tcp::wait_for;
use super::{drain, told};
use crate::holder::{Holder, Queued};
use crate::sys;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn add(holder: &mut Holder, label: &str, socket: UdpSocket, queues: Value) {
    let queued = Queued { queues, drain: drain::messages() };
    holder.add_queued("socket", label, socket, queued);
}

/// Sends from a socket of its own, which is kept open, and tells the packet.
fn send(holder: &mut Holder, to: &UdpSocket, payload: &[u8]) -> io::Result<Value> {
    let to = to.local_addr()?;
    let sender = UdpSocket::bind((to.ip(), 0))?;
    sender.send_to(payload, to)?;
    let from = sender.local_addr()?.to_string();
    holder.keep(sender);
    Ok(told::packet_with(payload, json!({ "from": from })))
}

fn add_received(holder: &mut Holder, label: &str, ip: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind((ip, 0))?;
    let mut packets = Vec::new();
    for payload in [&b"hello"[..], b"", b"with \0 and \xff", &told::known_bytes(4, 1400)] {
        packets.push(send(holder, &socket, payload)?);
    }
    add(holder, label, socket, json!({ "receive": packets }));
    Ok(())
}

/// Four datagrams of four senders, one of them empty.
pub fn received(holder: &mut Holder) -> io::Result<()> {
    add_received(holder, "udp", V4)
}

/// The same over IPv6.
pub fn received_over_6(holder: &mut Holder) -> io::Result<()> {
    add_received(holder, "udp6", V6)
}

/// The first reading took all that was there over to the reader's queue and one datagram out
/// of it (net/ipv4/udp.c, __skb_recv_udp); a later datagram is in the other queue.
pub fn reader(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind((V4, 0))?;
    send(holder, &socket, b"read")?;
    let taken_over = [send(holder, &socket, b"second")?, send(holder, &socket, b"third one")?];
    socket.recv(&mut [0; 16])?;
    let later = send(holder, &socket, b"later")?;
    add(holder, "udp-reader", socket, json!({ "reader": taken_over, "receive": [later] }));
    Ok(())
}

/// Stamped with the time at which they came.
pub fn stamped(holder: &mut Holder) -> io::Result<()> {
    let socket = UdpSocket::bind((V4, 0))?;
    sys::set_socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    // The kernel begins to stamp from a work queue (net/core/dev.c, net_enable_timestamp), and
    // nothing tells when.
    sleep(Duration::from_millis(500));
    let packets = [send(holder, &socket, b"tick")?, send(holder, &socket, b"tock")?];
    add(holder, "udp-stamped", socket, json!({ "receive": packets }));
    Ok(())
}

fn add_error(holder: &mut Holder, label: &str, ip: IpAddr) -> io::Result<()> {
    let (level, name) = match ip {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    let socket = UdpSocket::bind((ip, 0))?;
    sys::set_socket_option(socket.as_fd(), level, name, 1)?;
    let nobody = UdpSocket::bind((ip, 0))?.local_addr()?;
    socket.send_to(b"anyone there?", nobody)?;
    wait_for("no ICMP error", || sys::has_error(socket.as_fd()))?;
    let queues = json!({ "error": [told::packet(b"anyone there?")] });
    let queued = Queued { queues, drain: drain::errors() };
    holder.add_queued("socket", label, socket, queued);
    Ok(())
}

/// What was sent to nobody came back with "port unreachable".
pub fn error(holder: &mut Holder) -> io::Result<()> {
    add_error(holder, "udp-error", V4)
}

/// The same over IPv6.
pub fn error_over_6(holder: &mut Holder) -> io::Result<()> {
    add_error(holder, "udp6-error", V6)
}

/// The time at which datagrams were sent comes back in the error queue, with what was sent
/// behind the headers that it got.
pub fn sent_stamp(holder: &mut Holder) -> io::Result<()> {
    let receiver = UdpSocket::bind((V4, 0))?;
    let socket = UdpSocket::bind((V4, 0))?;
    // SOF_TIMESTAMPING_TX_SOFTWARE and SOF_TIMESTAMPING_SOFTWARE
    let flags = 1 << 1 | 1 << 4;
    sys::set_socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags)?;
    let payloads = [&b"stamp this"[..], b"and that"];
    for payload in payloads {
        socket.send_to(payload, receiver.local_addr()?)?;
    }
    wait_for("no time stamp", || sys::has_error(socket.as_fd()))?;
    let ends = payloads.map(told::hex);
    let queued = Queued { queues: json!({ "error": { "ends": ends } }), drain: drain::errors() };
    holder.add_queued("socket", "udp-sent-stamp", socket, queued);
    let received = payloads.map(told::packet);
    add(holder, "udp-sent-stamp-receiver", receiver, json!({ "receive": received }));
    Ok(())
}
