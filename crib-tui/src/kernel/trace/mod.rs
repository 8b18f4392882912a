//! Who opens a process's files: the tracing programs, attached for as long as a [`Tracer`] lives.

mod calls;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aya::maps::{Array, HashMap, MapData, StackTraceMap};
use aya::programs::{FEntry, RawTracePoint};
use aya::{Ebpf, EbpfError, EbpfLoader};
use crib_common::trace::{Opened, SNAPSHOTS, Snapshot, Target};

use super::btf;
use crate::model::ReadError;
use crate::model::leaks::TracedAt;
use crate::procfs;

/// The object that is loaded, whichever way it was built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("CRIB_TRACE_OBJECT"));

/// Descriptors that are noted at least and at most, whatever the process's limit.
const DESCRIPTORS: std::ops::RangeInclusive<u64> = 4096..=262_144;

/// The inode number of the initial pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// Traces the openings of one process. Dropping it ends the tracing.
pub struct Tracer {
    at: TracedAt,
    opened: HashMap<MapData, u32, OpenedValue>,
    stacks: StackTraceMap<MapData>,
    lost: Array<MapData, u64>,
    snapshots: Array<MapData, SnapshotValue>,
    /// Holds the programs and their links.
    _ebpf: Ebpf,
}

impl Tracer {
    /// Begins to trace a process.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where the kernel allows neither way, with what it says of each.
    pub fn start(pid: u32, fd_limit: Option<u64>) -> Result<Self, ReadError> {
        procfs::need_our_ids("who opens files can't be traced")?;
        Self::try_start(pid, fd_limit, attach).map_err(refused)
    }

    /// The same, but only at one place.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where the kernel does not allow it.
    pub fn start_at(pid: u32, fd_limit: Option<u64>, at: TracedAt) -> Result<Self, ReadError> {
        let attach = |ebpf: &mut Ebpf| match at {
            TracedAt::FdInstall => attach_fd_install(ebpf).map(|()| at),
            TracedAt::SysExit => attach_sys_exit(ebpf).map(|()| at),
        };
        Self::try_start(pid, fd_limit, attach).map_err(refused)
    }

    fn try_start(
        pid: u32,
        fd_limit: Option<u64>,
        attach: impl FnOnce(&mut Ebpf) -> Result<TracedAt, String>,
    ) -> Result<Self, String> {
        let say = |what: &'static str| move |error: EbpfError| format!("{what}: {}", chain(&error));
        let (least, most) = DESCRIPTORS.into_inner();
        let descriptors = fd_limit.unwrap_or(most).clamp(least, most) as u32;
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .map_max_entries("OPENED", descriptors)
            .load(OBJECT)
            .map_err(say("the BPF maps can't be made"))?;
        let maps = say("the BPF maps can't be used");
        let opened = take(&mut ebpf, "OPENED").map_err(maps)?;
        let stacks = take(&mut ebpf, "STACKS").map_err(maps)?;
        let lost = take(&mut ebpf, "LOST").map_err(maps)?;
        let snapshots = take(&mut ebpf, "SNAPSHOTS").map_err(maps)?;
        let mut table: Array<MapData, u32> = take(&mut ebpf, "CALLS").map_err(maps)?;
        for &(number, what) in calls::TABLE {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            // One that the table has no room for is not traced.
            let _ = table.set(number, what, 0);
        }
        let mut target: Array<MapData, TargetValue> = take(&mut ebpf, "TARGET").map_err(maps)?;
        let at = attach(&mut ebpf)?;
        let request = Target { tgid: pid, ..with_tables(with_namespace(calls::REGISTERS)) };
        target.set(0, TargetValue(request), 0).map_err(|error| maps(error.into()))?;
        Ok(Self { at, opened, stacks, lost, snapshots, _ebpf: ebpf })
    }

    /// Where openings are seen.
    pub fn at(&self) -> TracedAt {
        self.at
    }

    /// The last opening of a descriptor, none where none was seen.
    pub fn opened(&self, fd: u32) -> Option<Opened> {
        self.opened.get(&fd, 0).ok().map(|value| value.0)
    }

    /// The addresses of a stack, innermost first.
    pub fn stack(&self, stack: i32) -> Vec<u64> {
        let stack = u32::try_from(stack).ok().and_then(|id| self.stacks.get(&id, 0).ok());
        stack.iter().flat_map(|stack| stack.frames()).map(|frame| frame.ip).collect()
    }

