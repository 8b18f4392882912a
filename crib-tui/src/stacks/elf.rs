//! Where things are in an ELF file, which its owner may have written by hand: nothing is read
//! that is longer than it may be, whatever a header says.

use std::fs::File;
use std::os::unix::fs::FileExt;

use object::elf::{FileHeader32, FileHeader64, PT_LOAD, SHF_COMPRESSED, SHT_NOBITS};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind, ReadCache};

/// Segments, and sections, of a file at most.
const MAX_HEADERS: usize = 4096;

/// A part of a file that is mapped in one piece.
#[derive(Debug)]
struct Segment {
    offset: u64,
    len: u64,
    address: u64,
}

/// A section that has bytes in the file.
#[derive(Debug)]
pub struct Section {
    /// What it is called.
    pub name: Box<[u8]>,
    /// Where it is in the file.
    offset: u64,
    /// Bytes of it in the file.
    pub len: u64,
    /// Where it is in memory, as the file has it.
    pub address: u64,
    /// Whether its bytes are compressed.
    pub is_compressed: bool,
}

impl Section {
    /// Its bytes as they are in the file; none where there are more than `limit`.
    pub fn bytes(&self, file: &File, limit: u64) -> Option<Vec<u8>> {
        if self.len > limit || self.offset.checked_add(self.len)? > file.metadata().ok()?.len() {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(self.len).ok()?];
        file.read_exact_at(&mut bytes, self.offset).ok()?;
        Some(bytes)
    }

    /// One that is all of a file.
    #[cfg(test)]
    pub fn whole(file: &File) -> Self {
        let len = file.metadata().unwrap().len();
        Self { name: (*b".debug_info").into(), offset: 0, len, address: 0, is_compressed: true }
    }
}

/// The segments and sections of an ELF file.
#[derive(Debug)]
pub struct Layout {
    segments: Vec<Segment>,
    sections: Vec<Section>,
}

impl Layout {
    /// Of a file; none where it is no ELF file.
    pub fn of(file: &File) -> Option<Self> {
        let data = ReadCache::new(file);
        match FileKind::parse(&data).ok()? {
            FileKind::Elf32 => Self::read::<FileHeader32<Endianness>>(&data),
            FileKind::Elf64 => Self::read::<FileHeader64<Endianness>>(&data),
            _ => None,
        }
    }

    fn read<H: FileHeader<Endian = Endianness>>(data: &ReadCache<&File>) -> Option<Self> {
        let header = H::parse(data).ok()?;
        let endian = header.endian().ok()?;
        if header.phnum(endian, data).ok()?.max(header.shnum(endian, data).ok()?) > MAX_HEADERS {
            return None;
        }
        let loaded = header.program_headers(endian, data).ok()?.iter();
        let segments = loaded.filter(|segment| segment.p_type(endian) == PT_LOAD).map(|segment| {
            let (offset, len) = segment.file_range(endian);
            Segment { offset, len, address: segment.p_vaddr(endian).into() }
        });
        let sections = header.sections(endian, data).ok()?;
        let found = sections.iter().filter(|section| section.sh_type(endian) != SHT_NOBITS);
        let found = found.filter_map(|section| {
            Some(Section {
                name: sections.section_name(endian, section).ok()?.into(),
                offset: section.sh_offset(endian).into(),
                len: section.sh_size(endian).into(),
                address: section.sh_addr(endian).into(),
                is_compressed: section.sh_flags(endian).into() & u64::from(SHF_COMPRESSED) != 0,
            })
        });
        Some(Self { segments: segments.collect(), sections: found.collect() })
    }

    /// The sections that have bytes.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| *section.name == *name.as_bytes())
    }

    /// The address, as the file has it, of what is at a place in the file.
    pub fn address(&self, in_file: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let offset = in_file.checked_sub(segment.offset).filter(|&at| at < segment.len)?;
            segment.address.checked_add(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// The header of this very program.
    fn header() -> Vec<u8> {
        let mut header = vec![0; 64];
        File::open("/proc/self/exe").unwrap().read_exact_at(&mut header, 0).unwrap();
        header
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn nothing_is_read_that_is_longer_than_it_may_be() {
        let own = File::open("/proc/self/exe").unwrap();
        let layout = Layout::of(&own).unwrap();
        let text = layout.section(".eh_frame").unwrap();
        assert_eq!(text.bytes(&own, text.len).unwrap().len() as u64, text.len);
        assert!(text.bytes(&own, text.len - 1).is_none());
        // Longer than the file that it is in.
        assert!(text.bytes(&file(b"short"), u64::MAX).is_none());
        let endless = Section { name: (*b"x").into(), offset: 1, len: u64::MAX, ..*text };
        assert!(endless.bytes(&own, u64::MAX).is_none());
        assert!(layout.section(".none").is_none());
    }

    #[test]
    fn a_file_with_too_many_headers_is_not_read() {
        // As many as it has room to say.
        let mut header = header();
        header[0x3c..0x3e].copy_from_slice(&u16::MAX.to_le_bytes());
        let file = file(&header);
        // They are there, as far as its length says.
        file.set_len(1 << 40).unwrap();
        assert!(Layout::of(&file).is_none());
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(start in 0usize..64, bytes: Vec<u8>) {
            let mut all = header();
            all.truncate(start);
            all.extend(bytes);
            Layout::of(&file(&all));
        }
    }
}
