//! What is queued in the sockets of one process, with every byte: nested against staged.

use super::files::{DESCRIPTORS, check};
use super::rounds::{Contender, Contest};
use super::tools::{Sample, Tools};
use super::workload::Workload;
use super::{BenchError, Plan, Section};
use crate::kernel::staged;
use crate::model::Dump;

const NESTED: &str = "nested, ring buffer";
const STAGED: &str = "staged, seq_file";

/// The ways to read a process's queues.
pub fn section(workload: &Workload, plan: Plan) -> Contest<'_> {
    let section = Section {
        name: "sockets",
        title: "the packets in the sockets of one process, with their bytes",
        items: packets(plan),
        item: "packet",
        base: NESTED,
        ours: NESTED,
        ways: Vec::new(),
    };
    let contenders = vec![
        Contender::new(NESTED, &[], move |tools| nested(tools, workload, plan)),
        Contender::new(
            STAGED,
            &["changes while it reads", "senders' names", "headers", "files in flight"],
            move |tools| by_stages(tools, workload, plan),
        ),
    ];
    Contest { section, contenders }
}

fn packets(plan: Plan) -> u64 {
    u64::from(plan.sockets) * u64::from(plan.packets)
}

fn bytes(plan: Plan) -> u64 {
    packets(plan) * u64::from(plan.bytes)
}

/// One dump, made into crib-top's model.
fn nested(tools: &mut Tools, workload: &Workload, plan: Plan) -> Result<Sample, BenchError> {
    let request = Dump { payload: plan.bytes, ..Dump::everything(workload.pid()) };
    tools.reader()?;
    let (sample, reading) = tools.measure(|tools| {
        let reading = tools.reader()?.dump(&request)?;
        Ok::<_, BenchError>(reading)
    });
    let reading = reading?;
    check(NESTED, DESCRIPTORS, workload.fds(), reading.files.len() as u64)?;
    let sockets = reading.files.iter().filter_map(|file| file.socket.as_ref());
    check(NESTED, "sockets", u64::from(plan.sockets), sockets.clone().count() as u64)?;
    let queues = sockets.filter_map(|socket| socket.queues.as_ref()).flatten();
    let found = || queues.clone().flat_map(|queue| &queue.packets);
    check(NESTED, "packets", packets(plan), found().count() as u64)?;
    let captured = found().map(|packet| u64::from(packet.captured)).sum();
    check(NESTED, "bytes", bytes(plan), captured)?;
    Ok(sample)
}

/// One iterator for the table, one for each socket, one for each packet; the records alone.
fn by_stages(tools: &mut Tools, workload: &Workload, plan: Plan) -> Result<Sample, BenchError> {
    let mut records = std::mem::take(&mut tools.records);
    records.clear();
    let (sample, seen) = tools.measure(|tools| {
        let seen = staged::read(tools.programs()?, workload.pid(), &mut records)?;
        Ok::<_, BenchError>(seen)
    });
    tools.records = records;
    let seen = seen?;
    check(STAGED, DESCRIPTORS, workload.fds(), seen.files as u64)?;
    check(STAGED, "sockets", u64::from(plan.sockets), seen.sockets as u64)?;
    check(STAGED, "packets", packets(plan), seen.packets as u64)?;
    check(STAGED, "bytes", bytes(plan), seen.bytes)?;
    Ok(sample)
}
