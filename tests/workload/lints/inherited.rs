//! A child that is another program, with descriptors of its parent that it uses or does not.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::holder::Holder;
use crate::sys;

/// A child and what is known of its descriptors. It ends with this.
pub struct Spawned {
    child: Child,
    /// `{"pid":..,"files":[{"fd":..,"label":..}]}`.
    pub told: Value,
    /// The other end of what it reads.
    _write: OwnedFd,
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // It is our own child, and has nothing to clean up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a copy of this program, which is another file and so another program.
pub fn spawn(holder: &mut Holder) -> io::Result<Spawned> {
    let program = holder.dir().join("child");
    fs::copy("/proc/self/exe", &program)?;
    let memory = sys::memfd(c"inherited")?;
    let (read, write) = sys::pipe(libc::O_CLOEXEC)?;
    // Without close-on-exec.
    let (unused, used) = (sys::dup(memory.as_fd())?, sys::dup(read.as_fd())?);
    let (child, own) = start(&program, used.as_raw_fd())?;
    let told = json!({
        "pid": child.id(),
        "files": [
            { "fd": unused.as_raw_fd(), "label": "inherited-unused" },
            { "fd": used.as_raw_fd(), "label": "inherited-used" },
            { "fd": own, "label": "its-own" },
        ],
    });
    // Open in both, as what was inherited by accident is.
    holder.keep((unused, used));
    Ok(Spawned { child, told, _write: write })
}

/// Starts it, and waits until it says which descriptor it has opened itself.
fn start(program: &Path, reads: i32) -> io::Result<(Child, i32)> {
    let mut child = Command::new(program)
        .args(["lints-child".to_owned(), reads.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.as_mut() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let own = line.trim().parse().map_err(|_| io::Error::other(format!("it said {line:?}")))?;
    Ok((child, own))
}

/// The child: opens a file that stays open over exec(2), says which, and waits in a read of what
/// it was given.
pub fn child(reads: i32) -> io::Result<()> {
    let memory = sys::memfd(c"of the child's own")?;
    let own = sys::dup(memory.as_fd())?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", own.as_raw_fd())?;
    stdout.flush()?;
    sys::read_inherited(reads).map(drop)
}
