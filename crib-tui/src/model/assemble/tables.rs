//! Which thread's descriptor table a file is in.

use std::collections::HashMap;

use crib_common::record::FileRecord;

/// The descriptor tables of one process's threads, most of which share one.
///
/// The kernel leaves out threads that share their leader's table, but not those that share one
/// with another thread, nor those of a leader that has exited. Where it shows all processes, it
/// goes by thread ids: when these have started again from below, a leader comes after threads of
/// its own.
#[derive(Default)]
pub(super) struct Tables {
    owners: HashMap<u64, u32>,
    /// The table that was asked for last, with its owner: files come table by table.
    last: Option<(u64, u32)>,
    common: Option<u64>,
}

impl Tables {
    /// Those of a process of which all records are there.
    pub(super) fn among(mut records: impl Iterator<Item = FileRecord>) -> Self {
        let leader = records.find(is_leader);
        Self { common: leader.map(|record| record.table), ..Self::default() }
    }

    /// The thread through which a table was first seen.
    pub(super) fn first_owner(&mut self, table: u64, tid: u32) -> u32 {
        match self.last {
            Some((last, owner)) if last == table => owner,
            _ => {
                let owner = *self.owners.entry(table).or_insert(tid);
                self.last = Some((table, owner));
                owner
            }
        }
    }

    /// The thread whose own table a file is in; none for the process's common table, which is
    /// its leader's, or the first that is met where the leader has exited.
    pub(super) fn own_thread(&mut self, record: &FileRecord) -> Option<u32> {
        self.meet(record);
        self.thread_of(record.table, record.tid)
    }

    /// Takes note of a file's table.
    pub(super) fn meet(&mut self, record: &FileRecord) {
        if is_leader(record) {
            self.common = Some(record.table);
        }
        self.common.get_or_insert(record.table);
    }

    /// As [`Self::own_thread`], of a table and a thread that were met.
    pub(super) fn thread_of(&self, table: u64, tid: u32) -> Option<u32> {
        (self.common != Some(table)).then_some(tid)
    }
}

/// Whether a file is in the table of its process's leader.
fn is_leader(record: &FileRecord) -> bool {
    record.tid == record.tgid
}
