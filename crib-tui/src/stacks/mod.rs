//! Addresses of a process's code as functions, files and lines.

mod code;
mod elf;
mod generated;
mod module;
mod unwind;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use blazesym::symbolize::{CodeInfo, Sym, Symbolizer};

use self::code::Code;
use self::generated::Generated;
use crate::model::Text;
use crate::model::leaks::Frame;
use crate::procfs::Mapping;

pub use unwind::{Top, Unwinder};

/// Symbols of one process's code.
pub struct Stacks {
    pid: u32,
    symbolizer: Symbolizer,
    maps: Vec<Mapping>,
    /// The files that were looked into, by the first address of their mapping.
    files: HashMap<u64, Option<Code>>,
    generated: OnceCell<Generated>,
}

impl Stacks {
    /// Of a process with these mappings, which tell modules also when it is gone. The process is
    /// named by a thread of it that runs.
    pub fn new(pid: u32, maps: Vec<Mapping>) -> Self {
        let (files, generated) = (HashMap::new(), OnceCell::new());
        Self { pid, symbolizer: Symbolizer::new(), maps, files, generated }
    }

    /// The frames of a stack of return addresses, innermost first. What is inlined into a
    /// function has a frame of its own. What has no symbols has only its module and offset.
    pub fn frames(&mut self, addresses: &[u64]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(addresses.len());
        for &address in addresses {
            self.add_named(address, &mut frames);
        }
        frames
    }

    /// The same without names: only what the mappings tell.
    pub fn bare_frames(&self, addresses: &[u64]) -> Vec<Frame> {
        addresses.iter().map(|&address| bare(address, self.mapping(address))).collect()
    }

    fn mapping(&self, address: u64) -> Option<&Mapping> {
        self.maps.iter().find(|mapping| mapping.contains(address))
    }

    fn add_named(&mut self, address: u64, frames: &mut Vec<Frame>) {
        let bare = bare(address, self.mapping(address));
        // An address that a call returns to may be the next function's.
        let call = address.saturating_sub(1);
        let Some(mapping) = self.maps.iter().find(|mapping| mapping.contains(call)) else {
            return frames.push(bare);
        };
        let pid = self.pid;
        let file = self.files.entry(mapping.start).or_insert_with(|| Code::open(pid, mapping));
        let found = file.as_ref().and_then(|file| {
            let in_file = (call - mapping.start).checked_add(mapping.offset)?;
            file.symbol(&self.symbolizer, in_file)
        });
        if let Some(symbol) = found {
            return add_symbol(&symbol, &bare, frames);
        }
        // Also where it is in a file, which then is none of code: some compilers map one twice.
        let generated = self.generated.get_or_init(|| Generated::of(pid));
        let name = if file.is_none() { generated.name(call) } else { None };
        frames.push(Frame { symbol: name.map(Text::from), ..bare });
    }
}

/// What a mapping tells of an address.
fn bare(address: u64, mapping: Option<&Mapping>) -> Frame {
    Frame {
        address,
        symbol: None,
        module: mapping.map(|mapping| last_part(&mapping.path)).filter(|path| !path.is_empty()),
        offset: mapping
            .filter(|mapping| mapping.path.as_bytes().starts_with(b"/"))
            .map(|mapping| address - mapping.start + mapping.offset),
        file: None,
        line: None,
    }
}

fn add_symbol(symbol: &Sym<'_>, bare: &Frame, frames: &mut Vec<Frame>) {
    let at = |name: &str, code: Option<&CodeInfo<'_>>| Frame {
        // What glibc calls its own functions by.
        symbol: Some(name.strip_prefix("__GI_").unwrap_or(name).into()),
        file: code.map(|code| code.to_path().as_os_str().as_bytes().into()),
        line: code.and_then(|code| code.line),
        ..bare.clone()
    };
    for inlined in symbol.inlined.iter().rev() {
        frames.push(at(&inlined.name, inlined.code_info.as_ref()));
    }
    frames.push(at(&symbol.name, symbol.code_info.as_deref()));
}

fn last_part(path: &Text) -> Text {
    let bytes = path.as_bytes();
    bytes.rsplit(|&byte| byte == b'/').next().unwrap_or(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs;

    #[inline(never)]
    fn a_function_with_a_name() -> u64 {
        std::hint::black_box(a_function_with_a_name as *const () as u64)
    }

    #[test]
    fn our_own_code_has_names_and_what_is_no_code_has_none() {
        let pid = std::process::id();
        let mut stacks = Stacks::new(pid, procfs::maps(pid));
        let bare = stacks.bare_frames(&[a_function_with_a_name() + 2, 16]);
        assert!(bare[0].module.is_some() && bare[0].offset.is_some());
        assert!(bare.len() == 2 && bare.iter().all(|frame| frame.symbol.is_none()));
        let frames = stacks.frames(&[a_function_with_a_name() + 2, 16]);
        let last = frames.last().unwrap();
        assert_eq!((last.address, &last.symbol, &last.module), (16, &None, &None));
        let frame = &frames[frames.len() - 2];
        let symbol = frame.symbol.as_ref().unwrap().to_string();
        assert!(symbol.contains("a_function_with_a_name"), "{symbol}");
        assert!(frame.module.is_some() && frame.offset.is_some());
        assert!(frame.line.is_some() || cfg!(not(debug_assertions)));
    }
}
