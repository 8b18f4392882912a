//! Files in trouble, each beside one that looks alike and is well: what lints must find, and what
//! they must not.

mod inherited;
mod local;
mod moving;
mod tcp;

use std::io;

use serde_json::Map;

use crate::holder::Holder;
use crate::kinds::Constructor;
use crate::modes;
use crate::sys;

pub use inherited::child;

/// What there is, in the order in which it is made.
const LINTS: &[(&str, Constructor)] = &[
    ("close-wait", tcp::close_wait),
    ("tcp-closed", tcp::closed),
    ("zero-window", tcp::zero_window),
    ("retransmitting", tcp::retransmitting),
    ("accept", tcp::accept),
    ("error", tcp::error),
    ("udp-drops", moving::drops),
    ("moving", moving::stream),
    ("unpolled", local::unpolled),
    ("send-stuck", local::send_stuck),
    ("peer-gone", local::peer_gone),
    ("flight", local::flight),
    ("deleted", local::deleted),
];

/// How many descriptors more than it has, in percent of those, the process may have in the end.
const ROOM: u64 = 10;

/// Holds all of it. The limit on descriptors is set so that it is nearly reached.
pub fn run() -> io::Result<()> {
    let mut holder = Holder::new()?;
    // Before anything else is open that a child could inherit.
    let child = inherited::spawn(&mut holder)?;
    for (label, construct) in LINTS {
        construct(&mut holder).map_err(|error| io::Error::other(format!("{label}: {error}")))?;
    }
    let open = std::fs::read_dir("/proc/self/fd")?.count() as u64;
    sys::set_fd_limit(open + open * ROOM / 100)?;
    let mut report: Map<_, _> = holder.report()?;
    report.insert("child".into(), child.told.clone());
    modes::announce(report)?;
    modes::wait_for_eof()?;
    drop(child);
    // The threads that keep things moving never end by themselves; what is held has no part in
    // the process's end but its directory.
    drop(holder);
    std::process::exit(0)
}
