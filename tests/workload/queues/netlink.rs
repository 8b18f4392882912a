//! Netlink: messages of another program, and of the kernel itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::json;

use super::{drain, missing, told};
use crate::holder::{Holder, Queued};
use crate::sys::{self, End, message};

/// A bound socket, and its address, whose port the kernel chose.
pub fn bound(protocol: i32) -> io::Result<(OwnedFd, Vec<u8>)> {
    let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
    let mut address = [0u8; 12]; // struct sockaddr_nl
    address[..2].copy_from_slice(&(libc::AF_NETLINK as u16).to_ne_bytes());
    sys::bind(fd.as_fd(), &address)?;
    let address = sys::socket_address(fd.as_fd(), End::Local)?;
    Ok((fd, address))
}

/// A message with a header (struct nlmsghdr) of this type.
pub fn with_header(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

/// Two messages of a program, sent from one socket to another.
pub fn user(holder: &mut Holder) -> io::Result<()> {
    let (receiver, address) = bound(libc::NETLINK_USERSOCK)?;
    let (sender, _) = bound(libc::NETLINK_USERSOCK)?;
    let messages =
        [with_header(0x20, 0, 1, b"first payload"), with_header(0x21, 0, 2, b"second payload")];
    for message in &messages {
        message::send_to(sender.as_fd(), message, &address)?;
    }
    let queues = json!({ "receive": messages.map(|message| told::packet(&message)) });
    let queued = Queued { queues, drain: drain::messages() };
    holder.add_queued("socket", "netlink", receiver, queued);
    holder.keep(sender);
    Ok(())
}

/// The kernel's answer to a question, as MSG_PEEK tells it.
pub fn route(holder: &mut Holder) -> io::Result<()> {
    const RTM_GETLINK: u16 = 18;
    // About the loopback device.
    let mut question = [0u8; 16]; // struct ifinfomsg
    question[4..8].copy_from_slice(&sys::net::loopback_index()?.to_ne_bytes());
    let ask = |fd: &OwnedFd| -> io::Result<Vec<u8>> {
        let question = with_header(RTM_GETLINK, 1 /* NLM_F_REQUEST */, 7, &question);
        sys::write(fd.as_fd(), &question)?;
        let answer = message::receive(fd.as_fd(), libc::MSG_PEEK, 1 << 16)?;
        Ok(answer.ok_or_else(|| missing("the kernel did not answer"))?.bytes)
    };
    let (socket, _) = bound(libc::NETLINK_ROUTE)?;
    let answer = ask(&socket)?;
    let queues = json!({ "receive": [told::packet(&answer)] });
    let queued = Queued { queues, drain: drain::messages() };
    holder.add_queued("socket", "netlink-route", socket, queued);
    Ok(())
}
