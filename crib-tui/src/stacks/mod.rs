//! Addresses of a process's code as functions, files and lines.

mod module;
mod unwind;

use std::os::unix::ffi::OsStrExt;

use blazesym::Pid;
use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolized, Symbolizer};

use crate::model::Text;
use crate::model::leaks::Frame;
use crate::procfs::Mapping;

pub use unwind::{Top, Unwinder};

/// Symbols of one process's code.
pub struct Stacks {
    pid: u32,
    symbolizer: Symbolizer,
    maps: Vec<Mapping>,
}

impl Stacks {
    /// Of a process with these mappings, which tell modules also when it is gone. The process is
    /// named by a thread of it that runs.
    pub fn new(pid: u32, maps: Vec<Mapping>) -> Self {
        Self { pid, symbolizer: Symbolizer::new(), maps }
    }

    /// The frames of a stack of return addresses, innermost first. What is inlined into a
    /// function has a frame of its own. What has no symbols has only its module and offset.
    pub fn frames(&self, addresses: &[u64]) -> Vec<Frame> {
        // An address that a call returns to may be the next function's.
        let calls: Vec<u64> = addresses.iter().map(|address| address.saturating_sub(1)).collect();
        let found = self.symbolize(&calls).unwrap_or_default();
        let mut found = found.into_iter();
        let mut frames = Vec::with_capacity(addresses.len());
        for &address in addresses {
            self.add(address, found.next(), &mut frames);
        }
        frames
    }

    /// The same without names: only what the mappings tell.
    pub fn bare_frames(&self, addresses: &[u64]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(addresses.len());
        addresses.iter().for_each(|&address| self.add(address, None, &mut frames));
        frames
    }

    fn symbolize(&self, addresses: &[u64]) -> Option<Vec<Symbolized<'_>>> {
        let with = |map_files| {
            let process = Process { map_files, ..Process::new(Pid::from(self.pid)) };
            self.symbolizer.symbolize(&Source::Process(process), Input::AbsAddr(addresses)).ok()
        };
        // /proc/PID/map_files leads to the files themselves, also in another mount namespace and
        // when they were deleted; but not everyone may follow it.
        let known = |found: &Vec<Symbolized<'_>>| found.iter().any(|one| one.as_sym().is_some());
        with(true).filter(known).or_else(|| with(false))
    }

    fn add(&self, address: u64, found: Option<Symbolized<'_>>, frames: &mut Vec<Frame>) {
        let mapping = self.maps.iter().find(|mapping| mapping.contains(address));
        let bare = Frame {
            address,
            symbol: None,
            module: mapping.map(|mapping| last_part(&mapping.path)).filter(|path| !path.is_empty()),
            offset: mapping
                .filter(|mapping| mapping.path.as_bytes().starts_with(b"/"))
                .map(|mapping| address - mapping.start + mapping.offset),
            file: None,
            line: None,
        };
        let Some(Symbolized::Sym(symbol)) = found else { return frames.push(bare) };
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
        let stacks = Stacks::new(pid, procfs::maps(pid));
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
