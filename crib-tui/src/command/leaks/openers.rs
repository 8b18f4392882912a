//! The calls that opened a process's files: each distinct stack is one opener.

use std::collections::HashMap;

use crib_common::trace::Opened;

use crate::kernel::trace::{Tracer, now};
use crate::model::groups::OpenerId;
use crate::model::leaks::{Frame, Traced};
use crate::model::{File, ReadError};
use crate::stacks::{Stacks, Top, Unwinder};

/// Openers that are told apart at most.
const MAX_OPENERS: usize = 4096;

/// The openers of one process's files, traced as long as this lives.
pub struct Openers {
    pid: u32,
    tracer: Tracer,
    unwinder: Unwinder,
    /// The addresses that an opener stands for.
    known: Vec<Vec<u64>>,
    index: HashMap<Vec<u64>, OpenerId>,
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
        Ok(Self {
            pid,
            tracer,
            unwinder: Unwinder::new(pid),
            known: Vec::new(),
            index: HashMap::new(),
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
        let addresses = self.addresses(fd, &opened);
        if let Some(&opener) = self.index.get(&addresses) {
            return Some(opener);
        }
        if addresses.is_empty() || self.known.len() >= MAX_OPENERS {
            return None;
        }
        let opener = OpenerId(self.known.len() as u32);
        self.known.push(addresses.clone());
        self.index.insert(addresses, opener);
        Some(opener)
    }

    /// The addresses of the stack that opened a descriptor, innermost first.
    fn addresses(&mut self, fd: u32, opened: &Opened) -> Vec<u64> {
        let mut by_frame_pointers = self.tracer.stack(opened.stack);
        let snapshot = self.tracer.snapshot(fd, opened);
        let ip = by_frame_pointers.first().copied();
        let ip = ip.or_else(|| snapshot.as_ref().map(|snapshot| snapshot.ip));
        if ip.is_some_and(|ip| !self.unwinder.is_code(ip)) {
            // Something was loaded since.
            self.unwinder.renew_maps();
        }
        // Where a function uses the frame pointer for something else, the kernel goes astray.
        let is_code = |&&address: &&u64| self.unwinder.is_code(address);
        let code = by_frame_pointers.iter().take_while(is_code).count();
        by_frame_pointers.truncate(code.max(1));
        let Some(snapshot) = snapshot else { return by_frame_pointers };
        let bytes = snapshot.bytes.get(..snapshot.len as usize).unwrap_or_default();
        let top = Top { ip: snapshot.ip, sp: snapshot.sp, fp: snapshot.fp, bytes };
        let mut unwound = self.unwinder.unwind(&top);
        // The copy of the stack has an end, beyond which the kernel may have come.
        let last = unwound.last().copied();
        match by_frame_pointers.iter().rposition(|&address| Some(address) == last) {
            Some(same) => unwound.extend(&by_frame_pointers[same + 1..]),
            None if unwound.len() < 2 => return by_frame_pointers,
            None => {}
        }
        unwound
    }

    /// The stack of each of these openers, innermost frame first.
    pub fn frames(
        &mut self,
        openers: impl IntoIterator<Item = OpenerId>,
    ) -> HashMap<OpenerId, Vec<Frame>> {
        self.unwinder.renew_maps();
        let stacks = Stacks::new(self.pid, self.unwinder.maps().to_vec());
        let known = |opener: OpenerId| self.known.get(opener.0 as usize);
        openers
            .into_iter()
            .filter_map(|opener| Some((opener, stacks.frames(known(opener)?))))
            .collect()
    }

    /// How openings are seen, and how many were lost.
    pub fn traced(&self) -> Traced {
        let lost = self.tracer.lost();
        Traced { at: self.tracer.at(), lost: lost.stacks + lost.descriptors }
    }
}
