//! Whether two tasks share their descriptor table, or an open file: kcmp(2), which no crate wraps.

use std::io;

/// KCMP_FILE and KCMP_FILES (include/uapi/linux/kcmp.h).
const KCMP_FILE: libc::c_int = 0;
const KCMP_FILES: libc::c_int = 2;

/// Whether the two tasks (processes or threads, by their ids) share one descriptor table.
///
/// # Errors
/// ESRCH when one of them is gone, EPERM when one of them may not be looked into
/// (PTRACE_MODE_READ_REALCREDS), ENOSYS on a kernel without CONFIG_KCMP.
pub fn share_files(one: u32, other: u32) -> io::Result<bool> {
    are_same(KCMP_FILES, (one, 0), (other, 0))
}

/// Whether two descriptors, each of a task, stand for one open file.
///
/// # Errors
/// As [`share_files`]; EBADF when one of them is not open.
pub fn same_file(one: (u32, u32), other: (u32, u32)) -> io::Result<bool> {
    are_same(KCMP_FILE, one, other)
}

fn are_same(what: libc::c_int, one: (u32, u32), other: (u32, u32)) -> io::Result<bool> {
    let ids = (one.0 as libc::pid_t, other.0 as libc::pid_t);
    let indices = (libc::c_ulong::from(one.1), libc::c_ulong::from(other.1));
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, ids.0, ids.1, what, indices.0, indices.1) };
    // 0 is "the same"; 1, 2 and 3 are an order between different ones.
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result == 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        use std::os::fd::AsRawFd;
        let open = || std::fs::File::open("/proc/self/exe").unwrap();
        let (one, other) = (open(), open());
        let duplicate = one.try_clone().unwrap();
        let own = |file: &std::fs::File| (std::process::id(), file.as_raw_fd() as u32);
        assert!(same_file(own(&one), own(&duplicate)).unwrap());
        assert!(!same_file(own(&one), own(&other)).unwrap());
        let closed = (std::process::id(), u32::MAX >> 1);
        let error = same_file(own(&one), closed).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn a_task_that_is_not_there_is_an_error() {
        let error = share_files(std::process::id(), i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
