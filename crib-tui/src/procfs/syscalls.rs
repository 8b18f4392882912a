//! Which system calls a process's threads are in: /proc/PID/task/TID/syscall (proc(5)).

use super::dir::ProcDir;

/// The system calls that a process's threads wait in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Each call's number and its first argument.
    calls: Vec<(i64, u64)>,
}

/// Calls that may be about any descriptor, which their arguments don't tell.
const ABOUT_ANY: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_io_uring_enter,
    libc::SYS_io_getevents,
];

impl Calls {
    /// Whether one of them is, or may be, about this descriptor.
    pub fn may_use(&self, fd: u32) -> bool {
        self.calls.iter().any(|&(number, first)| ABOUT_ANY.contains(&number) || first as u32 == fd)
    }
}

/// The calls that the process's threads wait in now; none where the kernel does not tell
/// (without CONFIG_HAVE_ARCH_TRACEHOOK, or without the privilege to trace it).
pub fn calls(pid: u32) -> Option<Calls> {
    let dir = ProcDir::open(pid).ok()?;
    let mut calls = Vec::new();
    for tid in dir.numbers("task").ok()? {
        match dir.read(&format!("task/{tid}/syscall")) {
            Ok(text) => calls.extend(parse(&text)),
            // It has ended.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
            Err(_) => return None,
        }
    }
    Some(Calls { calls })
}

/// `0 0x3 0x7ff.. ...`: a number and six arguments, the stack and the place in the code.
/// `running` for a thread that does not wait, -1 for one that waits outside of a call.
fn parse(text: &[u8]) -> Option<(i64, u64)> {
    let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let number = words.next()?.parse().ok().filter(|&number| number >= 0)?;
    let first = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    Some((number, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    #[test]
    fn a_call_is_its_number_and_first_argument() {
        let line = b"0 0x3 0x7ffd2b5c4b80 0x1000 0x0 0x0 0x0 0x7ffd2b5c4b18 0x7f3c6d1147e2\n";
        assert_eq!(parse(line), Some((0, 3)));
        assert_eq!(parse(b"running\n"), None);
        assert_eq!(parse(b"-1 0x7ffd2b5c4b18 0x7f3c6d1147e2\n"), None);
        assert_eq!(parse(b""), None);
        let calls = |calls: &[(i64, u64)]| Calls { calls: calls.into() };
        assert!(calls(&[(libc::SYS_read, 3)]).may_use(3));
        assert!(!calls(&[(libc::SYS_read, 3)]).may_use(4));
        assert!(calls(&[(libc::SYS_ppoll, 0x7000)]).may_use(4), "who knows");
    }

    #[test]
    fn a_child_waits_where_it_waits() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let waits = || {
            // Until it has come to its read(2).
            loop {
                let calls = calls(child.id())?;
                if !calls.calls.is_empty() && calls.may_use(0) {
                    return Some(calls.may_use(77));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let other = waits();
        child.kill().unwrap();
        child.wait().unwrap();
        // A kernel that does not tell is not what is tested here.
        assert_ne!(other, Some(true));
    }
}
