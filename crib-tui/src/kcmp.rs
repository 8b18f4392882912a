//! Whether two tasks share their descriptor table, and two descriptors their open file: kcmp(2),
//! which no crate wraps.

use std::cmp::Ordering;
use std::io;

// include/uapi/linux/kcmp.h
const KCMP_FILE: libc::c_int = 0;
const KCMP_FILES: libc::c_int = 2;

/// Whether the two tasks (processes or threads, by their ids) share one descriptor table.
///
/// # Errors
/// ESRCH when one of them is gone, EPERM when one of them may not be looked into
/// (PTRACE_MODE_READ_REALCREDS), ENOSYS on a kernel without CONFIG_KCMP.
pub fn share_files(one: u32, other: u32) -> io::Result<bool> {
    Ok(kcmp(KCMP_FILES, (one, 0), (other, 0))? == 0)
}

/// Whether two descriptors, each of a task, stand for one open file.
///
/// # Errors
/// As [`share_files`]; EBADF when one of them is not open.
pub fn same_file(one: (u32, u32), other: (u32, u32)) -> io::Result<bool> {
    Ok(kcmp(KCMP_FILE, one, other)? == 0)
}

/// The order of two open files, each told by a task and a descriptor in its table: equal where
/// they are one and the same.
///
/// # Errors
/// As [`same_file`].
pub fn order_of_files(one: (u32, u32), other: (u32, u32)) -> io::Result<Ordering> {
    match kcmp(KCMP_FILE, one, other)? {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        // Different, and the kernel gives no order.
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Compares a resource of two tasks: 0 is "the same"; 1, 2 and 3 are less, greater and different.
fn kcmp(what: libc::c_int, one: (u32, u32), other: (u32, u32)) -> io::Result<libc::c_long> {
    let ids = (one.0 as libc::pid_t, other.0 as libc::pid_t);
    let indices = (libc::c_ulong::from(one.1), libc::c_ulong::from(other.1));
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, ids.0, ids.1, what, indices.0, indices.1) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_shares_its_table_with_itself_and_not_with_another() {
        let own = std::process::id();
        assert!(share_files(own, own).unwrap());
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let shared = share_files(own, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!shared.unwrap());
    }

    #[test]
    fn a_duplicate_is_the_same_open_file_and_another_opening_is_not() {
        let own = std::process::id();
        let open = || std::fs::File::open("/dev/null").unwrap();
        let (one, other) = (open(), open());
        let same = one.try_clone().unwrap();
        let place = |file: &std::fs::File| (own, file.as_raw_fd() as u32);
        let order = |a, b| order_of_files(place(a), place(b)).unwrap();
        assert_eq!(order(&one, &same), Ordering::Equal);
        assert_ne!(order(&one, &other), Ordering::Equal);
        assert_eq!(order(&one, &other), order(&other, &same).reverse());
        assert!(same_file(place(&one), place(&same)).unwrap());
        assert!(!same_file(place(&one), place(&other)).unwrap());
        let error = order_of_files(place(&one), (own, i32::MAX as u32)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn a_task_that_is_not_there_is_an_error() {
        let error = share_files(std::process::id(), i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
