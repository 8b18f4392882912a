//! The unwind information of one mapped file: for each place in its code, how to find the caller.

use std::fs::File;

use gimli::{BaseAddresses, CfaRule, EhFrame, EhFrameHdr, LittleEndian, RegisterRule};
use gimli::{UnwindContext, UnwindSection, X86_64};
use object::{Object, ObjectSection, ObjectSegment, ReadCache};

use crate::procfs::Mapping;

/// How to find a function's caller at a place in it. A frame's address is where the stack
/// pointer was before the call; the return address is the word below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nobody called it.
    OutermostFrame,
    /// The frame is so many bytes above the stack pointer.
    FromStackPointer {
        /// How many.
        offset: i64,
        /// Where the caller's frame pointer is saved, from the frame; none where it is as it was.
        saved: Option<i64>,
    },
    /// The frame is so many bytes above the frame pointer.
    FromFramePointer {
        /// How many.
        offset: i64,
        /// As above.
        saved: Option<i64>,
    },
}

impl Rule {
    /// Where the caller's frame pointer is saved, from the frame; none where it is as it was.
    pub fn saved_frame_pointer(self) -> Option<i64> {
        match self {
            Self::OutermostFrame => None,
            Self::FromStackPointer { saved, .. } | Self::FromFramePointer { saved, .. } => saved,
        }
    }
}

/// The unwind information of one file.
pub struct Module {
    eh_frame: Vec<u8>,
    /// The index of the above; empty where the file has none.
    eh_frame_hdr: Vec<u8>,
    bases: BaseAddresses,
    /// Where the segments are in the file, how long they are, and at which address.
    segments: Vec<(u64, u64, u64)>,
}

impl Module {
    /// Reads the file that is mapped there in a process, which is named by a thread of it that
    /// runs; none where that is no file with such information, or may not be read.
    pub fn open(pid: u32, mapping: &Mapping) -> Option<Self> {
        if cfg!(not(target_arch = "x86_64")) {
            return None;
        }
        let cache = ReadCache::new(open(pid, mapping)?);
        let file = object::File::parse(&cache).ok()?;
        let section = |name| file.section_by_name(name);
        let data = |section: object::Section<'_, '_, _>| section.data().map(<[u8]>::to_vec).ok();
        let eh_frame = section(".eh_frame")?;
        let mut bases = BaseAddresses::default().set_eh_frame(eh_frame.address());
        if let Some(text) = section(".text") {
            bases = bases.set_text(text.address());
        }
        let mut eh_frame_hdr = Vec::new();
        if let Some(index) = section(".eh_frame_hdr") {
            bases = bases.set_eh_frame_hdr(index.address());
            eh_frame_hdr = data(index)?;
        }
        let segments = file.segments().map(|segment| {
            let (start, len) = segment.file_range();
            (start, len, segment.address())
        });
        let segments = segments.collect();
        Some(Self { eh_frame: data(eh_frame)?, eh_frame_hdr, bases, segments })
    }

    /// How to find the caller at an address in this mapping of the file; none where that is not
    /// known.
    pub fn rule(&self, mapping: &Mapping, address: u64) -> Option<Rule> {
        let in_file = address.checked_sub(mapping.start)?.checked_add(mapping.offset)?;
        let address = self.segments.iter().find_map(|&(start, len, address)| {
            let offset = in_file.checked_sub(start).filter(|&offset| offset < len)?;
            address.checked_add(offset)
        })?;
        rule(&self.eh_frame, &self.eh_frame_hdr, &self.bases, address)
    }
}

/// The file itself, also where it is in another mount namespace or was deleted.
fn open(pid: u32, mapping: &Mapping) -> Option<File> {
    let Mapping { start, end, ref path, .. } = *mapping;
    let path = str::from_utf8(path.as_bytes()).ok().filter(|path| path.starts_with('/'))?;
    let places =
        [format!("/proc/{pid}/map_files/{start:x}-{end:x}"), format!("/proc/{pid}/root{path}")];
    // To open a device may do something, and to open a FIFO may wait.
    let is_file = |place: &&String| std::fs::metadata(place).is_ok_and(|found| found.is_file());
    places.iter().filter(is_file).find_map(|place| File::open(place).ok())
}

fn rule(data: &[u8], index: &[u8], bases: &BaseAddresses, address: u64) -> Option<Rule> {
    let mut frames = EhFrame::new(data, LittleEndian);
    frames.set_address_size(8);
    let mut context = UnwindContext::new();
    let cie = EhFrame::cie_from_offset;
    let index = EhFrameHdr::new(index, LittleEndian).parse(bases, 8).ok();
    let row = match index.as_ref().and_then(|index| index.table()) {
        Some(table) => table.unwind_info_for_address(&frames, bases, &mut context, address, cie),
        None => frames.unwind_info_for_address(bases, &mut context, address, cie),
    };
    let row = row.ok()?;
    match row.register(X86_64::RA) {
        Some(RegisterRule::Offset(-8)) => {}
        Some(RegisterRule::Undefined) => return Some(Rule::OutermostFrame),
        _ => return None,
    }
    let saved = match row.register(X86_64::RBP) {
        Some(RegisterRule::Offset(offset)) => Some(offset),
        None | Some(RegisterRule::SameValue) => None,
        // It can't be known any more; what follows needs it seldom.
        Some(_) => None,
    };
    match *row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => {
            Some(Rule::FromStackPointer { offset, saved })
        }
        CfaRule::RegisterAndOffset { register: X86_64::RBP, offset } => {
            Some(Rule::FromFramePointer { offset, saved })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_function_returns_to_the_top_of_the_stack_where_it_begins() {
        let begin = a_function_returns_to_the_top_of_the_stack_where_it_begins as *const () as u64;
        let pid = std::process::id();
        let maps = procfs::maps(pid);
        let mapping = maps.iter().find(|mapping| mapping.contains(begin)).unwrap();
        let module = Module::open(pid, mapping).unwrap();
        let top = Rule::FromStackPointer { offset: 8, saved: None };
        assert_eq!(module.rule(mapping, begin), Some(top));
        assert_eq!(module.rule(mapping, mapping.start - 1), None);
        let stack = maps.iter().find(|mapping| mapping.path.as_bytes() == b"[stack]").unwrap();
        assert!(Module::open(pid, stack).is_none());
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(data: Vec<u8>, index: Vec<u8>, address: u64) {
            let bases = BaseAddresses::default().set_eh_frame(0x1000).set_eh_frame_hdr(0x2000);
            rule(&data, &index, &bases, address);
        }
    }
}
