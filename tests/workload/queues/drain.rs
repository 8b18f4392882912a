//! Ways to take out everything that a file's queues hold, so that a test sees that it was still
//! there: `messages`, `errors`, `stream`, `clients`.

use std::io;
use std::os::fd::BorrowedFd;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::told::hex;
use crate::holder::Drain;
use crate::measure;
use crate::sys::message;

/// More than any message here is long.
const ROOM: usize = 1 << 17;

/// How long what was held back may take to come; far more than it does.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// An address of a family whose notation is known.
fn address(bytes: &[u8]) -> Option<String> {
    let family = bytes.first_chunk().map_or(0, |family| u16::from_ne_bytes(*family));
    measure::address_text(bytes, family.into())
}

fn all_messages(fd: BorrowedFd<'_>, flags: i32) -> io::Result<Vec<Value>> {
    let mut messages = Vec::new();
    while let Some(received) = message::receive(fd, flags, ROOM)? {
        messages.push(json!({
            "payload": hex(&received.bytes), "from": address(&received.from),
            "files": received.files.len(),
            "time": received.time.map(|time| time.to_string()),
        }));
    }
    Ok(messages)
}

/// Message by message, until there is none.
pub fn messages() -> Drain {
    Box::new(|fd| Ok(json!({ "messages": all_messages(fd, 0)? })))
}

/// What is in the error queue, then the messages. A pending error would be told first.
pub fn errors() -> Drain {
    Box::new(|fd| {
        let errors = all_messages(fd, libc::MSG_ERRQUEUE)?;
        crate::sys::socket_option(fd, libc::SOL_SOCKET, libc::SO_ERROR)?;
        Ok(json!({ "errors": errors, "messages": all_messages(fd, 0)? }))
    })
}

/// Byte by byte, until `total` are there.
pub fn stream(total: usize) -> Drain {
    stream_after(total, |_| Ok(()))
}

/// The same after something was done that lets the last of them come.
pub fn stream_after(
    total: usize,
    first: impl FnOnce(BorrowedFd<'_>) -> io::Result<()> + 'static,
) -> Drain {
    stream_behind(total, move |fd| first(fd).map(|()| Vec::new()))
}

/// The same behind those bytes that somebody else has read.
pub fn stream_behind(
    total: usize,
    first: impl FnOnce(BorrowedFd<'_>) -> io::Result<Vec<u8>> + 'static,
) -> Drain {
    let mut first = Some(first);
    Box::new(move |fd| {
        let mut bytes = first.take().map_or_else(|| Ok(Vec::new()), |first| first(fd))?;
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            while let Some(received) = message::receive(fd, 0, ROOM)? {
                if received.bytes.is_empty() {
                    break;
                }
                bytes.extend(received.bytes);
            }
            if bytes.len() >= total {
                break;
            }
            sleep(PAUSE);
        }
        Ok(json!({ "stream": hex(&bytes) }))
    })
}

/// Those who wait to be accepted.
pub fn clients() -> Drain {
    Box::new(|fd| {
        let mut clients = Vec::new();
        while let Some((_, from)) = message::accept(fd)? {
            clients.push(address(&from));
        }
        Ok(json!({ "clients": clients }))
    })
}

/// What a pipe holds: so many bytes.
pub fn pipe(total: usize) -> Drain {
    Box::new(move |fd| {
        let mut bytes = Vec::new();
        while bytes.len() < total {
            bytes.extend(message::read(fd, total - bytes.len())?);
        }
        Ok(json!({ "stream": hex(&bytes) }))
    })
}

/// What a pipe in packet mode holds: so many packets.
pub fn pipe_packets(count: usize) -> Drain {
    Box::new(move |fd| {
        let packets = (0..count).map(|_| Ok(hex(&message::read(fd, ROOM)?)));
        let packets: Vec<Value> = packets
            .map(|payload: io::Result<String>| Ok(json!({ "payload": payload? })))
            .collect::<io::Result<_>>()?;
        Ok(json!({ "messages": packets }))
    })
}

/// Nothing can be taken out of it.
pub fn nothing() -> Drain {
    Box::new(|_| Ok(json!({})))
}
