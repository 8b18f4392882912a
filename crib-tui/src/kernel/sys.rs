//! The raw bpf(2) calls that aya does not make, or not as they are needed here.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

// enum bpf_cmd, include/uapi/linux/bpf.h
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_BTF_LOAD: libc::c_long = 18;
const BPF_MAP_FREEZE: libc::c_long = 22;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;

// enum bpf_prog_type and enum bpf_attach_type, same file
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_ITER: u32 = 28;

// The parts of `union bpf_attr` that each command takes, without uninitialised padding: the
// kernel reads the rest of its own as zeros.

#[repr(C)]
#[derive(Default)]
struct MapUpdate {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct MapFreeze {
    map_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    log: u64,
    btf_size: u32,
    log_size: u32,
    log_level: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kern_version: u32,
    prog_flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
    btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_btf_obj_fd: u32,
    core_relo_cnt: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Default)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// `union bpf_iter_link_info` with its `task` member.
#[repr(C)]
#[derive(Default)]
pub struct TaskFilter {
    /// A thread.
    pub tid: u32,
    /// A process.
    pub pid: u32,
    /// A process, by descriptor.
    pub pid_fd: u32,
    reserved: u32,
}

impl TaskFilter {
    /// One thread.
    pub fn thread(tid: u32) -> Self {
        Self { tid, ..Self::default() }
    }

    /// One process.
    pub fn process(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }
}

/// What the kernel is to load as an iterator's program.
#[derive(Clone, Copy)]
pub struct IterProgram<'a> {
    /// Its name, which tools show; cut after 15 bytes.
    pub name: &'a str,
    /// `struct bpf_insn`s of 8 bytes each.
    pub instructions: &'a [u8],
    /// The license that it declares.
    pub license: &'a CStr,
    /// The id of `bpf_iter_...` in the kernel's BTF.
    pub attach_btf_id: u32,
    /// The loaded BTF of the program itself, which `functions` refers to.
    pub btf: Option<BorrowedFd<'a>>,
    /// `struct bpf_func_info`s.
    pub functions: &'a [u8],
    /// Bytes of each of them.
    pub function_bytes: u32,
}

/// How often a program is loaded that a signal comes in the way of.
const LOADS: u32 = 100;

/// Loads a program; what the verifier says goes to `log` where that has room.
///
/// The verifier gives up with `EAGAIN` when a signal is pending (`do_check`), also one that stops
/// and continues the process or that says that the terminal has another size: it is tried again.
///
/// # Errors
/// What the kernel says: `EACCES` and `EINVAL` from the verifier, `EPERM` without privileges,
/// `ENOSPC` where the log has not room enough.
pub fn load_program(program: &IterProgram<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    const INSTRUCTION_BYTES: usize = 8;
    let mut attr = ProgramLoad {
        prog_type: BPF_PROG_TYPE_TRACING,
        insn_cnt: count(program.instructions, INSTRUCTION_BYTES),
        insns: program.instructions.as_ptr() as u64,
        license: program.license.as_ptr() as u64,
        expected_attach_type: BPF_TRACE_ITER,
        attach_btf_id: program.attach_btf_id,
        ..ProgramLoad::default()
    };
    for (to, from) in attr.name[..15].iter_mut().zip(program.name.bytes()) {
        *to = from;
    }
    if let Some(btf) = program.btf {
        attr.btf_fd = btf.as_raw_fd().unsigned_abs();
        attr.func_info = program.functions.as_ptr() as u64;
        attr.func_info_rec_size = program.function_bytes;
        attr.func_info_cnt = count(program.functions, program.function_bytes as usize);
    }
    if !log.is_empty() {
        attr.log_level = 1;
        attr.log = log.as_mut_ptr() as u64;
        attr.log_size = log.len() as u32;
    }
    let mut loads = 0;
    loop {
        loads += 1;
        // SAFETY: the attribute has the layout that the command takes; all that it points to is
        // borrowed by the arguments, as long as it says, and the log is writable.
        match unsafe { new_fd(BPF_PROG_LOAD, &attr) } {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && loads < LOADS => {}
            loaded => return loaded,
        }
    }
}

