//! The unwind information of one mapped file: for each place in its code, how to find the caller.

use gimli::{BaseAddresses, CfaRule, EhFrame, EhFrameHdr, LittleEndian, RegisterRule};
use gimli::{UnwindContext, UnwindSection, X86_64};

use super::elf::Layout;
use crate::procfs::{self, Mapping};

/// Bytes of a table that is searched through from its start, since it has no index.
const MAX_WITHOUT_INDEX: u64 = 4 << 20;

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
    layout: Layout,
}

impl Module {
    /// Reads the file that is mapped there in a process, which is named by a thread of it that
    /// runs; none where that is no file with such information, or with more than `limit` bytes of
    /// it, or may not be read.
    pub fn open(pid: u32, mapping: &Mapping, limit: u64) -> Option<Self> {
        if cfg!(not(target_arch = "x86_64")) {
            return None;
        }
        let file = procfs::mapped_file(pid, mapping)?;
        let layout = Layout::of(&file)?;
        let section = layout.section(".eh_frame")?;
        let mut bases = BaseAddresses::default().set_eh_frame(section.address);
        if let Some(text) = layout.section(".text") {
            bases = bases.set_text(text.address);
        }
        let mut eh_frame_hdr = Vec::new();
        if let Some(index) = layout.section(".eh_frame_hdr") {
            bases = bases.set_eh_frame_hdr(index.address);
            eh_frame_hdr = index.bytes(&file, limit)?;
        }
        let limit = match eh_frame_hdr.len() as u64 {
            0 => limit.min(MAX_WITHOUT_INDEX),
            index => limit - index,
        };
        let eh_frame = section.bytes(&file, limit)?;
        Some(Self { eh_frame, eh_frame_hdr, bases, layout })
    }

    /// Bytes that were read.
    pub fn len(&self) -> u64 {
        self.eh_frame.len() as u64 + self.eh_frame_hdr.len() as u64
    }

    /// How to find the caller at an address in this mapping of the file; none where that is not
    /// known.
    pub fn rule(&self, mapping: &Mapping, address: u64) -> Option<Rule> {
        let in_file = address.checked_sub(mapping.start)?.checked_add(mapping.offset)?;
        let address = self.layout.address(in_file)?;
        rule(&self.eh_frame, &self.eh_frame_hdr, &self.bases, address)
    }
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
        let module = Module::open(pid, mapping, u64::MAX).unwrap();
        let top = Rule::FromStackPointer { offset: 8, saved: None };
        assert_eq!(module.rule(mapping, begin), Some(top));
        assert_eq!(module.rule(mapping, mapping.start - 1), None);
        let stack = maps.iter().find(|mapping| mapping.path.as_bytes() == b"[stack]").unwrap();
        assert!(Module::open(pid, stack, u64::MAX).is_none());
        // As long as its tables are, and no longer.
        assert!(Module::open(pid, mapping, module.len()).is_some());
        assert!(Module::open(pid, mapping, module.len() - 1).is_none());
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(data: Vec<u8>, index: Vec<u8>, address: u64) {
            let bases = BaseAddresses::default().set_eh_frame(0x1000).set_eh_frame_hdr(0x2000);
            rule(&data, &index, &bases, address);
        }
    }
}
