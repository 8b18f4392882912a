//! Many sockets with many messages each, whose bytes follow from their place.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use serde_json::{Map, Value, json};

use crate::pattern::message_of;
use crate::{modes, sys};

/// Holds so many sockets, every other of UDP and of unix(7), with so many messages each of so
/// many bytes. Message `m` of socket `s` is message number `s * messages + m` of the pattern.
pub fn run(sockets: usize, messages: usize, len: usize) -> io::Result<()> {
    sys::raise_fd_limit()?;
    let dir = std::env::temp_dir().join(format!("crib-workload-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let udp_sender = UdpSocket::bind("127.0.0.1:0")?;
    let unix_sender = UnixDatagram::unbound()?;
    // What unix sockets hold is charged to the sender.
    let (level, name) = (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE);
    sys::set_socket_option(unix_sender.as_fd(), level, name, 1 << 29)?;
    let mut held: Vec<OwnedFd> = Vec::with_capacity(sockets);
    for socket in 0..sockets {
        let number = |message| (socket * messages + message) as u64;
        let contents = (0..messages).map(|message| message_of(number(message), len));
        if socket % 2 == 0 {
            let receiver = UdpSocket::bind("127.0.0.1:0")?;
            let to = receiver.local_addr()?;
            contents.map(|bytes| udp_sender.send_to(&bytes, to)).collect::<io::Result<Vec<_>>>()?;
            held.push(receiver.into());
        } else {
            let receiver = UnixDatagram::bind(dir.join(socket.to_string()))?;
            let to = receiver.local_addr()?;
            contents
                .map(|bytes| unix_sender.send_to_addr(&bytes, &to))
                .collect::<io::Result<Vec<_>>>()?;
            held.push(receiver.into());
        }
    }
    std::fs::remove_dir_all(&dir)?;
    let files: Vec<Value> = held
        .iter()
        .map(|fd| json!({ "fd": fd.as_raw_fd(), "kind": "socket", "label": "many" }))
        .collect();
    let mut report = Map::new();
    report.insert("pid".into(), std::process::id().into());
    report.insert("files".into(), files.into());
    report.insert("skipped".into(), json!([]));
    modes::announce(report)?;
    modes::wait_for_eof()
}
