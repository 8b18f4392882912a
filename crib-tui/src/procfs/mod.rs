//! The second source: the same model from /proc, for those who may not load BPF programs.
//!
//! It costs a handful of calls a descriptor and knows less: queues only as far as the tables of
//! /proc/PID/net tell them, nothing of pipes. What it does not know stays `None`.

mod dir;
mod fd;
mod fdinfo;
mod image;
mod link;
mod list;
mod maps;
mod net;
mod parent;
mod parse;
mod peers;
mod process;
mod root;
mod syscalls;
mod tables;
mod threads;

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use caps::{CapSet, Capability};
use rustix::process::{Pid, geteuid, test_kill_process};

use crate::model::lint::Beside;
use crate::model::{
    File, FilesReading, Process, ProcessState, ProcessesReading, ReadError, Socket, Source, Text,
};
pub use dir::ProcDir;
use fd::{Outcome, Table};
pub use image::{Image, image};
pub use maps::{Mapping, maps};
use net::Sockets;
pub use parent::{another_program, parent};
pub use peers::sweep;
use process::{Stat, Status};
pub use root::{file_in_root, mapped_file, regular_file};
pub use syscalls::{Calls, calls};
use tables::Tables;
pub use threads::living_thread;

/// How often a process is read anew whose threads end meanwhile.
const TRIES: usize = 8;

/// Reads the open files of one process.
///
/// # Errors
/// As [`crate::source::Reader::files`].
pub fn files(pid: u32) -> Result<FilesReading, ReadError> {
    let time = SystemTime::now();
    let (dir, process) = open(pid)?;
    let reading = |files: Vec<File>, complete, process| FilesReading {
        source: Source::Procfs,
        time,
        process,
        files: files.into_iter().map(Arc::new).collect(),
        complete,
        beside: Beside::default(),
    };
    if process.state != ProcessState::Alive {
        return Ok(reading(Vec::new(), true, process));
    }
    let target = Target { dir: &dir, process: &process };
    let (mut files, complete) = target.files()?;
    add_sockets(&dir, &mut files);
    // The directory is bound to the process: a pid that was given away can't deceive here.
    match Stat::read(&dir) {
        Ok(stat) if stat.state == ProcessState::Alive => Ok(reading(files, complete, process)),
        Ok(_) => Err(target.ended()),
        Err(error) => Err(target.error("its state", error)),
    }
}

/// Reads the list of all processes.
///
/// # Errors
/// As [`crate::source::Reader::processes`].
pub fn processes() -> Result<ProcessesReading, ReadError> {
    let time = SystemTime::now();
    let mut totals = list::Totals::default();
    let processes = list::entries()
        .map_err(no_list)?
        .map(|entry| {
            let totals = totals.of(&entry);
            (entry.process, totals)
        })
        .collect();
    Ok(ProcessesReading { source: Source::Procfs, time, processes })
}

/// Reads one process's header: what both sources show above the table.
///
/// # Errors
/// [`ReadError::NoProcess`] when it is not there.
pub fn process(pid: u32) -> Result<Process, ReadError> {
    open(pid).map(|(_, process)| process)
}

/// The name of a process's command and whether it is alive: what takes one file of /proc.
///
/// # Errors
/// As [`process`].
pub fn command(pid: u32) -> Result<(Text, ProcessState), ReadError> {
    let stat = ProcDir::open(pid).and_then(|dir| Stat::read(&dir)).map_err(|e| missing(pid, e))?;
    Ok((stat.comm, stat.state))
}

/// The headers of all processes, by pid: what the picker and `ps` join the totals to.
///
/// # Errors
/// [`ReadError::Io`] when /proc can't be listed.
pub fn process_list() -> Result<Vec<Process>, ReadError> {
    Ok(list::entries().map_err(no_list)?.map(|entry| entry.process).collect())
}

/// How many files a process has open, by the size of its descriptors' directory: known since
/// Linux 6.2, which shows it to everyone (fs/proc/fd.c, `proc_fd_getattr`), 0 before.
///
/// # Errors
/// That of stat(2): `NotFound` where there is no such process any more.
pub fn open_files(pid: u32) -> io::Result<u64> {
    std::fs::metadata(format!("/proc/{pid}/fd")).map(|directory| directory.len())
}