    /// The registers and the top of the stack at an opening of a descriptor, unless another one
    /// has taken its place.
    pub fn snapshot(&self, fd: u32, opened: &Opened) -> Option<Box<Snapshot>> {
        let snapshot = self.snapshots.get(&(fd % SNAPSHOTS), 0).ok()?.0;
        (snapshot.begins == opened.time && snapshot.ends == opened.time).then(|| Box::new(snapshot))
    }

    /// How many openings could not be noted so far.
    pub fn lost(&self) -> u64 {
        self.lost.get(&0, 0).unwrap_or_default()
    }
}

fn refused(what: String) -> ReadError {
    ReadError::Missing {
        what: format!("who opens files can't be traced: {what}"),
        remedy: "stacks are left out".to_owned(),
    }
}

/// The time by the clock that [`Opened::time`] is taken from, in nanoseconds.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// Attaches the program that sees the most and that the kernel allows.
fn attach(ebpf: &mut Ebpf) -> Result<TracedAt, String> {
    let fentry = attach_fd_install(ebpf);
    let Err(fentry) = fentry else { return Ok(TracedAt::FdInstall) };
    if calls::TABLE.is_empty() {
        return Err(format!("at fd_install: {fentry}; system calls are not known on this machine"));
    }
    match attach_sys_exit(ebpf) {
        Ok(()) => Ok(TracedAt::SysExit),
        Err(error) => Err(format!("at fd_install: {fentry}; at sys_exit: {error}")),
    }
}

fn attach_fd_install(ebpf: &mut Ebpf) -> Result<(), String> {
    let kernel = aya::Btf::from_sys_fs().map_err(|error| chain(&error))?;
    let program = ebpf.program_mut("fd_install").ok_or("the object is stale")?;
    let program: &mut FEntry = program.try_into().map_err(|error| chain(&error))?;
    program.load("fd_install", &kernel).map_err(|error| chain(&error))?;
    program.attach().map(drop).map_err(|error| chain(&error))
}

fn attach_sys_exit(ebpf: &mut Ebpf) -> Result<(), String> {
    let program = ebpf.program_mut("sys_exit").ok_or("the object is stale")?;
    let program: &mut RawTracePoint = program.try_into().map_err(|error| chain(&error))?;
    program.load().map_err(|error| chain(&error))?;
    program.attach("sys_exit").map(drop).map_err(|error| chain(&error))
}

/// The request with our own pid namespace, by whose numbers the process is named.
fn with_namespace(request: Target) -> Target {
    match std::fs::metadata("/proc/self/ns/pid") {
        Ok(namespace) if namespace.ino() != INITIAL_PID_NAMESPACE => {
            Target { ns_dev: namespace.dev(), ns_ino: namespace.ino(), ..request }
        }
        _ => request,
    }
}

/// The request with where a thread's table is found.
fn with_tables(request: Target) -> Target {
    let Ok(data) = btf::read(Path::new(btf::VMLINUX)) else { return request };
    let Ok(kernel) = btf::Btf::parse(&data) else { return request };
    let member = |path| kernel.member(path).unwrap_or(0);
    let (files, leader) = (member("task_struct.files"), member("task_struct.group_leader"));
    Target { files, leader, ..request }
}

fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, EbpfError>
where
    M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>,
{
    let missing = || aya::maps::MapError::InvalidName { name: name.to_owned() };
    Ok(M::try_from(ebpf.take_map(name).ok_or_else(missing)?)?)
}

/// An error and its causes in one line; the system's own error where there is one.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.to_string();
        }
        cause = error.source();
    }
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// [`Opened`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct OpenedValue(Opened);

// SAFETY: `Opened` derives `FromBytes` and `IntoBytes`: no padding, valid for any bits.
unsafe impl aya::Pod for OpenedValue {}

/// [`Snapshot`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct SnapshotValue(Snapshot);

// SAFETY: as for `OpenedValue`.
unsafe impl aya::Pod for SnapshotValue {}

/// [`Target`] as aya takes map values.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct TargetValue(Target);

