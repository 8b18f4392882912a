//! What of root's power each step needs. All else is given up: by the process as soon as it
//! knows what it was asked for, and by each thread again when a step is behind it.
//!
//! Capabilities are a thread's own (capabilities(7)), and so is what is given up here: a thread
//! that is started later begins with what the one that starts it has then. docs/security.md says
//! for each command what is kept, and why.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::ops::BitOr;
use std::sync::OnceLock;

use caps::{CapSet, Capability, CapsHashSet};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::set_no_new_privs;

/// Capabilities that a step needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Needs(u64);

/// Nothing: what was asked for has been read.
pub const NOTHING: Needs = Needs(0);

/// To use BPF. Beside loading, kernels before Linux 5.19 ask for these at each link too
/// ("bpf: refine kernel.unprivileged_bpf_disabled behaviour").
pub const BPF: Needs = Needs::of(&[Capability::CAP_BPF, Capability::CAP_PERFMON]);

/// To load BPF programs. Before Linux 5.11 their memory counts as locked memory, whose limit has
/// to be raised.
pub const LOADING: Needs = Needs(BPF.0 | Needs::of(&[Capability::CAP_SYS_RESOURCE]).0);

/// To see addresses in /proc/kallsyms, from which file operations get their names where programs
/// can't have the kernel name them (before Linux 5.17).
pub const SYMBOLS: Needs = Needs::of(&[Capability::CAP_SYSLOG]);

/// To tell which threads have a descriptor table of their own, by kcmp(2), and to see processes
/// that /proc hides (hidepid).
pub const LOOKING: Needs = Needs::of(&[Capability::CAP_SYS_PTRACE]);

/// To read all that /proc has of other users' processes.
pub const PROCFS: Needs = Needs(LOOKING.0 | Needs::of(&[Capability::CAP_DAC_READ_SEARCH]).0);

/// To read the files that a process has mapped, also those that were deleted.
pub const STACKS: Needs = Needs(PROCFS.0 | Needs::of(&[Capability::CAP_CHECKPOINT_RESTORE]).0);

/// To make a file in a directory of another user, as in `sudo crib-top` at home.
pub const WRITING: Needs = Needs::of(&[Capability::CAP_DAC_OVERRIDE]);

/// To queue more in a socket than its buffer may hold, as the benchmark's own processes do.
pub const FORCING: Needs = Needs::of(&[Capability::CAP_NET_ADMIN]);

/// What has another capability in it: on systems that know the one only by the other.
const WIDER: &[(Capability, Capability)] = &[
    // Before Linux 5.8, and in containers that were given the one and not the other.
    (Capability::CAP_BPF, Capability::CAP_SYS_ADMIN),
    (Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN),
    (Capability::CAP_SYSLOG, Capability::CAP_SYS_ADMIN),
    // In containers of Docker.
    (Capability::CAP_DAC_READ_SEARCH, Capability::CAP_DAC_OVERRIDE),
];

/// The capabilities that were in force when the process began.
static FIRST: OnceLock<u64> = OnceLock::new();

