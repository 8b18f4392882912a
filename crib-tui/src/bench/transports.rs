//! The same records by three ways out of the kernel.

use std::cell::Cell;

use super::files::check;
use super::rounds::{Contender, Contest};
use super::tools::{Sample, Tools};
use super::workload::Workload;
use super::{BenchError, Section};
use crate::kernel::bench::Transport;

const SEQ_FILE: &str = "seq_file";

/// The ways of the records of a process's files, without paths, into user space, where each is
/// looked at.
pub fn section(workload: &Workload) -> Contest<'_> {
    let section = Section {
        name: "transports",
        title: "the records of those files, without paths, out of the kernel",
        items: workload.fds(),
        item: "record",
        base: SEQ_FILE,
        ours: SEQ_FILE,
        ways: Vec::new(),
    };
    let ways = [
        (SEQ_FILE, Transport::SeqFile),
        ("ring buffer", Transport::Ring),
        ("mapped array", Transport::Array),
    ];
    // What the first of them has seen, all have to see.
    let seen = std::rc::Rc::new(Cell::new(None));
    let contenders = ways
        .map(|(name, transport)| {
            let seen = seen.clone();
            Contender::new(name, &["paths"], move |tools| {
                read(name, transport, tools, workload, &seen)
            })
        })
        .into();
    Contest { section, contenders }
}

fn read(
    name: &'static str,
    transport: Transport,
    tools: &mut Tools,
    workload: &Workload,
    seen: &Cell<Option<u64>>,
) -> Result<Sample, BenchError> {
    let (mut records, mut sum) = (0, 0_u64);
    let (sample, result) = tools.measure(|tools| {
        let programs = tools.programs()?;
        programs.transport(transport, workload.pid(), |record| {
            records += 1;
            sum = sum.wrapping_add(record.ino.wrapping_mul(u64::from(record.fd) + 1));
        })?;
        Ok::<_, BenchError>(())
    });
    result?;
    check(name, "records", workload.fds(), records)?;
    let expected = seen.get().unwrap_or(sum);
    seen.set(Some(expected));
    if sum != expected {
        return Err(BenchError::Wrong { way: name, what: "as their sum", expected, seen: sum });
    }
    Ok(sample)
}
