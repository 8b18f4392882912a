//! Every open file of every process.

use super::files::{self, DESCRIPTORS, check, garbled};
use super::outside::Program;
use super::rounds::{Contender, Contest};
use super::tools::{Sample, Tools};
use super::workload::Workload;
use super::{BenchError, Section};
use crate::decode::{DecodeError, Record, Records};
use crate::kernel::bench::Table;

const FLOOR: &str = "empty iterator";
const SWEEP: &str = "crib-top ps, sums";
const BARE: &str = "crib-top, no paths";
const PATHS: &str = "crib-top, all fields";
const PROCFS: &str = "procfs crate";

/// The ways to read the files of all processes, two of which are workloads.
pub fn section<'a>(files: &'a Workload, sockets: &'a Workload, tools: &mut Tools) -> Contest<'a> {
    let both = [files, sockets];
    let section = Section {
        name: "system",
        title: "the open files of every process",
        items: descriptors(tools).unwrap_or(files.fds() + sockets.fds()),
        item: "fd",
        base: FLOOR,
        ours: PATHS,
        ways: Vec::new(),
    };
    let contenders = vec![
        Contender::new(FLOOR, &["anything"], |tools| files::floor(tools, None)),
        Contender::new(SWEEP, &["single files"], move |tools| sweep(tools, both)),
        Contender::new(BARE, &["paths"], move |tools| table(tools, BARE, Table::Bare, both)),
        Contender::new(PATHS, &[], move |tools| table(tools, PATHS, Table::Paths, both)),
        Contender::new(
            PROCFS,
            &["file operations", "references", "socket addresses", "queues"],
            move |tools| by_procfs(tools, both),
        ),
        Program::new("lsof", "lsof", &["-n", "-P"])
            .blind(&["flags", "close-on-exec", "file operations", "references", "queues"])
            .shows(files),
        Program::new("lsfd", "lsfd", &[])
            .blind(&["file operations", "references", "queues"])
            .shows(files),
    ];
    Contest { section, contenders }
}

/// How many descriptors there are in all, where BPF can tell.
fn descriptors(tools: &mut Tools) -> Option<u64> {
    let reading = tools.reader().ok()?.processes().ok()?;
    Some(reading.processes.iter().filter_map(|(_, totals)| Some(totals.as_ref()?.fd_count)).sum())
}

/// The sums over each process's files, as `crib-top ps` shows them.
fn sweep(tools: &mut Tools, workloads: [&Workload; 2]) -> Result<Sample, BenchError> {
    tools.reader()?;
    let (sample, reading) = tools.measure(|tools| {
        let reading = tools.reader()?.processes()?;
        Ok::<_, BenchError>(reading)
    });
    let reading = reading?;
    for workload in workloads {
        let totals = reading
            .processes
            .iter()
            .find(|(process, _)| process.pid == workload.pid())
            .and_then(|&(_, totals)| totals);
        check(SWEEP, DESCRIPTORS, workload.fds(), totals.map_or(0, |totals| totals.fd_count))?;
    }
    Ok(sample)
}

/// The records of every file, which are decoded and not made into a model.
fn table(
    tools: &mut Tools,
    way: &'static str,
    table: Table,
    workloads: [&Workload; 2],
) -> Result<Sample, BenchError> {
    let mut records = std::mem::take(&mut tools.records);
    records.clear();
    let (sample, seen) = tools.measure(|tools| {
        tools.programs()?.table(table, None, &mut records)?;
        count(&records, workloads).map_err(|error| BenchError::from(garbled(error)))
    });
    tools.records = records;
    for (workload, seen) in workloads.iter().zip(seen?) {
        check(way, DESCRIPTORS, workload.fds(), seen)?;
    }
    Ok(sample)
}

/// How many files of each workload are in the records.
fn count(records: &[u8], workloads: [&Workload; 2]) -> Result<[u64; 2], DecodeError> {
    let mut seen = [0; 2];
    for record in Records::new(records) {
        if let Record::File(file, _) = record? {
            for (workload, seen) in workloads.iter().zip(&mut seen) {
                *seen += u64::from(file.tgid == workload.pid());
            }
        }
    }
    Ok(seen)
}

/// The link, the fdinfo and the status of each descriptor, read with the procfs crate.
fn by_procfs(tools: &mut Tools, workloads: [&Workload; 2]) -> Result<Sample, BenchError> {
    let (sample, processes) = tools.measure(|_| {
        let pids = procfs_crate::process::all_processes().map_err(std::io::Error::other)?;
        // Some end meanwhile, some may not be looked into.
        let pids = pids.flatten().map(|process| process.pid as u32);
        let read = pids.filter_map(|pid| Some((pid, files::read_procfs(pid).ok()?)));
        Ok::<Vec<_>, std::io::Error>(read.collect())
    });
    let processes =
        processes.map_err(|source| BenchError::Io { what: "the procfs crate".into(), source })?;
    for workload in workloads {
        let read = processes.iter().find(|(pid, _)| *pid == workload.pid());
        check(
            PROCFS,
            DESCRIPTORS,
            workload.fds(),
            read.map_or(0, |(_, files)| files.len() as u64),
        )?;
    }
    Ok(sample)
}
