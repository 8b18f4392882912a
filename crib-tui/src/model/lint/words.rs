//! How lints put numbers and places into words.

use std::time::Duration;

use super::Subject;
use crate::model::{File, Queued, Socket, Text, count};

/// `9s`, `2m05s`, `3h20m`: whole units, rounded down, since it is at least that long.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `5 bytes in 2 messages`, as far as that is known; of a pipe, `in 2 buffers`.
pub fn amount(file: &File, queued: Queued) -> String {
    let unit = if file.pipe.is_some() { "buffer" } else { "message" };
    match (queued.payload, queued.messages) {
        (Some(bytes), Some(messages)) => {
            format!("{} in {}", count(bytes, "byte"), count(messages, unit))
        }
        (Some(bytes), None) => count(bytes, "byte"),
        (None, Some(messages)) => count(messages, unit),
        (None, None) => "something".to_owned(),
    }
}

/// The command that shows what is queued in the file.
pub fn packets(subject: &Subject<'_>) -> String {
    match subject.file.fd {
        Some(fd) => format!("crib-top packets -p {} --fd {fd}", subject.process.pid),
        None => "the queue".to_owned(),
    }
}

/// The command that shows where the process's threads wait, without stopping them.
pub fn threads(subject: &Subject<'_>) -> String {
    format!("cat /proc/{}/task/*/stack", subject.process.pid)
}

/// The file by its descriptor.
pub fn fd(subject: &Subject<'_>) -> String {
    subject.file.fd.map_or_else(|| "the file".to_owned(), |fd| format!("fd {fd}"))
}

/// The address that the socket is, was or was to be connected to; none where there is none.
pub fn remote(socket: &Socket) -> Option<String> {
    socket.remote.as_ref().filter(|remote| !remote.is_empty()).map(Text::to_string)
}

/// The same, or `the other end`.
pub fn other_end(socket: &Socket) -> String {
    remote(socket).unwrap_or_else(|| "the other end".to_owned())
}
