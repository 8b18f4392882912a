//! The open files of one process.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::outside::Program;
use super::rounds::{Contender, Contest};
use super::tools::{Sample, Tools};
use super::workload::Workload;
use super::{BenchError, Section};
use crate::kernel::bench::Table;
use crate::kernel::{self, Wanted};
use crate::model::assemble::{IdKey, TableError, TableFiles};
use crate::model::{File, ReadError};

/// What programs show of descriptors.
pub const DESCRIPTORS: &str = "descriptors";
/// Paths of the workload's files.
pub const PATHS: &str = "paths";

const FLOOR: &str = "empty iterator";
const STEADY: &str = "crib-top, steady";

/// The ways to read a process's files.
pub fn section(workload: &Workload) -> Contest<'_> {
    let section = Section {
        name: "files",
        title: "the open files of one process",
        items: workload.fds(),
        item: "fd",
        base: FLOOR,
        ours: STEADY,
        ways: Vec::new(),
    };
    let pid = workload.pid();
    let own_program = std::env::current_exe().unwrap_or_else(|_| "crib-top".into());
    let contenders = vec![
        Contender::new(FLOOR, &["anything"], move |tools| floor(tools, Some(pid))),
        Contender::new("crib-top, no paths", &["paths"], |tools| bare(tools, workload)),
        Contender::new("crib-top, first", &[], |tools| first(tools, workload)),
        Contender::new(STEADY, &[], |tools| steady(tools, workload)),
        Contender::new(
            "procfs crate",
            &["file operations", "references", "socket addresses", "queues"],
            |tools| by_procfs(tools, workload),
        ),
        Program::new("crib-top files -J", own_program, &["files", "-J", "--source", "bpf", "-p"])
            .argument(pid)
            .shows(workload),
        Program::new("lsof", "lsof", &["-n", "-P", "-p"])
            .argument(pid)
            .blind(&["flags", "close-on-exec", "file operations", "references", "queues"])
            .shows(workload),
        Program::new("lsfd", "lsfd", &["-p"])
            .argument(pid)
            .blind(&["file operations", "references", "queues"])
            .shows(workload),
        Program::new("ls -l", "ls", &["-l"])
            .argument(format!("/proc/{pid}/fd"))
            .blind(&["all but mode and path"])
            .shows(workload),
    ];
    Contest { section, contenders }
}

/// The empty iterator, over the files of one process or of all.
pub fn floor(tools: &mut Tools, pid: Option<u32>) -> Result<Sample, BenchError> {
    let mut records = Vec::new();
    let (sample, result) =
        tools.measure(|tools| Ok(tools.programs()?.table(Table::Empty, pid, &mut records)?));
    result.map(|()| sample)
}

/// crib-top's table without paths, made into its model.
fn bare(tools: &mut Tools, workload: &Workload) -> Result<Sample, BenchError> {
    let mut records = std::mem::take(&mut tools.records);
    records.clear();
    let (sample, files) = tools.measure(|tools| {
        tools.programs()?.table(Table::Bare, Some(workload.pid()), &mut records)?;
        TableFiles::default()
            .read(&records, |_| None, &IdKey::default())
            .map_err(|error| BenchError::from(garbled(error)))
    });
    tools.records = records;
    check("crib-top, no paths", DESCRIPTORS, workload.fds(), files?.len() as u64)?;
    Ok(sample)
}

/// The first reading of a reader that was just opened.
fn first(tools: &mut Tools, workload: &Workload) -> Result<Sample, BenchError> {
    let mut reader = kernel::Reader::open(Wanted::Files)?;
    let (sample, reading) = tools.measure(|_| reader.files(workload.pid()));
    check_files("crib-top, first", workload, &reading?.files)?;
    Ok(sample)
}

/// Readings of a reader that has read these files before.
fn steady(tools: &mut Tools, workload: &Workload) -> Result<Sample, BenchError> {
    tools.reader()?;
    let (sample, reading) = tools.measure(|tools| {
        let reading = tools.reader()?.files(workload.pid())?;
        Ok::<_, BenchError>(reading)
    });
    check_files(STEADY, workload, &reading?.files)?;
    Ok(sample)
}

/// The link, the fdinfo and the status of each descriptor, read with the procfs crate.
fn by_procfs(tools: &mut Tools, workload: &Workload) -> Result<Sample, BenchError> {
    let (sample, read) = tools.measure(|_| read_procfs(workload.pid()));
    let files =
        read.map_err(|source| BenchError::Io { what: "the procfs crate".into(), source })?;
    check("procfs crate", DESCRIPTORS, workload.fds(), files.len() as u64)?;
    let directory = workload.directory();
    let paths = files.iter().filter(
        |file| matches!(&file.target, procfs_crate::process::FDTarget::Path(path) if path.starts_with(directory)),
    );
    check("procfs crate", PATHS, own_files(workload), paths.count() as u64)?;
    Ok(sample)
}

/// What can be read of one descriptor in /proc.
#[allow(dead_code, reason = "it is what a reader would keep")]
pub struct ProcFile {
    /// What the descriptor's link says.
    pub target: procfs_crate::process::FDTarget,
    fdinfo: String,
    status: Option<fs::Metadata>,
}

/// The files of a process; those that are closed meanwhile are left out.
pub fn read_procfs(pid: u32) -> std::io::Result<Vec<ProcFile>> {
    let other = std::io::Error::other;
    let process = procfs_crate::process::Process::new(pid as i32).map_err(other)?;
    let files = process.fd().map_err(other)?.flatten().filter_map(|file| {
        Some(ProcFile {
            fdinfo: fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", file.fd)).ok()?,
            status: fs::metadata(format!("/proc/{pid}/fd/{}", file.fd)).ok(),
            target: file.target,
        })
    });
    Ok(files.collect())
}

/// How many of a workload's files are in its directory.
pub fn own_files(workload: &Workload) -> u64 {
    fs::read_dir(workload.directory()).map_or(0, |directory| directory.count() as u64)
}

fn check_files(
    way: &'static str,
    workload: &Workload,
    files: &[Arc<File>],
) -> Result<(), BenchError> {
    check(way, DESCRIPTORS, workload.fds(), files.len() as u64)?;
    let directory = workload.directory().as_os_str().as_bytes();
    let paths = files.iter().filter(|file| {
        file.path.as_ref().is_some_and(|path| path.as_bytes().starts_with(directory))
    });
    check(way, PATHS, own_files(workload), paths.count() as u64)
}

/// Records that can't be decoded.
pub fn garbled(error: impl Into<TableError>) -> ReadError {
    let what = "the BPF programs' records make no sense".to_owned();
    ReadError::Io { what, source: std::io::Error::other(error.into()) }
}

/// A way must have seen as many as there are.
pub fn check(
    way: &'static str,
    what: &'static str,
    expected: u64,
    seen: u64,
) -> Result<(), BenchError> {
    if seen == expected && seen > 0 {
        Ok(())
    } else {
        Err(BenchError::Wrong { way, what, expected, seen })
    }
}
