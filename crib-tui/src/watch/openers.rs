//! The calls that opened a process's files: each distinct stack is one opener.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crib_common::trace::Opened;

use crate::kernel::trace::{Tracer, now};
use crate::model::groups::{OpenerId, Opening};
use crate::model::leaks::{Frame, Traced};
use crate::model::{File, ReadError};
use crate::procfs::{self, Image};
use crate::stacks::{Stacks, Top, Unwinder};

/// The stacks of openers, innermost frame first.
pub type Frames = HashMap<OpenerId, Arc<[Frame]>>;

/// Openers that are told apart at most.
const MAX_OPENERS: usize = 4096;

/// Stacks whose functions are looked up in one reading at most, unless they are asked for: each
/// may take milliseconds.
const LOOKED_UP: usize = 16;

/// The openers of one process's files, traced while [`Openers::is_tracing`]. What was learned
/// stays after that.
pub struct Openers {
    pid: u32,
    /// The program whose functions are in the stacks; none where that is not known, and no names
    /// are either.
    image: Option<Image>,
    tracer: Option<Tracer>,
    unwinder: Unwinder,
    /// The addresses that an opener stands for.
    known: Vec<Vec<u64>>,
    index: HashMap<Vec<u64>, OpenerId>,
    /// The frames of those openers whose functions were looked up while the program ran.
    frames: Arc<Frames>,
    /// Openings that were seen, but not by which stack, or there was no room for that.
    untold: u64,
    /// When the first reading was begun (see [`now`]).
    origin: u64,
    /// When the reading before the present one was begun (see [`now`]): what is new in this one
    /// was opened later.
    since: u64,
    next_since: u64,
}

impl Openers {
    /// Of a process of which nothing was traced yet.
    pub fn new(pid: u32, image: Option<Image>) -> Self {
        Self {
            pid,
            image,
            tracer: None,
            unwinder: Unwinder::new(pid),
            known: Vec::new(),
            index: HashMap::new(),
            frames: Arc::default(),
            untold: 0,
            origin: 0,
            since: 0,
            next_since: 0,
        }
    }

    /// Begins to trace; the first reading was begun so long ago.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn trace(&mut self, fd_limit: Option<u64>, elapsed: Duration) -> Result<(), ReadError> {
        self.tracer = Some(Tracer::start(self.pid, fd_limit)?);
        let now = now();
        self.origin = now.saturating_sub(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        (self.since, self.next_since) = (now, now);
        Ok(())
    }

    /// Ends the tracing.
    pub fn end(&mut self) {
        self.tracer = None;
    }

    /// Whether openings are traced.
    pub fn is_tracing(&self) -> bool {
        self.tracer.is_some()
    }

    /// To be called before each reading.
    pub fn begin_reading(&mut self) {
        self.since = self.next_since;
        self.next_since = now();
    }

    /// How a file that is new in this reading was opened, as far as that was seen.
    pub fn opening(&mut self, file: &File) -> Opening {
        // The tables of threads of their own have the same numbers for other files.
        let fd = file.fd.filter(|_| file.tid.is_none());
        let tracer = self.tracer.as_ref();
        let opened = fd.zip(tracer).and_then(|(fd, tracer)| Some((fd, tracer.opened(fd)?)));
        // What was noted before is of another file that had the number: this one came in a way
        // that is not seen.
        match opened.filter(|(_, opened)| opened.time >= self.since) {
            None => Opening::default(),
            Some((fd, opened)) => Opening {
                opener: self.opener(fd, &opened),
                at: Some(Duration::from_nanos(opened.time.saturating_sub(self.origin))),
            },
        }
    }

    /// The opener of a descriptor; none where its stack was lost, which is counted.
    fn opener(&mut self, fd: u32, opened: &Opened) -> Option<OpenerId> {
        let addresses = self.addresses(fd, opened);
        if let Some(&opener) = self.index.get(&addresses) {
            return Some(opener);
        }
        if addresses.is_empty() || self.known.len() >= MAX_OPENERS {
            self.untold += 1;
            return None;
        }
        let opener = OpenerId(self.known.len() as u32);
        self.known.push(addresses.clone());
        self.index.insert(addresses, opener);
        Some(opener)
    }

