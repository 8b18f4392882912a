//! One file of code, and where its symbols and debug information are.
//!
//! Whoever wrote the file may have pointed blazesym, which reads it, to any other file by name, or
//! have compressed gigabytes of nothing. So it is looked at first: what leads elsewhere is not
//! followed but for the debug information that the system has of it, or that lies beside it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Sym, Symbolizer};
use flate2::read::ZlibDecoder;

use super::elf::{Layout, Section};
use crate::procfs::{self, Mapping};

/// Bytes of symbols in a file at most; 24 are one.
const MAX_SYMBOLS: u64 = 512 << 20;
/// Bytes of debug information in a file at most, when it is no longer compressed.
const MAX_DEBUG: u64 = 4 << 30;
/// Of which so many may have been compressed, since they are held in memory.
const MAX_INFLATED: u64 = 512 << 20;
/// Bytes of a section that holds a name, or a build id.
const MAX_NAME: u64 = 4096;
/// Bytes in front of a compressed section's data, in files of 64 bits. Of others, what is
/// compressed is not read.
const COMPRESSION_HEADER: usize = 24;
/// Sections by which one file names another.
const LINKS: [&str; 3] = [".gnu_debuglink", ".gnu_debugaltlink", ".debug_sup"];
/// Where the system keeps debug information.
const DEBUG_DIRECTORIES: [&str; 2] = ["/usr/lib/debug", "/lib/debug"];

/// A file of code.
#[derive(Debug)]
pub struct Code {
    layout: Layout,
    /// Where its symbols are looked for, one after the other.
    sources: Vec<Symbols>,
}

/// A file with symbols.
#[derive(Debug)]
struct Symbols {
    source: Source<'static>,
    /// Open as long as its path is one by its descriptor.
    _file: File,
}

impl Code {
    /// The file that is mapped there in a process, which is named by a thread of it that runs;
    /// none where that is no file of code, or may not be read.
    pub fn open(pid: u32, mapping: &Mapping) -> Option<Self> {
        let file = procfs::mapped_file(pid, mapping)?;
        let layout = Layout::of(&file)?;
        let mut sources = Vec::new();
        if layout.section(".debug_info").is_none() {
            sources.extend(separate(pid, mapping, &file, &layout));
        }
        sources.extend(Symbols::new(file, &layout, Found::Anywhere));
        Some(Self { layout, sources })
    }

    /// The function at a place in the file.
    pub fn symbol<'a>(&self, symbolizer: &'a Symbolizer, in_file: u64) -> Option<Sym<'a>> {
        let address = self.layout.address(in_file)?;
        self.sources.iter().find_map(|Symbols { source, .. }| {
            let found = symbolizer.symbolize_single(source, Input::VirtOffset(address));
            found.ok()?.into_sym()
        })
    }
}

/// How a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found<'a> {
    /// By this path, on which nobody but root can put anything.
    BySystem(&'a Path),
    /// Where it may be anybody's.
    Anywhere,
}

impl Symbols {
    /// Of a file that holds no more than is read of one.
    fn new(file: File, layout: &Layout, found: Found<'_>) -> Option<Self> {
        let is_table = |name: &[u8]| matches!(name, b".symtab" | b".dynsym" | b".strtab");
        if len(layout.sections().iter().filter(|section| is_table(&section.name))) > MAX_SYMBOLS {
            return None;
        }
        // What the system has is what its packages brought.
        let (path, debug_syms) = match found {
            Found::BySystem(path) => (path.into(), true),
            Found::Anywhere => (by_descriptor(&file), is_whole(&file, layout)),
        };
        let source = Source::Elf(Elf { debug_syms, ..Elf::new(path) });
        Some(Self { source, _file: file })
    }
}

fn by_descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The debug information of a file that has none itself: what the system has by its build id, or
/// what lies beside it under the name that it gives, if that has the same build id.
fn separate(pid: u32, mapping: &Mapping, file: &File, layout: &Layout) -> Option<Symbols> {
    let id = build_id(file, layout)?;
    let (first, rest) = id.split_first()?;
    let hexadecimal: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!(".build-id/{first:02x}/{hexadecimal}.debug");
    let by_system = DEBUG_DIRECTORIES.iter().find_map(|directory| {
        let path = Path::new(directory).join(&name);
        let file = procfs::regular_file(&path).ok()?;
        let found = file.metadata().ok()?;
        let is_roots = found.uid() == 0 && found.mode() & 0o022 == 0;
        let found = if is_roots { Found::BySystem(&path) } else { Found::Anywhere };
        let layout = Layout::of(&file)?;
        Symbols::new(file, &layout, found)
    });
    by_system.or_else(|| {
        let link = layout.section(".gnu_debuglink")?.bytes(file, MAX_NAME)?;
        let name = str::from_utf8(link.split(|&byte| byte == 0).next()?).ok()?;
        let (directory, _) = str::from_utf8(mapping.path.as_bytes()).ok()?.rsplit_once('/')?;
        let is_name = !name.is_empty() && !name.contains('/');
        let path = is_name.then(|| format!("{directory}/{name}"))?;
        let file = procfs::file_in_root(pid, &path).ok()?;
        let layout = Layout::of(&file)?;
        (build_id(&file, &layout)? == id).then_some(())?;
        Symbols::new(file, &layout, Found::Anywhere)
    })
}

