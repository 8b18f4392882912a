//! The calls that opened a process's files: each distinct stack is one opener.

use std::collections::HashMap;

use crib_common::trace::{IN_FRAME, Opened};

use crate::kernel::trace::{Tracer, now};
use crate::model::groups::OpenerId;
use crate::model::leaks::{Frame, Traced};
use crate::model::{File, ReadError};
use crate::procfs::{self, Mapping};
use crate::stacks::{ReturnAddress, Stacks, return_address};

/// Openers that are told apart at most.
const MAX_OPENERS: usize = 4096;
/// Stacks with their callers whose opener is remembered: the same stack may have several.
const MAX_KEYS: usize = 64 * 1024;

/// The openers of one process's files, traced as long as this lives.
pub struct Openers {
    pid: u32,
    tracer: Tracer,
    /// The addresses that an opener stands for.
    known: Vec<Vec<u64>>,
    /// The opener of a stack with its caller.
    index: HashMap<(i32, u64), Option<OpenerId>>,
    /// Where the code that makes system calls has its return address.
    places: HashMap<u64, Option<ReturnAddress>>,
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
            places: HashMap::new(),
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
        let key = (opened.stack, self.caller(opened));
        if let Some(&opener) = self.index.get(&key) {
            return opener;
        }
        let addresses = self.addresses(key);
        let opener = match self.known.iter().position(|known| *known == addresses) {
            Some(known) => Some(OpenerId(known as u32)),
            None if addresses.is_empty() || self.known.len() >= MAX_OPENERS => None,
            None => {
                self.known.push(addresses);
                Some(OpenerId(self.known.len() as u32 - 1))
            }
        };
        if self.index.len() < MAX_KEYS {
            self.index.insert(key, opener);
        }
        opener
    }

    /// Where the function returns to that made a system call; 0 where that is in its stack, or
    /// not known.
    fn caller(&mut self, opened: Opened) -> u64 {
        if opened.exact != 0 {
            return opened.caller;
        }
        let Some(&ip) = self.tracer.stack(opened.stack).first() else { return 0 };
        let place = match self.places.get(&ip) {
            Some(&place) => place,
            None => self.find_place(ip),
        };
        match place {
            Some(ReturnAddress::Above(0)) => opened.caller,
            // It was not looked for in the right place; that of the next opening will be.
            Some(ReturnAddress::Above(_) | ReturnAddress::InFrame) => 0,
            None if is_code(&self.maps, opened.caller) => opened.caller,
            None => 0,
        }
    }

    /// Finds out where the code at `ip` has its return address, and lets the tracing know.
    fn find_place(&mut self, ip: u64) -> Option<ReturnAddress> {
        let contains = |mapping: &&Mapping| mapping.contains(ip);
        if !self.maps.iter().any(|mapping| contains(&mapping)) {
            self.renew_maps();
        }
        let mapping = self.maps.iter().find(contains);
        let place = mapping.and_then(|mapping| return_address(self.pid, mapping, ip));
        match place {
            Some(ReturnAddress::Above(offset)) => self.tracer.set_caller(ip, offset),
            Some(ReturnAddress::InFrame) => self.tracer.set_caller(ip, IN_FRAME),
            None => {}
        }
        // There is no end to the code that a program may make.
        if self.places.len() < MAX_OPENERS {
            self.places.insert(ip, place);
        }
        place
    }

    /// The stack of each of these openers, innermost frame first.
    pub fn frames(
        &mut self,
        openers: impl IntoIterator<Item = OpenerId>,
    ) -> HashMap<OpenerId, Vec<Frame>> {
        self.renew_maps();
        let stacks = Stacks::new(self.pid, self.maps.clone());
        let known = |opener: OpenerId| self.known.get(opener.0 as usize);
        openers
            .into_iter()
            .filter_map(|opener| Some((opener, stacks.frames(known(opener)?))))
            .collect()
    }

    /// The addresses of a stack and the caller that is not in it, as far as they are code: the
    /// kernel follows frame pointers, and where a function uses that register for something else
    /// it goes astray.
    fn addresses(&mut self, (stack, caller): (i32, u64)) -> Vec<u64> {
        let mut addresses = self.tracer.stack(stack);
        if caller != 0 && addresses.get(1) != Some(&caller) && !addresses.is_empty() {
            addresses.insert(1, caller);
        }
        if addresses.iter().any(|&address| !is_code(&self.maps, address)) {
            // Something may have been loaded since.
            self.renew_maps();
        }
        if !self.maps.is_empty() {
            let code = addresses.iter().take_while(|&&address| is_code(&self.maps, address));
            let code = code.count().max(1);
            addresses.truncate(code);
        }
        addresses
    }

    /// Looks again what is mapped where; what was known stays where the process is gone.
    fn renew_maps(&mut self) {
        let maps = procfs::maps(self.pid);
        if !maps.is_empty() {
            self.maps = maps;
        }
    }

    /// How openings are seen, and how many were lost.
    pub fn traced(&self) -> Traced {
        let lost = self.tracer.lost();
        Traced { at: self.tracer.at(), lost: lost.stacks + lost.descriptors }
    }
}

fn is_code(maps: &[Mapping], address: u64) -> bool {
    maps.iter().any(|mapping| mapping.executable && mapping.contains(address))
}
