//! The system calls that make descriptors, and where a call's registers lie.

use crib_common::trace::Target;
use crib_common::trace::call::{COMMAND_AT_1, COPIES, MAY_RETURN, PAIR_AT_0, PAIR_AT_3, RETURNS};

/// Offsets in `struct pt_regs` (arch/x86/include/uapi/asm/ptrace.h), which is fixed.
#[cfg(target_arch = "x86_64")]
pub const REGISTERS: Target = Target {
    tgid: 0,
    nr: 120, // orig_rax
    ns_dev: 0,
    ns_ino: 0,
    ip: 128,
    sp: 152,
    fp: 32, // rbp
    files: 0,
    argument_0: 112, // rdi
    argument_1: 104, // rsi
    argument_3: 56,  // r10
    mode: 136,       // cs
    native: 0x33,    // __USER_CS: 64-bit code
    leader: 0,
    reserved: 0,
};

/// Only the function that every descriptor passes is known elsewhere, and needs no registers.
#[cfg(not(target_arch = "x86_64"))]
pub const REGISTERS: Target = Target {
    tgid: 0,
    nr: 0,
    ns_dev: 0,
    ns_ino: 0,
    ip: 0,
    sp: 0,
    fp: 0,
    files: 0,
    argument_0: 0,
    argument_1: 0,
    argument_3: 0,
    mode: 0,
    native: 0,
    leader: 0,
    reserved: 0,
};

/// The system calls by number, with what they do.
#[cfg(target_arch = "x86_64")]
pub const TABLE: &[(libc::c_long, u32)] = &[
    (libc::SYS_open, RETURNS),
    (libc::SYS_openat, RETURNS),
    (libc::SYS_openat2, RETURNS),
    (libc::SYS_creat, RETURNS),
    (libc::SYS_open_by_handle_at, RETURNS),
    (libc::SYS_dup, RETURNS),
    (libc::SYS_dup2, COPIES),
    (libc::SYS_dup3, RETURNS),
    (libc::SYS_fcntl, COMMAND_AT_1),
    (libc::SYS_pipe, PAIR_AT_0),
    (libc::SYS_pipe2, PAIR_AT_0),
    (libc::SYS_socket, RETURNS),
    (libc::SYS_socketpair, PAIR_AT_3),
    (libc::SYS_accept, RETURNS),
    (libc::SYS_accept4, RETURNS),
    (libc::SYS_epoll_create, RETURNS),
    (libc::SYS_epoll_create1, RETURNS),
    (libc::SYS_eventfd, RETURNS),
    (libc::SYS_eventfd2, RETURNS),
    (libc::SYS_timerfd_create, RETURNS),
    // Given a descriptor, they return that one.
    (libc::SYS_signalfd, MAY_RETURN),
    (libc::SYS_signalfd4, MAY_RETURN),
    (libc::SYS_inotify_init, RETURNS),
    (libc::SYS_inotify_init1, RETURNS),
    (libc::SYS_fanotify_init, RETURNS),
    (libc::SYS_memfd_create, RETURNS),
    (libc::SYS_memfd_secret, RETURNS),
    (libc::SYS_pidfd_open, RETURNS),
    (libc::SYS_pidfd_getfd, RETURNS),
    (libc::SYS_userfaultfd, RETURNS),
    (libc::SYS_perf_event_open, RETURNS),
    // Where no descriptor is wanted (IORING_SETUP_REGISTERED_FD_ONLY), it returns an index.
    (libc::SYS_io_uring_setup, MAY_RETURN),
    (libc::SYS_mq_open, RETURNS),
    (libc::SYS_fsopen, RETURNS),
    (libc::SYS_fspick, RETURNS),
    (libc::SYS_fsmount, RETURNS),
    (libc::SYS_open_tree, RETURNS),
    (libc::SYS_landlock_create_ruleset, MAY_RETURN),
    (libc::SYS_seccomp, MAY_RETURN),
    (libc::SYS_bpf, MAY_RETURN),
    (libc::SYS_ioctl, MAY_RETURN),
];

/// See there: numbers differ from machine to machine.
#[cfg(not(target_arch = "x86_64"))]
pub const TABLE: &[(libc::c_long, u32)] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crib_common::trace::CALLS;

    #[test]
    fn each_call_is_there_once_and_has_room() {
        let mut numbers: Vec<_> = TABLE.iter().map(|&(number, _)| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), TABLE.len());
        assert!(numbers.iter().all(|&number| (0..i64::from(CALLS)).contains(&number)));
    }
}