// SAFETY: as for `OpenedValue`.
unsafe impl aya::Pod for TargetValue {}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::kernel::left_out;

    /// Bounds a hang, and measures nothing.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn our_own_openings_are_seen_with_their_stacks() {
        if left_out("our_own_openings_are_seen_with_their_stacks") {
            return;
        }
        let tracer = match Tracer::start(std::process::id(), Some(1024)) {
            Ok(tracer) => tracer,
            Err(error) => panic!("{error}"),
        };
        let before = now();
        let file = std::fs::File::open("/dev/null").unwrap();
        let (one, other) = std::io::pipe().unwrap();
        let copy = file.try_clone().unwrap();
        for fd in [file.as_raw_fd(), one.as_raw_fd(), other.as_raw_fd(), copy.as_raw_fd()] {
            let opened = tracer.opened(fd as u32).unwrap_or_else(|| panic!("{fd} was not seen"));
            assert!((before..now()).contains(&opened.time), "{opened:?}");
            assert!(opened.stack >= 0, "{opened:?}");
            assert!(!tracer.stack(opened.stack).is_empty());
            let snapshot = tracer.snapshot(fd as u32, &opened).expect("nobody else opened so many");
            assert!(snapshot.len >= 256 && snapshot.ip == tracer.stack(opened.stack)[0]);
        }
        assert_eq!(tracer.lost(), 0);
        assert!(tracer.opened(1023).is_none());
    }

    /// Nor what a thread with a table of its own opens under the same number.
    #[test]
    fn what_makes_no_descriptor_of_the_process_is_not_noted() {
        if left_out("what_makes_no_descriptor_of_the_process_is_not_noted") {
            return;
        }
        let tracer = Tracer::start(std::process::id(), Some(1024)).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        // Where nobody else's are.
        let copy = |least| rustix::io::fcntl_dupfd_cloexec(&file, least).unwrap();
        let noted = copy(901);
        let fd = noted.as_raw_fd();
        let opened = tracer.opened(fd as u32).expect("it was seen");
        // SAFETY: the descriptor is ours, and stays what it is.
        assert_eq!(unsafe { libc::dup2(fd, fd) }, fd);
        assert_eq!(tracer.opened(fd as u32), Some(opened));
        let theirs = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: from here on this thread's table is its own, and nobody else's.
                assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
                drop(copy(fd));
                copy(951).as_raw_fd()
            });
            thread.join().unwrap()
        });
        assert_eq!(tracer.opened(fd as u32), Some(opened));
        assert_eq!(tracer.opened(theirs as u32), None);
        assert_eq!(copy(theirs).as_raw_fd(), theirs, "nobody else has it");
        assert!(tracer.opened(theirs as u32).is_some());
    }

    /// Turns between two openings.
    const PAUSE: u32 = 10;

    /// Where a mark stands on a copied stack, in parts of so many bytes.
    fn marked(snapshot: &Snapshot, mark: u8) -> Vec<bool> {
        snapshot.bytes.chunks(64).map(|part| part.iter().all(|&byte| byte == mark)).collect()
    }

    /// One thread opens the same number with one mark on its stack or the other, as fast as it can.
    #[test]
    fn a_copy_of_a_stack_that_changes_meanwhile_is_not_taken_for_one() {
        if left_out("a_copy_of_a_stack_that_changes_meanwhile_is_not_taken_for_one") {
            return;
        }
        let tracer = Tracer::start(std::process::id(), Some(1024)).unwrap();
        let stop = AtomicBool::new(false);
        let both = AtomicBool::new(false);
        let snapshot = |fd| tracer.opened(fd).and_then(|opened| tracer.snapshot(fd, &opened));
        let (mut taken, mut mixed) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut on_the_stack = [0_u8; 7000];
                let mut open_with = |mark| {
                    on_the_stack.fill(mark);
                    std::hint::black_box(&mut on_the_stack);
                    drop(std::fs::File::open("/dev/null"));
                    // Else none would be there for long enough to be met.
                    (0..PAUSE).for_each(|_| std::hint::spin_loop());
                };
                while !stop.load(Relaxed) {
                    open_with(0xaa);
                    if both.load(Relaxed) {
                        open_with(0xbb);
                    }
                }
            });
            // Where the mark is while nothing changes.
            let start = Instant::now();
            let mut found = None;
            while found.is_none() && start.elapsed() < PATIENCE {
                let mut fds = (0..64).filter_map(|fd| Some((fd, marked(&*snapshot(fd)?, 0xaa))));
                found = fds.find(|(_, marked)| marked.contains(&true));
            }
            both.store(true, Relaxed);
            let (fd, place) = found.unwrap_or_default();
            while taken < 100_000 && start.elapsed() < PATIENCE {
                let Some(snapshot) = snapshot(fd) else { continue };
                let is_there = |mark| {
                    let there = marked(&snapshot, mark);
                    place.iter().zip(there).any(|(&place, there)| place && there)
                };
                let (one, other) = (is_there(0xaa), is_there(0xbb));
                taken += u32::from(one || other);
                mixed += u32::from(one && other);
            }
            stop.store(true, Relaxed);
        });
        assert!(taken > 0);
        assert_eq!(mixed, 0, "of {taken}");
    }
}