/// Whether what a process has open may be looked at in /proc: at one of its descriptors, which is
/// enough to know.
pub fn may_be_looked_at(pid: u32) -> bool {
    let Ok(mut descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let first = descriptors.find_map(Result::ok);
    first.is_none_or(|descriptor| std::fs::read_link(descriptor.path()).is_ok())
}

/// Whether /proc calls processes by the ids that system calls know them by here: one that was
/// mounted in another pid namespace has those of that one (pid_namespaces(7), "/proc and PID
/// namespaces").
///
/// Looked at once: it is asked for each process of a list.
pub fn has_our_ids() -> bool {
    static HAS_OUR_IDS: LazyLock<bool> = LazyLock::new(|| {
        std::fs::read("/proc/self/status").is_ok_and(|text| process::has_one_id(&text))
    });
    *HAS_OUR_IDS
}

/// For what goes by the ids of our own pid namespace: that /proc has the same.
///
/// # Errors
/// [`ReadError::Missing`] where it has not.
pub fn need_our_ids(what: &str) -> Result<(), ReadError> {
    if has_our_ids() {
        return Ok(());
    }
    Err(ReadError::Missing {
        what: format!(
            "{what}: /proc is not that of our pid namespace, so that it calls processes by other \
             ids than the kernel here"
        ),
        remedy: "mount the right one: mount -t proc proc /proc (unshare --mount-proc)".into(),
    })
}

/// Whether a thread of the process is known to have a descriptor table of its own.
pub fn has_thread_tables(pid: u32) -> bool {
    let tables = || {
        let dir = ProcDir::open(pid)?;
        Tables::find(&dir, pid, &Stat::read(&dir)?)
    };
    tables().is_ok_and(|tables| tables.has_others())
}

/// The threads through which each descriptor table of a process can be read, the process's own
/// first.
///
/// # Errors
/// As [`process`].
pub fn table_threads(pid: u32) -> Result<Vec<u32>, ReadError> {
    let failed = |error| ReadError::Io { what: format!("cannot read /proc/{pid}"), source: error };
    let (dir, _) = open(pid)?;
    let stat = Stat::read(&dir).map_err(failed)?;
    let tables = Tables::find(&dir, pid, &stat).map_err(failed)?;
    Ok(tables.threads(pid).collect())
}

fn no_list(source: io::Error) -> ReadError {
    ReadError::Io { what: "cannot list the processes in /proc".into(), source }
}

/// Opens a process's directory and reads its header.
fn open(pid: u32) -> Result<(ProcDir, Process), ReadError> {
    let dir = ProcDir::open(pid).map_err(|error| missing(pid, error))?;
    let process = process::read(&dir, pid).map_err(|error| missing(pid, error))?;
    // /proc answers to the ids of threads too, and does not list them.
    let tgid = dir.read("status").ok().and_then(|text| Status::parse(&text).tgid);
    match tgid {
        Some(tgid) if tgid != pid => Err(ReadError::Thread { tid: pid, pid: tgid }),
        _ => Ok((dir, process)),
    }
}

/// Says why a process's directory can't be read.
fn missing(pid: u32, error: io::Error) -> ReadError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ESRCH) => absent(pid),
        _ => ReadError::Io { what: format!("cannot read /proc/{pid}"), source: error },
    }
}

/// Says why /proc has no such process: there is none, or it is hidden.
fn absent(pid: u32) -> ReadError {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match id.map(test_kill_process) {
        Some(Ok(()) | Err(rustix::io::Errno::PERM)) => ReadError::Missing {
            what: format!("/proc hides process {pid} from uid {}", geteuid().as_raw()),
            remedy: "run as root: sudo crib-top ... (see hidepid in proc(5))".into(),
        },
        _ => ReadError::NoProcess(pid),
    }
}

/// The process whose files are read.
struct Target<'a> {
    dir: &'a ProcDir,
    process: &'a Process,
}