    /// The addresses of the stack that opened a descriptor, innermost first. Two records of it are
    /// put together, of which one may be missing: what the kernel followed by frame pointers, where
    /// stacks whose hashes fall together have one place; and the copy of the stack's top.
    fn addresses(&mut self, fd: u32, opened: &Opened) -> Vec<u64> {
        let Some(tracer) = &self.tracer else { return Vec::new() };
        let mut by_frame_pointers = tracer.stack(opened.stack);
        let snapshot = tracer.snapshot(fd, opened);
        let ip = by_frame_pointers.first().copied();
        let ip = ip.or_else(|| snapshot.as_ref().map(|snapshot| snapshot.ip));
        if ip.is_some_and(|ip| !self.unwinder.is_code(ip)) {
            // Something was loaded since.
            self.unwinder.renew_maps(|| is_running(self.pid, self.image.as_ref()));
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

    /// Those of these openers, and some others, whose functions were not looked up yet.
    pub fn unknown(&self, openers: impl IntoIterator<Item = OpenerId>) -> Vec<OpenerId> {
        let is_unknown = |opener: &OpenerId| {
            self.known.get(opener.0 as usize).is_some() && !self.frames.contains_key(opener)
        };
        let others = (0..self.known.len() as u32).map(OpenerId).filter(is_unknown).take(LOOKED_UP);
        let mut unknown: Vec<_> = openers.into_iter().filter(is_unknown).chain(others).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Looks up the functions in the stacks of openers, unless the process has ended or runs
    /// another program, of which the addresses are not.
    pub fn look_up(&mut self, openers: &[OpenerId]) {
        let is_running = || is_running(self.pid, self.image.as_ref());
        if !is_running() {
            return;
        }
        self.unwinder.renew_maps(is_running);
        let thread = procfs::living_thread(self.pid);
        let mut stacks = Stacks::new(thread, self.unwinder.maps().to_vec());
        let look_up = |&opener: &OpenerId| {
            let addresses = self.known.get(opener.0 as usize)?;
            Some((opener, stacks.frames(addresses).into()))
        };
        let found: Vec<(OpenerId, Arc<[Frame]>)> = openers.iter().filter_map(look_up).collect();
        // It may have become another in the midst of that, or the thread's id somebody else's.
        if is_running() && procfs::living_thread(self.pid) == thread {
            Arc::make_mut(&mut self.frames).extend(found);
        }
    }

    /// The stack of an opener, without names where they were not looked up.
    pub fn stack(&self, opener: OpenerId) -> Option<Arc<[Frame]>> {
        if let Some(frames) = self.frames.get(&opener) {
            return Some(Arc::clone(frames));
        }
        let addresses = self.known.get(opener.0 as usize)?;
        let stacks = Stacks::new(self.pid, self.unwinder.maps().to_vec());
        Some(stacks.bare_frames(addresses).into())
    }

    /// The stacks whose functions were looked up.
    pub fn frames(&self) -> Arc<Frames> {
        Arc::clone(&self.frames)
    }

    /// How openings are seen, and how many were lost; none while nothing is traced.
    pub fn traced(&self) -> Option<Traced> {
        let tracer = self.tracer.as_ref()?;
        Some(Traced { at: tracer.at(), lost: tracer.lost() + self.untold })
    }
}

/// Whether a process still runs the program that it ran; not where that is not known.
fn is_running(pid: u32, image: Option<&Image>) -> bool {
    image.is_some() && procfs::image(pid).as_ref() == image
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::kernel::left_out;

    /// Openers in this very process, of which one was seen.
    fn with_one(image: Option<Image>) -> (Openers, OpenerId) {
        let mut openers = Openers::new(std::process::id(), image);
        openers.known.push(vec![with_one as *const () as u64 + 2]);
        (openers, OpenerId(0))
    }

    fn is_named(openers: &Openers, opener: OpenerId) -> bool {
        openers.stack(opener).unwrap().iter().any(|frame| frame.symbol.is_some())
    }

    #[test]
    fn a_stack_is_named_while_its_program_runs_and_only_then() {
        let (mut openers, opener) = with_one(procfs::image(std::process::id()));
        assert_eq!(openers.unknown([opener]), [opener]);
        openers.look_up(&[opener]);
        assert!(is_named(&openers, opener) && openers.unknown([]).is_empty());
        // As after exec, and where it can't be known.
        let another = procfs::image(rustix::process::getppid().unwrap().as_raw_pid() as u32);
        assert!(another.is_some() && another != procfs::image(std::process::id()));
        for image in [another, None] {
            let (mut openers, opener) = with_one(image);
            openers.look_up(&[opener]);
            assert!(!is_named(&openers, opener) && openers.frames().is_empty());
            assert!(openers.stack(opener).unwrap()[0].module.is_some());
        }
        assert!(openers.stack(OpenerId(1)).is_none());
    }

    /// bpf_get_stackid() has one place for all stacks with the same hash, and only the first gets it.
    #[test]
    fn a_stack_whose_place_was_taken_is_read_from_its_copy() {
        const TEST: &str = "a_stack_whose_place_was_taken_is_read_from_its_copy";
        if left_out(TEST) {
            return;
        }
        let pid = std::process::id();
        let mut openers = Openers::new(pid, procfs::image(pid));
        openers.trace(Some(1024), Duration::ZERO).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let fd = file.as_raw_fd() as u32;
        let opened = openers.tracer.as_ref().unwrap().opened(fd).expect("it was seen");
        let taken = Opened { stack: -libc::EEXIST, ..opened };
        let opener = openers.opener(fd, &taken).expect("the copy of the stack is there");
        openers.look_up(&[opener]);
        let stack = openers.stack(opener).unwrap();
        let is_here =
            |frame: &Frame| frame.symbol.as_ref().is_some_and(|name| name.escaped().contains(TEST));
        assert!(stack.iter().any(is_here), "{stack:?}");
        assert_eq!(openers.traced().unwrap().lost, 0);
        // Where neither is there, the opening is lost, and counted.
        let gone = Opened { time: taken.time + 1, ..taken };
        assert_eq!(openers.opener(fd, &gone), None);
        assert_eq!(openers.traced().unwrap().lost, 1);
    }
}
