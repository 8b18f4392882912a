//! Whether two tasks share their descriptor table: kcmp(2), which no crate wraps.

use std::io;

/// KCMP_FILES (include/uapi/linux/kcmp.h).
const KCMP_FILES: libc::c_int = 2;

/// Whether the two tasks (processes or threads, by their ids) share one descriptor table.
///
/// # Errors
/// ESRCH when one of them is gone, EPERM when one of them may not be looked into
/// (PTRACE_MODE_READ_REALCREDS), ENOSYS on a kernel without CONFIG_KCMP.
pub fn share_files(one: u32, other: u32) -> io::Result<bool> {
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_kcmp, one as libc::pid_t, other as libc::pid_t, KCMP_FILES, 0, 0)
    };
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
    fn a_task_that_is_not_there_is_an_error() {
        let error = share_files(std::process::id(), i32::MAX as u32).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