impl Target<'_> {
    /// The files of all of its tables, and whether these are all.
    fn files(&self) -> Result<(Vec<File>, bool), ReadError> {
        // A thread that ends during the reading takes its descriptors out of sight, also those
        // that others share with it; through one of these they can be read anew.
        for _ in 0..TRIES {
            if let Some(files) = self.try_files()? {
                return Ok(files);
            }
        }
        Err(self.ended())
    }

    /// As [`Self::files`]; none if the thread through which the common table was read has ended.
    fn try_files(&self) -> Result<Option<(Vec<File>, bool)>, ReadError> {
        let error = |error| self.error("its descriptors", error);
        let leader = Stat::read(self.dir).map_err(error)?;
        let tables = Tables::find(self.dir, self.process.pid, &leader).map_err(error)?;
        let mut files = Vec::new();
        for table in tables.of(self.dir) {
            let found = match table.descriptors() {
                Ok(descriptors) => self.rows(&table, descriptors)?,
                Err(error) if is_gone(&error) && table.through.is_some() => Vec::new(),
                Err(error) => return Err(self.error("its descriptors", error)),
            };
            if table.is_alive() {
                files.extend(found);
            } else if table.tid.is_none() {
                return Ok(None);
            }
        }
        Ok(Some((files, tables.complete)))
    }

    /// The rows of one table.
    fn rows(&self, table: &Table<'_>, descriptors: Vec<u32>) -> Result<Vec<File>, ReadError> {
        let mut files = Vec::with_capacity(descriptors.len());
        let mut refused = 0;
        for fd in descriptors {
            match table.read(fd) {
                Outcome::Read(file) => files.push(*file),
                Outcome::Closed => {}
                Outcome::Refused => {
                    refused += 1;
                    files.push(File { tid: table.tid, ..File::unknown(Some(fd)) });
                }
            }
        }
        // A list of numbers alone is no answer.
        if refused > 0 && refused == files.len() {
            return Err(self.refused());
        }
        Ok(files)
    }

    /// What an error in reading its directory means.
    fn error(&self, what: &str, error: io::Error) -> ReadError {
        if is_gone(&error) {
            return self.ended();
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return self.refused();
        }
        let Process { pid, comm, .. } = self.process;
        ReadError::Io {
            what: format!("cannot read {what} of process {pid} ({comm})"),
            source: error,
        }
    }

    fn ended(&self) -> ReadError {
        ReadError::Ended { pid: self.process.pid, comm: self.process.comm.clone() }
    }

    fn refused(&self) -> ReadError {
        let Process { pid, comm, .. } = self.process;
        let uid = geteuid();
        let mut what =
            format!("the files of process {pid} ({comm}) may not be read by uid {}", uid.as_raw());
        let remedy = match caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE) {
            // What asks for more than the capability is a security module (ptrace(2), "Ptrace
            // access mode checking"). Some keep BPF programs from it as well.
            Ok(true) => {
                what.push_str(
                    ", although it has CAP_SYS_PTRACE: a security module keeps it hidden",
                );
                "--source bpf may see them, if anything does".into()
            }
            _ if uid.is_root() => "root lacks CAP_SYS_PTRACE here: run crib-top outside the \
                 container, or start the container with --cap-add SYS_PTRACE"
                .into(),
            _ => format!(
                "run as root: sudo crib-top -p {pid}, or give the binary its capabilities: sudo \
                 setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep \
                 \"$(command -v crib-top)\""
            ),
        };
        ReadError::Missing { what, remedy }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Fills in what the tables of the process's network namespace say of its sockets.
fn add_sockets(dir: &ProcDir, files: &mut [File]) {
    if !files.iter().any(|file| file.socket.is_some()) {
        return;
    }
    add_known_sockets(&Sockets::read(dir), files);
}

/// Fills in what these tables say of sockets.
fn add_known_sockets(sockets: &Sockets, files: &mut [File]) {
    for file in files.iter_mut().filter(|file| file.socket.is_some()) {
        let (Some(ino), Some(socket)) = (file.ino.get(), &mut file.socket) else { continue };
        if let Some(found) = sockets.get(ino, socket) {
            let inflight_files = found.inflight_files.or(socket.inflight_files);
            **socket = Socket { inflight_files, ..found.clone() };
        }
    }
}