impl Needs {
    const fn of(capabilities: &[Capability]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < capabilities.len() {
            bits |= 1 << capabilities[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    fn has(self, capability: Capability) -> bool {
        self.0 & capability.bitmask() != 0
    }

    /// What of it can be had, with the wider one for what can't.
    fn within(self, permitted: &CapsHashSet) -> CapsHashSet {
        let mut kept = HashSet::new();
        for capability in caps::all().into_iter().filter(|&capability| self.has(capability)) {
            if permitted.contains(&capability) {
                kept.insert(capability);
                continue;
            }
            let wider = WIDER.iter().filter(|(narrow, _)| *narrow == capability);
            kept.extend(wider.map(|(_, wider)| *wider).filter(|wide| permitted.contains(wide)));
        }
        kept
    }
}

impl BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(caps::all().into_iter().filter(|&one| self.has(one))).finish()
    }
}

/// Gives up, before any other thread is started, all but what a command needs, and the way to
/// get anything back: no program that is started from here on has more than its caller, whatever
/// its file says (PR_SET_NO_NEW_PRIVS), and none has anything but `children`, which is what those
/// that are started need.
///
/// Other processes of the user may not look into this one, which holds other people's data, nor
/// does it leave a core file.
///
/// # Errors
/// What the kernel, or a filter before it, says.
pub fn begin(needs: Needs, children: Needs) -> io::Result<()> {
    let effective = caps::read(None, CapSet::Effective).map_err(io::Error::other)?;
    FIRST.get_or_init(|| effective.iter().fold(0, |bits, capability| bits | capability.bitmask()));
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    // Who may not drop from it has no_new_privs, which makes it meaningless.
    if effective.contains(&Capability::CAP_SETPCAP) {
        let bounding = caps::read(None, CapSet::Bounding).map_err(io::Error::other)?;
        for capability in bounding.difference(&children.within(&effective)) {
            caps::drop(None, CapSet::Bounding, *capability).map_err(io::Error::other)?;
        }
    }
    keep_with(needs, children)
}

/// Gives up, in this thread, all but what is needed.
///
/// # Errors
/// As [`begin`].
pub fn keep(needs: Needs) -> io::Result<()> {
    keep_with(needs, NOTHING)
}

/// As [`keep`]; what is `reserved` is not in force but within [`raised`].
///
/// # Errors
/// As [`begin`].
pub fn keep_with(needs: Needs, reserved: Needs) -> io::Result<()> {
    let set = |which, set: &CapsHashSet| caps::set(None, which, set).map_err(io::Error::other);
    let permitted = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    // The set in force may be no larger than what is permitted, at any time.
    set(CapSet::Effective, &needs.within(&permitted))?;
    set(CapSet::Inheritable, &HashSet::new())?;
    set(CapSet::Permitted, &(needs | reserved).within(&permitted))
}

/// As [`keep_with`], with the right to make files in the current directory for [`raised`] too,
/// where that takes one.
///
/// # Errors
/// As [`begin`].
pub fn keep_for_files_here(needs: Needs, reserved: Needs) -> io::Result<()> {
    keep_with(needs, WRITING | reserved)?;
    match accessat(CWD, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Err(rustix::io::Errno::ACCESS) => Ok(()),
        // Another reason is none that a capability helps against.
        _ => keep_with(needs, reserved),
    }
}

/// Does something with what was reserved for it in force, where it was.
pub fn raised<T>(needs: Needs, act: impl FnOnce() -> T) -> T {
    let read = |which| caps::read(None, which).unwrap_or_default();
    let (before, permitted) = (read(CapSet::Effective), read(CapSet::Permitted));
    let more = &before | &needs.within(&permitted);
    // Where it can't be had, the kernel says of what is done that it is not permitted.
    let _ = caps::set(None, CapSet::Effective, &more);
    let value = act();
    let _ = caps::set(None, CapSet::Effective, &before);
    value
}

/// Does something as somebody who has none of this: to find out whether it needs it.
pub fn without<T>(needs: Needs, act: impl FnOnce() -> T) -> T {
    let before = caps::read(None, CapSet::Effective).unwrap_or_default();
    let wide = |capability: &Capability| {
        WIDER.iter().any(|(narrow, wider)| wider == capability && needs.has(*narrow))
    };
    let less = before.iter().copied().filter(|one| !needs.has(*one) && !wide(one)).collect();
    let _ = caps::set(None, CapSet::Effective, &less);
    let value = act();
    let _ = caps::set(None, CapSet::Effective, &before);
    value
}

/// The capabilities that were in force before [`begin`], by their bits.
pub fn first() -> Option<u64> {
    FIRST.get().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(capabilities: &[Capability]) -> CapsHashSet {
        capabilities.iter().copied().collect()
    }

    #[test]
    fn the_narrow_capability_is_kept_where_there_is_one() {
        use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_CHROOT};
        let all = permitted(&[CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_CHROOT]);
        assert_eq!(BPF.within(&all), permitted(&[CAP_BPF, CAP_PERFMON]));
        let old = permitted(&[CAP_SYS_ADMIN, CAP_SYS_CHROOT]);
        assert_eq!(BPF.within(&old), permitted(&[CAP_SYS_ADMIN]));
        assert_eq!(NOTHING.within(&all), permitted(&[]));
        assert_eq!(WRITING.within(&all), permitted(&[]));
    }

    /// In a thread of its own, whose capabilities are its own too.
    #[test]
    fn what_is_given_up_is_gone_and_what_is_reserved_is_not_in_force() {
        std::thread::spawn(|| {
            let read = |which| caps::read(None, which).unwrap();
            let had = read(CapSet::Permitted);
            keep_with(LOOKING, WRITING).unwrap();
            let (in_force, reserved) = (LOOKING.within(&had), WRITING.within(&had));
            assert_eq!(read(CapSet::Effective), in_force);
            assert_eq!(read(CapSet::Permitted), &in_force | &reserved);
            let within = raised(WRITING, || read(CapSet::Effective));
            assert_eq!(within, &in_force | &reserved);
            assert_eq!(read(CapSet::Effective), in_force);
            assert!(without(LOOKING, || read(CapSet::Effective)).is_empty());
            keep(NOTHING).unwrap();
            for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient]
            {
                assert!(read(set).is_empty(), "{set:?}");
            }
            assert!(raised(WRITING, || read(CapSet::Effective)).is_empty());
        })
        .join()
        .unwrap();
    }
}
