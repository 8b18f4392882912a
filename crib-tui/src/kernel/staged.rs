//! The staged way of reading what the nested dump reads: one iterator for the list of files,
//! then one for each socket and one for each packet in it, each created, read and closed.

use std::io::{self, Read};
use std::os::fd::AsFd;

use aya::programs::ProgramFd;
use crib_common::dump::{DumpRequest, Hop, queue};

use super::bench::{Programs, Table, cannot_attach, cannot_run};
use super::errors::{failed, missing};
use super::link::{IterLink, Scope};
use super::{nested, snapshot};
use crate::decode::{Record, Records};
use crate::model::ReadError;

/// Packets of each queue that one run lists: more might not fit the iterator's 32 KiB, beyond
/// which the kernel gives nothing of a task.
const LISTED: u32 = 128;

/// What one staged reading found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// Files in the table.
    pub files: usize,
    /// Sockets among them.
    pub sockets: usize,
    /// Packets in their queues.
    pub packets: usize,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Iterators that were created, read and closed.
    pub runs: usize,
}

/// Where a packet is.
struct PacketPlace {
    queue: u32,
    index: u32,
}

/// Reads the files of a process with one thread, the packets of its sockets and their bytes, and
/// appends all records. Of the bytes of a packet only those in its linear part, and no more than
/// fit the iterator's 32 KiB.
///
/// # Errors
/// [`ReadError::Missing`] and [`ReadError::Io`], as the kernel says.
pub fn read(programs: &mut Programs, pid: u32, records: &mut Vec<u8>) -> Result<Staged, ReadError> {
    let mut staged = Staged { runs: 1, ..Staged::default() };
    programs.table(Table::Paths, Some(pid), records)?;
    let sockets = sockets(records, &mut staged)?;
    let mut level = Levels {
        lister: programs.iterator("staged_packets", nested::TASK).map_err(missing)?,
        reader: programs.iterator("staged_bytes", nested::TASK).map_err(missing)?,
        request: DumpRequest {
            tid: pid,
            queues: (1 << queue::COUNT) - 1,
            payload: u32::MAX,
            ..DumpRequest::default()
        },
        buffer: vec![0; snapshot::READ_BYTES],
        programs,
    };
    for fd in sockets {
        level.request.first_fd = fd;
        for packet in level.packets(records, &mut staged)? {
            level.bytes(&packet, records, &mut staged)?;
        }
    }
    Ok(staged)
}

/// The two levels below the table.
struct Levels<'a> {
    programs: &'a mut Programs,
    lister: ProgramFd,
    reader: ProgramFd,
    request: DumpRequest,
    buffer: Vec<u8>,
}

impl Levels<'_> {
    /// Lists the packets of the socket.
    fn packets(
        &mut self,
        records: &mut Vec<u8>,
        staged: &mut Staged,
    ) -> Result<Vec<PacketPlace>, ReadError> {
        let mut packets = Vec::new();
        let mut first = 0;
        loop {
            self.request.first_packet = first;
            self.request.last_packet = first + LISTED - 1;
            self.programs.dump_request(self.request).map_err(missing)?;
            let start = records.len();
            run(&self.lister, self.request.tid, &mut self.buffer, records)?;
            staged.runs += 1;
            let mut queue = 0;
            let mut more = false;
            for record in decoded(&records[start..]) {
                match record? {
                    Record::Queue(record) => queue = record.queue,
                    Record::Packet(record) => {
                        more |= record.index == self.request.last_packet;
                        packets.push(PacketPlace { queue, index: record.index });
                    }
                    _ => {}
                }
            }
            if !more {
                break;
            }
            first += LISTED;
        }
        staged.packets += packets.len();
        Ok(packets)
    }

    /// Reads the bytes of one packet of the socket.
    fn bytes(
        &mut self,
        packet: &PacketPlace,
        records: &mut Vec<u8>,
        staged: &mut Staged,
    ) -> Result<(), ReadError> {
        let hop = Hop { queue: packet.queue, packet: packet.index, ..Hop::default() };
        self.request.hops[0] = hop;
        self.programs.dump_request(self.request).map_err(missing)?;
        let start = records.len();
        run(&self.reader, self.request.tid, &mut self.buffer, records)?;
        staged.runs += 1;
        for record in decoded(&records[start..]) {
            if let Record::Chunk(_, bytes) = record? {
                staged.bytes += bytes.len() as u64;
            }
        }
        Ok(())
    }
}

/// One iterator's life: its link is created, it is created, read to its end, and both are closed.
/// What it says lands in `buffer`, which is not to be cleared 10,000 times.
fn run(
    program: &ProgramFd,
    tid: u32,
    buffer: &mut [u8],
    records: &mut Vec<u8>,
) -> Result<(), ReadError> {
    let link = IterLink::create(program.as_fd(), Scope::Thread(tid)).map_err(cannot_attach)?;
    let mut iterator = link.iterate().map_err(cannot_attach)?;
    loop {
        match iterator.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => records.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot_run(error)),
        }
    }
}

/// The descriptors of the sockets in a table.
fn sockets(records: &[u8], staged: &mut Staged) -> Result<Vec<u32>, ReadError> {
    let mut sockets = Vec::new();
    let mut fd = 0;
    for record in decoded(records) {
        match record? {
            Record::File(file, _) => {
                fd = file.fd;
                staged.files += 1;
            }
            Record::Socket(_) => sockets.push(fd),
            _ => {}
        }
    }
    staged.sockets = sockets.len();
    Ok(sockets)
}

fn decoded(records: &[u8]) -> impl Iterator<Item = Result<Record<'_>, ReadError>> {
    Records::new(records).map(|record| {
        let what = "the records of the staged programs make no sense";
        record.map_err(|error| failed(what, io::Error::other(error)))
    })
}