fn count(bytes: &[u8], each: usize) -> u32 {
    bytes.len().checked_div(each).unwrap_or(0) as u32
}

/// Loads the BTF that a program's functions are described with.
///
/// # Errors
/// What the kernel says.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let attr =
        BtfLoad { btf: btf.as_ptr() as u64, btf_size: btf.len() as u32, ..BtfLoad::default() };
    // SAFETY: the attribute has the layout that the command takes, and the bytes are there.
    unsafe { new_fd(BPF_BTF_LOAD, &attr) }
}

/// Writes the one value of an array map, whose values have `value_size` bytes.
///
/// # Errors
/// What the kernel says; `EINVAL` where `value` is not as large, past which it would read.
pub fn set_only_value(map: BorrowedFd<'_>, value: &[u8], value_size: u32) -> io::Result<()> {
    if value.len() != value_size as usize {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let key = 0_u32;
    let attr = MapUpdate {
        map_fd: map.as_raw_fd().unsigned_abs(),
        key: (&raw const key) as u64,
        value: value.as_ptr() as u64,
        ..MapUpdate::default()
    };
    // SAFETY: the attribute has the layout that the command takes; the key has the four bytes of
    // an array's, and the value as many as the map's values, as was just made sure.
    unsafe { call(BPF_MAP_UPDATE_ELEM, &attr) }.map(drop)
}

/// Makes a map read-only for user space, so that the verifier takes its values as constants.
///
/// # Errors
/// What the kernel says.
pub fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let attr = MapFreeze { map_fd: map.as_raw_fd().unsigned_abs() };
    // SAFETY: the attribute has the layout that the command takes.
    unsafe { call(BPF_MAP_FREEZE, &attr) }.map(drop)
}

/// Attaches an iterator's program, for some tasks or for all.
///
/// # Errors
/// What the kernel says.
pub fn create_link(program: BorrowedFd<'_>, filter: Option<&TaskFilter>) -> io::Result<OwnedFd> {
    let mut attr = LinkCreate {
        prog_fd: program.as_raw_fd().unsigned_abs(),
        attach_type: BPF_TRACE_ITER,
        ..LinkCreate::default()
    };
    if let Some(filter) = filter {
        attr.iter_info = (&raw const *filter) as u64;
        attr.iter_info_len = size_of::<TaskFilter>() as u32;
    }
    // SAFETY: the attribute has the layout that the command takes, and the filter that it points
    // to is borrowed.
    unsafe { new_fd(BPF_LINK_CREATE, &attr) }
}

/// Begins an iteration.
///
/// # Errors
/// What the kernel says; `ENOMEM` where it has no memory for it.
pub fn create_iterator(link: BorrowedFd<'_>) -> io::Result<File> {
    let attr = IterCreate { link_fd: link.as_raw_fd().unsigned_abs(), flags: 0 };
    // SAFETY: the attribute has the layout that the command takes.
    unsafe { new_fd(BPF_ITER_CREATE, &attr) }.map(File::from)
}

/// bpf(2) for commands that return a descriptor.
///
/// # Safety
/// As for [`call`].
unsafe fn new_fd<T>(command: libc::c_long, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's.
    let fd = unsafe { call(command, attr) }?;
    // SAFETY: these commands return a new descriptor that nobody else owns; descriptors fit.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// bpf(2).
///
/// # Safety
/// `attr` must be what `command` takes, and what it points to alive, readable and, where the
/// command writes there, writable.
unsafe fn call<T>(command: libc::c_long, attr: &T) -> io::Result<libc::c_long> {
    // SAFETY: the caller's; the kernel reads `size_of::<T>()` bytes at most.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
