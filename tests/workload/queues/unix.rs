//! Unix sockets: streams, datagrams with their senders' names, and those who wait.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

use serde_json::{Value, json};

use super::{drain, told};
use crate::holder::{Drain, Holder, Queued};
use crate::sys;

fn add(holder: &mut Holder, label: &str, fd: impl Into<OwnedFd>, queues: Value, drain: Drain) {
    holder.add_queued("socket", label, fd, Queued { queues, drain });
}

/// Two messages, and none in the other end.
pub fn stream(holder: &mut Holder) -> io::Result<()> {
    let (mut sender, receiver) = UnixStream::pair()?;
    sender.write_all(b"hello")?;
    sender.write_all(b" world")?;
    let packets = [told::packet(b"hello"), told::packet(b" world")];
    add(holder, "unix-stream", receiver, json!({ "receive": packets }), drain::stream(11));
    add(holder, "unix-stream-sender", sender, json!({}), drain::nothing());
    Ok(())
}

/// Three bytes of the first message were read already.
pub fn partly_read(holder: &mut Holder) -> io::Result<()> {
    let (mut sender, mut receiver) = UnixStream::pair()?;
    sender.write_all(b"first message")?;
    sender.write_all(b"second")?;
    receiver.read_exact(&mut [0; 3])?;
    let first = told::packet_with(b"st message", json!({ "consumed": 3 }));
    let queues = json!({ "receive": [first, told::packet(b"second")] });
    add(holder, "unix-stream-partly-read", receiver, queues, drain::stream(16));
    holder.keep(sender);
    Ok(())
}

/// Of senders with a path, with an abstract name and without any; one message is empty.
pub fn dgram(holder: &mut Holder) -> io::Result<()> {
    let receiver = UnixDatagram::bind(holder.dir().join("dgram"))?;
    let to = receiver.local_addr()?;
    let path = holder.dir().join("dgram-sender");
    let name = format!("crib-workload-queues-{}", std::process::id());
    let unnamed = UnixDatagram::unbound()?;
    let with_path = UnixDatagram::bind(&path)?;
    let abstract_one = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let messages: [(&UnixDatagram, &[u8], String); 4] = [
        (&unnamed, b"from nobody", String::new()),
        (&with_path, b"from a path", path.display().to_string()),
        (&abstract_one, b"", format!("@{name}")),
        (&abstract_one, b"from a name", format!("@{name}")),
    ];
    let mut packets = Vec::new();
    for (sender, payload, from) in messages {
        sender.send_to_addr(payload, &to)?;
        packets.push(told::packet_with(payload, json!({ "from": from })));
    }
    add(holder, "unix-dgram", receiver, json!({ "receive": packets }), drain::messages());
    holder.keep((unnamed, with_path, abstract_one));
    Ok(())
}

/// Messages that keep their borders.
pub fn seqpacket(holder: &mut Holder) -> io::Result<()> {
    let (sender, receiver) = sys::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET)?;
    let payloads = [&b"first"[..], b"second message"];
    for payload in payloads {
        sys::write(sender.as_fd(), payload)?;
    }
    let queues = json!({ "receive": payloads.map(told::packet) });
    add(holder, "unix-seqpacket", receiver, queues, drain::messages());
    holder.keep(sender);
    Ok(())
}

/// One with a name and one without wait to be accepted.
pub fn listen(holder: &mut Holder) -> io::Result<()> {
    let path = holder.dir().join("queue-listener");
    let listener = UnixListener::bind(&path)?;
    let mut address = [0u8; 110]; // struct sockaddr_un
    address[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
    let own = holder.dir().join("queue-client").display().to_string();
    address[2..][..own.len()].copy_from_slice(own.as_bytes());
    let named = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    sys::bind(named.as_fd(), &address[..2 + own.len() + 1])?;
    sys::connect(named.as_fd(), &sys::socket_address(listener.as_fd(), sys::End::Local)?)?;
    let unnamed = UnixStream::connect(&path)?;
    let queues = json!({ "accept": [{ "from": own }, { "from": "" }] });
    add(holder, "unix-listen", listener, queues, drain::clients());
    holder.keep((named, unnamed));
    Ok(())
}
