//! What is queued in the sockets of one process, with every byte: nested against staged.

use super::files::{DESCRIPTORS, check, garbled};
use super::rounds::{Contender, Contest};
use super::tools::{Sample, Tools};
use super::workload::Workload;
use super::{BenchError, Plan, Section};
use crate::decode::{Record, Records};
use crate::kernel::staged;
use crate::model::Dump;

const NESTED: &str = "nested, ring buffer";
const MODEL: &str = "nested, as a model";
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
        Contender::new(MODEL, &[], move |tools| model(tools, workload, plan)),
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

/// The records of one dump.
fn nested(tools: &mut Tools, workload: &Workload, plan: Plan) -> Result<Sample, BenchError> {
    let request = Dump { payload: plan.bytes, ..Dump::everything(workload.pid()) };
    let mut records = std::mem::take(&mut tools.records);
    records.clear();
    tools.reader()?;
    let (sample, seen) = tools.measure(|tools| {
        tools.reader()?.dump_records(&request, &mut records)?;
        Seen::of(&records)
    });
    tools.records = records;
    seen?.check(NESTED, workload, plan)?;
    Ok(sample)
}

/// What is in the records of a dump.
#[derive(Default)]
struct Seen {
    files: u64,
    sockets: u64,
    packets: u64,
    bytes: u64,
}

impl Seen {
    fn of(records: &[u8]) -> Result<Self, BenchError> {
        let mut seen = Self::default();
        for record in Records::new(records) {
            match record.map_err(|error| BenchError::Read(garbled(error)))? {
                Record::File(..) => seen.files += 1,
                Record::Socket(_) => seen.sockets += 1,
                Record::Packet(_) => seen.packets += 1,
                Record::Chunk(_, bytes) => seen.bytes += bytes.len() as u64,
                _ => {}
            }
        }
        Ok(seen)
    }

    fn check(&self, way: &'static str, workload: &Workload, plan: Plan) -> Result<(), BenchError> {
        check(way, DESCRIPTORS, workload.fds(), self.files)?;
        check(way, "sockets", u64::from(plan.sockets), self.sockets)?;
        check(way, "packets", packets(plan), self.packets)?;
        check(way, "bytes", bytes(plan), self.bytes)
    }
}

/// One dump, made into crib-top's model.
fn model(tools: &mut Tools, workload: &Workload, plan: Plan) -> Result<Sample, BenchError> {
    let request = Dump { payload: plan.bytes, ..Dump::everything(workload.pid()) };
    tools.reader()?;
    let (sample, reading) = tools.measure(|tools| {
        let reading = tools.reader()?.dump(&request)?;
        Ok::<_, BenchError>(reading)
    });
    let reading = reading?;
    let sockets = || reading.files.iter().filter_map(|file| file.socket.as_ref());
    let queues = sockets().filter_map(|socket| socket.queues.as_ref()).flatten();
    let found = || queues.clone().flat_map(|queue| &queue.packets);
    let seen = Seen {
        files: reading.files.len() as u64,
        sockets: sockets().count() as u64,
        packets: found().count() as u64,
        bytes: found().map(|packet| u64::from(packet.captured)).sum(),
    };
    seen.check(MODEL, workload, plan)?;
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
    let staged::Staged { files, sockets, packets, bytes, .. } = seen?;
    let seen =
        Seen { files: files as u64, sockets: sockets as u64, packets: packets as u64, bytes };
    seen.check(STAGED, workload, plan)?;
    Ok(sample)
}
