//! The calls that opened a process's files: each distinct stack is one opener.

use std::collections::HashMap;

use crate::kernel::trace::{Tracer, now};
use crate::model::groups::OpenerId;
use crate::model::leaks::{Frame, Traced};
use crate::model::{File, ReadError};
use crate::procfs::{self, Mapping};
use crate::stacks::Stacks;

/// Openers that are told apart at most: more than there are stacks, since the same stack may have
/// several callers.
const MAX_OPENERS: usize = 16 * 1024;

/// The openers of one process's files, traced as long as this lives.
pub struct Openers {
    pid: u32,
    tracer: Tracer,
    /// The stack and the caller that an opener stands for.
    known: Vec<(i32, u64)>,
    index: HashMap<(i32, u64), OpenerId>,
    maps: Vec<Mapping>,
    /// When the reading before the present one was begun (see [`now`]): what is new in this one
    /// was opened later.
    since: u64,
    next_since: u64,
}

impl Openers {
    /// Begins to trace a process.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn trace(pid: u32, fd_limit: Option<u64>) -> Result<Self, ReadError> {
        let tracer = Tracer::start(pid, fd_limit)?;
        let maps = procfs::maps(pid);
        Ok(Self {
            pid,
            tracer,
            known: Vec::new(),
            index: HashMap::new(),
            maps,
            since: now(),
            next_since: now(),
        })
    }

    /// To be called before each reading.
    pub fn begin_reading(&mut self) {
        self.since = self.next_since;
        self.next_since = now();
    }

    /// The opener of a file that is new in this reading; none where it was not seen, or has lost
    /// its stack.
    pub fn opener(&mut self, file: &File) -> Option<OpenerId> {
        // The tables of threads of their own have the same numbers for other files.
        let fd = file.fd.filter(|_| file.tid.is_none())?;
        let opened = self.tracer.opened(fd)?;
        // What was noted before is of another file that had the number: this one came in a way
        // that is not seen.
        if opened.time < self.since || opened.stack < 0 {
            return None;
        }
        let certain = opened.exact != 0 || self.is_code(opened.caller);
        let key = (opened.stack, if certain { opened.caller } else { 0 });
        if let Some(&opener) = self.index.get(&key) {
            return Some(opener);
        }
        if self.known.len() >= MAX_OPENERS {
            return None;
        }
        let opener = OpenerId(self.known.len() as u32);
        self.known.push(key);
        self.index.insert(key, opener);
        Some(opener)
    }

    /// Whether an address is in code, by the mappings that were there when last looked.
    fn is_code(&mut self, address: u64) -> bool {
        let is_code = |maps: &[Mapping]| {
            maps.iter().any(|mapping| mapping.executable && mapping.contains(address))
        };
        address != 0 && is_code(&self.maps)
    }

    /// The stack of each of these openers, innermost frame first.
    pub fn frames(
        &mut self,
        openers: impl IntoIterator<Item = OpenerId>,
    ) -> HashMap<OpenerId, Vec<Frame>> {
        // What was loaded since; nothing where the process is gone.
        let maps = procfs::maps(self.pid);
        if !maps.is_empty() {
            self.maps = maps;
        }
        let stacks = Stacks::new(self.pid, self.maps.clone());
        openers.into_iter().map(|opener| (opener, stacks.frames(&self.addresses(opener)))).collect()
    }

    /// The addresses of an opener's stack. The kernel follows frame pointers, and the function
    /// that makes a system call has no frame: its caller stands on top of the stack.
    fn addresses(&self, opener: OpenerId) -> Vec<u64> {
        let Some(&(stack, caller)) = self.known.get(opener.0 as usize) else { return Vec::new() };
        let mut addresses = self.tracer.stack(stack);
        if caller != 0 && addresses.get(1) != Some(&caller) && !addresses.is_empty() {
            addresses.insert(1, caller);
        }
        addresses
    }

    /// How openings are seen, and how many were lost.
    pub fn traced(&self) -> Traced {
        let lost = self.tracer.lost();
        Traced { at: self.tracer.at(), lost: lost.stacks + lost.descriptors }
    }
}
