//! Where the kernel has its memory: what turns the address of a `struct page` into that of the
//! page's bytes, for payload that lies in page fragments and pipes.
//!
//! On x86-64 a page's bytes are in the direct map at `page_offset_base + number * 4096`, and its
//! `struct page`, of 64 bytes, in the vmemmap array at `vmemmap_base + number * 64` (both bases
//! random, multiples of 1 GiB: arch/x86/mm/kaslr.c). So `address = (page << 6) + C` with one
//! constant C a boot. It is found, not computed from symbols that many kernels don't show: a
//! magic number is put into a pipe of our own and looked for through one candidate after
//! another. What does not read back is no constant; where none does, bytes in pages are said to
//! be unreadable.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use crib_common::dump::{DumpRequest, dump_bits, queue};

use super::nested::{Nested, RunError};
use super::object::Object;
use super::symbols::Symbols;
use crate::decode::{Record, Records};

/// Bytes of a `struct page` for which `page << 6` is right.
const PAGE_STRUCT: u16 = 64;
const GIB: u64 = 1 << 30;
/// Memory that one GiB of `struct page`s describes.
const DESCRIBED: u64 = 64 * GIB;
/// Where there may be memory beyond what is counted: the hole below 4 GiB, and firmware's.
const HOLES: u64 = 8;

/// Finds the constant; none where it can't be found. What is told of file operations meanwhile
/// goes to `symbols`.
///
/// # Errors
/// [`RunError`] when the program can't be run, or a pipe can't be made.
pub fn find(
    nested: &mut Nested,
    object: &mut Object,
    symbols: &mut Symbols,
) -> Result<Option<u64>, RunError> {
    if !cfg!(target_arch = "x86_64") || object.page_size() != PAGE_STRUCT {
        return Ok(None);
    }
    let mut magic = [0; 48];
    let mut pipe = Probe::new(&mut magic).map_err(RunError::Read)?;
    let Some(seen) = pipe.look(nested, object, symbols, None)? else { return Ok(None) };
    let memory = memory_bytes().unwrap_or(DESCRIBED);
    for candidate in candidates(seen.file, seen.page, memory) {
        let found = pipe.look(nested, object, symbols, Some(candidate))?;
        if found.is_some_and(|seen| seen.bytes == magic) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// A pipe of our own with a magic number in it.
struct Probe {
    reader: io::PipeReader,
    /// Keeps it open.
    _writer: io::PipeWriter,
    records: Vec<u8>,
}

/// What the kernel shows of the pipe.
struct Seen {
    /// The address of its `struct file`, in the direct map as all small objects.
    file: u64,
    /// The address of its buffer's `struct page`, in vmemmap.
    page: u64,
    bytes: Vec<u8>,
}

impl Probe {
    fn new(magic: &mut [u8]) -> io::Result<Self> {
        std::fs::File::open("/dev/urandom")?.read_exact(magic)?;
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(magic)?;
        Ok(Self { reader, _writer: writer, records: Vec::new() })
    }

    /// Reads the pipe as if this were the constant.
    fn look(
        &mut self,
        nested: &mut Nested,
        object: &mut Object,
        symbols: &mut Symbols,
        constant: Option<u64>,
    ) -> Result<Option<Seen>, RunError> {
        let fd = self.reader.as_raw_fd().unsigned_abs();
        let request = DumpRequest {
            tid: rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs(),
            first_fd: fd,
            last_fd: fd,
            queues: 1 << queue::PIPE,
            last_packet: u32::MAX,
            payload: u32::MAX,
            page_constant: constant.unwrap_or(0),
            bits: if constant.is_some() { dump_bits::PAGES } else { 0 },
            ..DumpRequest::default()
        };
        self.records.clear();
        nested.run(object, request, &mut self.records)?;
        let mut seen = Seen { file: 0, page: 0, bytes: Vec::new() };
        for record in Records::new(&self.records).map_while(Result::ok) {
            match record {
                Record::File(file, _) => seen.file = file.file,
                // Told once, and so not again when it is asked for.
                Record::Ops(record) => symbols.learn(&record),
                Record::Packet(packet) => seen.page = packet.page,
                Record::Chunk(_, bytes) => seen.bytes.extend_from_slice(bytes),
                _ => {}
            }
        }
        Ok((seen.file != 0 && seen.page != 0).then_some(seen))
    }
}

/// What the constant may be, for an object in the direct map and one in vmemmap of a machine
/// with so much memory: the likeliest first.
///
/// Each base is the address rounded down to a GiB, less so many GiB as the object is high.
fn candidates(object: u64, page: u64, memory: u64) -> impl Iterator<Item = u64> {
    let floor = |address: u64| address & !(GIB - 1);
    let (direct, vmemmap) = (floor(object), floor(page));
    let gibs = memory.div_ceil(GIB) + HOLES;
    (0..=gibs / (DESCRIBED / GIB)).flat_map(move |above| {
        (0..=gibs).map(move |high| {
            let page_offset = direct.wrapping_sub(high * GIB);
            page_offset.wrapping_sub(vmemmap.wrapping_sub(above * GIB) << 6)
        })
    })
}

/// Memory of the machine in bytes.
fn memory_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    Some(system.total_memory()).filter(|&bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_of_a_machine_is_among_the_candidates() {
        // 200 GiB; a file at 130 GiB, a page at 150 GiB.
        let (page_offset, vmemmap) = (0xffff_8a3f_c000_0000_u64, 0xffff_f3b1_0000_0000_u64);
        let object = page_offset + 130 * GIB + 0x1234_5678;
        let page = vmemmap + 150 * GIB / 64 + 0x40;
        let constant = page_offset.wrapping_sub(vmemmap << 6);
        assert!(candidates(object, page, 200 * GIB).any(|candidate| candidate == constant));
        let address = (page << 6).wrapping_add(constant);
        assert_eq!(address, page_offset + 150 * GIB + 0x1000);
    }
}