/// The id of a build (ld(1), --build-id): behind three numbers and the name `GNU` with its zero.
fn build_id(file: &File, layout: &Layout) -> Option<Vec<u8>> {
    let note = layout.section(".note.gnu.build-id")?.bytes(file, MAX_NAME)?;
    let len = u32::from_ne_bytes(note.get(4..8)?.try_into().ok()?);
    (note.get(12..16)? == b"GNU\0").then_some(())?;
    let end = usize::try_from(len).ok()?.checked_add(16)?;
    // Shorter ones are none.
    note.get(16..end).filter(|id| id.len() >= 8).map(<[u8]>::to_vec)
}

/// Whether the debug information in a file leads to no other file, and is no more than is read.
fn is_whole(file: &File, layout: &Layout) -> bool {
    let is_debug = |section: &&Section| section.name.starts_with(b".debug_");
    let debug = || layout.sections().iter().filter(is_debug);
    let compressed = debug().filter(|section| section.is_compressed);
    LINKS.iter().all(|link| layout.section(link).is_none())
        && len(debug()) <= MAX_DEBUG
        && inflated(file, compressed, MAX_INFLATED).is_some()
}

fn len<'a>(sections: impl Iterator<Item = &'a Section>) -> u64 {
    sections.fold(0, |sum, section| sum.saturating_add(section.len))
}

/// How long sections are once they are no longer compressed; none where that is more than `limit`.
fn inflated<'a>(
    file: &File,
    mut sections: impl Iterator<Item = &'a Section>,
    limit: u64,
) -> Option<u64> {
    sections.try_fold(0, |sum, section| {
        let bytes = section.bytes(file, limit)?;
        // What a header says that there will be is made room for.
        let said = u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?);
        let mut data = ZlibDecoder::new(bytes.get(COMPRESSION_HEADER..)?).take(limit + 1);
        let found = io::copy(&mut data, &mut io::sink()).ok()?;
        Some(sum + found.max(said)).filter(|&sum| found == said && sum <= limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

    /// The mapping of this very program that a function is in, as if of another file.
    fn mapping(path: &Path, function: *const ()) -> (Mapping, u64) {
        let address = function.addr() as u64;
        let maps = procfs::maps(std::process::id());
        let own = maps.into_iter().find(|mapping| mapping.contains(address)).unwrap();
        let in_file = address - own.start + own.offset;
        // No such mapping: the file is found by its path.
        (Mapping { start: 1, end: 2, path: path.to_str().unwrap().into(), ..own }, in_file)
    }

    /// This program, with the name of a section changed for another of the same length.
    fn renamed(from: &str, to: &str) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        let (from, to) = (format!("\0{from}\0"), format!("\0{to}\0"));
        // The names of sections are near the end.
        let at = bytes.windows(from.len()).rposition(|bytes| bytes == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    }

    #[inline(never)]
    fn a_function_of_the_program() -> u64 {
        std::hint::black_box(a_function_of_the_program as *const () as u64)
    }

    #[test]
    fn a_file_that_leads_to_others_has_its_symbols_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let (mapping, in_file) = mapping(&path, a_function_of_the_program as *const ());
        let symbolizer = Symbolizer::new();
        let code = || Code::open(std::process::id(), &mapping);
        assert!(code().is_none(), "there is no such file yet");
        std::fs::copy("/proc/self/exe", &path).unwrap();
        let symbol = |code: &Code| {
            let found = code.symbol(&symbolizer, in_file + 2).unwrap();
            assert!(found.name.contains("a_function_of_the_program"), "{found:?}");
            found.code_info.is_some()
        };
        assert_eq!(symbol(&code().unwrap()), cfg!(debug_assertions));
        // As if there were what leads to another file: what is there is nothing of the kind.
        std::fs::write(&path, renamed(".debug_ranges", ".debug_sup\0\0\0")).unwrap();
        assert!(Layout::of(&File::open(&path).unwrap()).unwrap().section(".debug_sup").is_some());
        assert!(!symbol(&code().unwrap()));
        std::fs::remove_file(&path).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(code().is_none());
    }

    #[test]
    fn what_becomes_longer_than_it_may_is_not_inflated() {
        let compressed = |len: usize, said: u64| {
            let mut file = tempfile::tempfile().unwrap();
            let header = [&[1, 0, 0, 0, 0, 0, 0, 0], &said.to_ne_bytes()[..], &[0; 8]].concat();
            file.write_all(&header).unwrap();
            let mut encoder = ZlibEncoder::new(&file, flate2::Compression::best());
            encoder.write_all(&vec![0; len]).unwrap();
            encoder.finish().unwrap();
            let section = Section::whole(&file);
            inflated(&file, [section].iter(), 1 << 20)
        };
        assert_eq!(compressed(1 << 20, 1 << 20), Some(1 << 20));
        assert_eq!(compressed((1 << 20) + 1, (1 << 20) + 1), None);
        // A header that says something else makes room for that.
        assert_eq!(compressed(1 << 10, 1 << 60), None);
        assert_eq!(compressed(1 << 20, 1), None);
    }
}
