//! Who called whom, from the registers and the top of a stack: by the unwind information in the
//! mapped files (.eh_frame), which code without frame pointers has too; by frame pointers where
//! there is none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::module::{Module, Rule};
use crate::procfs::{self, Mapping};

/// Frames of a stack at most, as many as the kernel's own unwinder gives
/// (PERF_MAX_STACK_DEPTH).
const MAX_FRAMES: usize = 127;
/// Places in the code whose rule is remembered.
const MAX_RULES: usize = 64 * 1024;
/// Bytes of unwind information that are kept of all files together; the largest programs have some
/// tens of megabytes of it.
const MAX_TABLES: u64 = 256 << 20;

/// A thread's registers, and the top of its stack.
#[derive(Clone, Copy, Debug)]
pub struct Top<'a> {
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer.
    pub fp: u64,
    /// The stack's bytes from the stack pointer on.
    pub bytes: &'a [u8],
}

impl Top<'_> {
    /// The word at an address, where it is among the bytes.
    fn word(&self, address: u64) -> Option<u64> {
        let start = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Unwinds the stacks of one process.
pub struct Unwinder {
    pid: u32,
    maps: Vec<Mapping>,
    /// By the first address of their mapping; none for what is no file, or has no such table.
    modules: HashMap<u64, Option<Module>>,
    rules: HashMap<u64, Option<Rule>>,
    /// Bytes of the modules' unwind information.
    read: u64,
}

impl Unwinder {
    /// Of a process that may still load code.
    pub fn new(pid: u32) -> Self {
        let (modules, rules) = (HashMap::new(), HashMap::new());
        Self { pid, maps: procfs::maps(pid), modules, rules, read: 0 }
    }

    /// The process's mappings, as they were when last looked at.
    pub fn maps(&self) -> &[Mapping] {
        &self.maps
    }

    /// Looks again what is mapped where. What was known stays where the process is gone, or runs
    /// another program after that look.
    pub fn renew_maps(&mut self, is_same_program: impl FnOnce() -> bool) {
        let maps = procfs::maps(self.pid);
        if !maps.is_empty() && maps != self.maps && is_same_program() {
            self.maps = maps;
            // Something else may be mapped in the same place.
            self.modules.clear();
            self.rules.clear();
            self.read = 0;
        }
    }

    /// Whether an address is in code.
    pub fn is_code(&self, address: u64) -> bool {
        self.mapping(address).is_some()
    }

    /// The executable mapping that holds an address.
    fn mapping(&self, address: u64) -> Option<&Mapping> {
        // The maps are in the order of their addresses.
        let index = self.maps.partition_point(|mapping| mapping.end <= address);
        self.maps.get(index).filter(|mapping| mapping.executable && mapping.contains(address))
    }

    /// The addresses of a stack's frames, innermost first, as far as they can be told from the
    /// bytes that are there.
    pub fn unwind(&mut self, top: &Top<'_>) -> Vec<u64> {
        let mut addresses = Vec::new();
        let (mut ip, mut sp, mut fp) = (top.ip, top.sp, top.fp);
        while self.is_code(ip) && addresses.len() < MAX_FRAMES {
            addresses.push(ip);
            // What a call returns to may belong to the next function.
            let place = if addresses.len() == 1 { ip } else { ip - 1 };
            let Some(caller) = self.step(place, (sp, fp), top) else { break };
            // Each caller's frame is above.
            if caller.1 <= sp {
                break;
            }
            (ip, sp, fp) = caller;
        }
        addresses
    }

    /// The caller's instruction, stack and frame pointers.
    fn step(&mut self, place: u64, (sp, fp): (u64, u64), top: &Top<'_>) -> Option<(u64, u64, u64)> {
        let Some(rule) = self.rule(place) else {
            // Without a table: code that was made at run time, mostly with frame pointers.
            return Some((top.word(fp.checked_add(8)?)?, fp.checked_add(16)?, top.word(fp)?));
        };
        let (base, offset) = match rule {
            Rule::OutermostFrame => return None,
            Rule::FromStackPointer { offset, .. } => (sp, offset),
            Rule::FromFramePointer { offset, .. } => (fp, offset),
        };
        let frame = base.checked_add_signed(offset)?;
        let saved = match rule.saved_frame_pointer() {
            Some(offset) => top.word(frame.checked_add_signed(offset)?)?,
            None => fp,
        };
        Some((top.word(frame.checked_sub(8)?)?, frame, saved))
    }

    fn rule(&mut self, place: u64) -> Option<Rule> {
        if let Some(&rule) = self.rules.get(&place) {
            return rule;
        }
        let mapping = self.mapping(place)?.clone();
        let module = match self.modules.entry(mapping.start) {
            Entry::Occupied(module) => module.into_mut(),
            Entry::Vacant(entry) => {
                let room = MAX_TABLES.saturating_sub(self.read);
                let module = Module::open(procfs::living_thread(self.pid), &mapping, room);
                self.read += module.as_ref().map_or(0, Module::len);
                entry.insert(module)
            }
        };
        let rule = module.as_ref().and_then(|module| module.rule(&mapping, place));
        // There is no end to the code that a program may make.
        if self.rules.len() < MAX_RULES {
            self.rules.insert(place, rule);
        }
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Code at 0x1000 that has no file.
    fn without_tables() -> Unwinder {
        let code =
            Mapping { start: 0x1000, end: 0x2000, executable: true, offset: 0, path: "".into() };
        let (modules, rules) = (HashMap::new(), HashMap::new());
        Unwinder { pid: 0, maps: vec![code], modules, rules, read: 0 }
    }

    #[test]
    fn frame_pointers_lead_through_code_without_tables() {
        // Two frames at 0x8010 and 0x8030, each with the next one's place and a return address.
        let bytes = words(&[7, 7, 0x8030, 0x1100, 7, 7, 0, 0x1200, 7]);
        let top = Top { ip: 0x1000, sp: 0x8000, fp: 0x8010, bytes: &bytes };
        assert_eq!(without_tables().unwind(&top), [0x1000, 0x1100, 0x1200]);
        let top = Top { bytes: &bytes[..24], ..top };
        assert_eq!(without_tables().unwind(&top), [0x1000], "the rest is not there");
        let circle = words(&[0x8000, 0x1100, 0x8000, 0x1100]);
        let top = Top { ip: 0x1000, sp: 0x8000, fp: 0x8000, bytes: &circle };
        assert_eq!(without_tables().unwind(&top), [0x1000, 0x1100]);
    }

    proptest! {
        #[test]
        fn no_stack_makes_it_panic(
            ip in 0xf00u64..0x2100, sp: u64, fp: u64, near in any::<bool>(), bytes: Vec<u8>,
        ) {
            let fp = if near { sp.wrapping_add(fp % 64) } else { fp };
            without_tables().unwind(&Top { ip, sp, fp, bytes: &bytes });
        }
    }
}
