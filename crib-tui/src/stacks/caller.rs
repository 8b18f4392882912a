//! Where a function without a frame pointer has its return address: what its unwind information
//! says of one place in it.

use std::fs::File;

use gimli::{BaseAddresses, CfaRule, EhFrame, LittleEndian, RegisterRule, UnwindContext};
use gimli::{UnwindSection, X86_64};
use object::{Object, ObjectSection, ObjectSegment, ReadCache};

use crate::procfs::Mapping;

/// Where the return address of a function is at some place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnAddress {
    /// So many bytes above the stack pointer.
    Above(u32),
    /// Where frame pointers lead.
    InFrame,
}

/// Where the function that holds `address` has its return address there, from the .eh_frame of
/// the file that is mapped. None where that is not known.
pub fn return_address(pid: u32, mapping: &Mapping, address: u64) -> Option<ReturnAddress> {
    if cfg!(not(target_arch = "x86_64")) {
        return None;
    }
    let cache = ReadCache::new(open(pid, mapping)?);
    let file = object::File::parse(&cache).ok()?;
    let in_file = address.checked_sub(mapping.start)?.checked_add(mapping.offset)?;
    let address = file.segments().find_map(|segment| {
        let (start, size) = segment.file_range();
        let offset = in_file.checked_sub(start).filter(|&offset| offset < size)?;
        segment.address().checked_add(offset)
    })?;
    let section = file.section_by_name(".eh_frame")?;
    let mut bases = BaseAddresses::default().set_eh_frame(section.address());
    if let Some(text) = file.section_by_name(".text") {
        bases = bases.set_text(text.address());
    }
    in_unwind_table(section.data().ok()?, &bases, address)
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

fn in_unwind_table(data: &[u8], bases: &BaseAddresses, address: u64) -> Option<ReturnAddress> {
    let mut frame = EhFrame::new(data, LittleEndian);
    frame.set_address_size(8);
    let mut context = UnwindContext::new();
    let row = frame
        .unwind_info_for_address(bases, &mut context, address, EhFrame::cie_from_offset)
        .ok()?;
    // The return address is the last word below the frame, unless something odd is going on.
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    if row.register(X86_64::RA) != Some(RegisterRule::Offset(-8)) {
        return None;
    }
    match register {
        X86_64::RSP => Some(ReturnAddress::Above(u32::try_from(offset - 8).ok()?)),
        X86_64::RBP => Some(ReturnAddress::InFrame),
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
        let address =
            a_function_returns_to_the_top_of_the_stack_where_it_begins as *const () as u64;
        let pid = std::process::id();
        let maps = procfs::maps(pid);
        let mapping = maps.iter().find(|mapping| mapping.contains(address)).unwrap();
        assert_eq!(return_address(pid, mapping, address), Some(ReturnAddress::Above(0)));
        assert_eq!(return_address(pid, mapping, mapping.start), None, "no function is there");
        let stack = maps.iter().find(|mapping| mapping.path.as_bytes() == b"[stack]").unwrap();
        assert_eq!(return_address(pid, stack, stack.start), None);
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(data: Vec<u8>, address: u64) {
            let bases = BaseAddresses::default().set_eh_frame(0x1000);
            in_unwind_table(&data, &bases, address);
        }
    }
}
