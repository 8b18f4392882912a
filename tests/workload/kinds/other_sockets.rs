//! Sockets of the smaller families.

use std::io;
use std::os::fd::AsFd;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

/// Routing messages; none is asked for.
pub fn netlink_route(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    let mut address = [0u8; 12]; // struct sockaddr_nl: the kernel chooses the port
    address[..2].copy_from_slice(&(libc::AF_NETLINK as u16).to_ne_bytes());
    sys::bind(fd.as_fd(), &address)?;
    let expect = json!({ "socket": { "family": "netlink", "type": "raw", "protocol": "route" } });
    holder.add("socket", "netlink-route", fd, expect);
    Ok(())
}

/// Sees only frames of a protocol that nobody speaks here.
pub fn packet(holder: &mut Holder) -> io::Result<()> {
    const ETH_P_RARP: u16 = 0x8035;
    let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(ETH_P_RARP.to_be()))?;
    let expect = json!({ "socket": { "family": "packet", "type": "raw", "protocol": "rarp",
                                     "recv": { "messages": 0, "payload": 0 } } });
    holder.add("socket", "packet", fd, expect);
    Ok(())
}

/// A listener for connections between virtual machine and host.
pub fn vsock(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)?;
    let mut address = [0u8; 16]; // struct sockaddr_vm
    address[..2].copy_from_slice(&(libc::AF_VSOCK as u16).to_ne_bytes());
    address[4..8].copy_from_slice(&7007u32.to_ne_bytes());
    address[8..12].copy_from_slice(&libc::VMADDR_CID_ANY.to_ne_bytes());
    sys::bind(fd.as_fd(), &address)?;
    sys::listen(fd.as_fd(), 3)?;
    let expect = json!({ "socket": { "family": "vsock", "type": "stream", "state": "LISTEN" } });
    holder.add("socket", "vsock", fd, expect);
    Ok(())
}
