//! The files of all processes that some files have at their other ends or share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::AsFd;
use std::time::SystemTime;

use crib_common::record::Request;

use super::errors::{failed, missing};
use super::link::{IterLink, Scope};
use super::programs::Filter;
use super::{Reader, snapshot};
use crate::decode;
use crate::model::assemble::SweepFiles;
use crate::model::{Held, ProcessState, ReadError, Search, Source, Sweep, Text};
use crate::procfs;

/// Goes through every open file of every process, or of `only` these, and keeps what is searched
/// for.
pub(super) fn sweep(
    reader: &mut Reader,
    search: &Search,
    only: Option<&[u32]>,
) -> Result<Sweep, ReadError> {
    let time = SystemTime::now();
    // Where links don't filter, or filter wrongly, one run shows everything at once.
    let only = only.filter(|pids| pids.iter().all(|&pid| reader.filter_for(pid) == Filter::Link));
    let scopes: Vec<Scope> = match only {
        Some(pids) => pids.iter().map(|&pid| Scope::Process(pid)).collect(),
        None => vec![Scope::All],
    };
    let files = reader.files_program()?.program;
    reader.object.request(Request::default()).map_err(missing)?;
    let mut found = SweepFiles::new(search, &reader.key);
    let mut records = std::mem::take(&mut reader.records);
    for scope in scopes {
        let link = match IterLink::create(files.as_fd(), scope) {
            Ok(link) => link,
            // It has ended, and holds nothing any more.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => {
                continue;
            }
            Err(error) => return Err(failed("cannot attach the BPF iterator", error)),
        };
        let symbols = &mut reader.symbols;
        let run = snapshot::each(&link, &mut records, |records| {
            let mut met = decode::met_ops(records).peekable();
            if met.peek().is_some() {
                met.for_each(|record| symbols.learn(&record));
                // Without names files are found all the same.
                let _ = symbols.resolve();
            }
            found.take(records, |ops| symbols.name(ops)).map_err(io::Error::other)
        });
        run.map_err(|error| failed("cannot read the processes' files", error))?;
    }
    let found = found.found();
    reader.records = records;
    let mut names: HashMap<u32, Option<Text>> = HashMap::new();
    let mut complete = true;
    let mut held = Vec::with_capacity(found.len());
    for (pid, file) in found {
        let name = match names.entry(pid) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(match procfs::command(pid) {
                // What the kernel's own threads hold is nobody's.
                Ok((_, ProcessState::KernelThread)) => None,
                Ok((comm, _)) => Some(comm),
                // It has ended meanwhile.
                Err(ReadError::NoProcess(_) | ReadError::Ended { .. }) => None,
                Err(_) => {
                    complete = false;
                    Some(Text::from("?"))
                }
            }),
        };
        held.extend(name.clone().map(|comm| Held { pid, comm, file }));
    }
    Ok(Sweep::new(Source::Bpf, time, complete, held))
}
