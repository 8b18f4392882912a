//! A run: its beginning and its end.

use crib_common::dump::{EndRecord, kind};
use crib_common::limits::RUN_FDS;
use crib_common::record::RecordHeader;

use super::file::crib_file_lost;
use super::{Go, send};
use crate::emit;
use crate::task_file::Table;

/// Sets up a run over the table of this thread, and the dump where it is its first.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_begin(tgid: u32, tid: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    let progress = &mut dump.progress;
    if progress.session != request.session {
        progress.session = request.session;
        progress.fd = request.first_fd;
        progress.file_open = 0;
        progress.files = 0;
        progress.runs = 0;
        progress.lost = 0;
    }
    progress.tgid = tgid;
    progress.tid = tid;
    progress.bytes_left = request.bytes;
    progress.packets_left = request.packets;
    progress.stop = 0;
    progress.runs += 1;
    progress.run_end = request.last_fd.min(progress.fd.saturating_add(RUN_FDS));
    0
}

/// Ends a run over this table, or notes that another one has to go on.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_end(table: u64) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let Some(request) = emit::dump_request() else { return 0 };
    if dump.progress.stop == 0 && Go::of(crib_file_lost()) == Go::Stop {
        return 0;
    }
    let end = dump.progress.run_end;
    if dump.progress.stop == 0
        && end < request.last_fd
        && Table::at(table).is_some_and(|table| end < table.capacity())
    {
        dump.progress.fd = end + 1;
        dump.progress.stop = 1;
    }
    if dump.progress.stop != 0 {
        return 0;
    }
    let header = RecordHeader::of::<EndRecord>(kind::END, 0);
    let progress = &dump.progress;
    let (files, runs, lost) = (progress.files, progress.runs, progress.lost);
    send(&EndRecord { header, files, runs, lost, reserved: 0 });
    0
}
