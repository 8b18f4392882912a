//! The sums over the files of every task: what the list of processes shows, in one sweep.
//!
//! The iterator shows a table's files one after the other. The sums are kept until it comes to
//! another table, written then, and once more at the end.

use crib_common::record::{RecordHeader, SocketRecord, TotalsRecord, kind, socket_known};

use crate::context::{Item, TaskFile, TaskFileContext};
use crate::emit::{self, Frame};
use crate::file::{self, Part};
use crate::read::{Access, Kptr, offset};
use crate::task::Ids;
use crate::{socket, transport};

/// Adds one file; writes the sums of the table before when a new one begins.
///
/// # Safety
/// The context must be what the kernel hands to an `iter/task_file` program.
#[inline(always)]
pub unsafe fn step<const LOOPS: bool>(context: *const TaskFileContext) -> i32 {
    // SAFETY: the caller's.
    let step = unsafe { TaskFile::of(context) };
    let Some(frame) = emit::frame() else { return 0 };
    let Some(state) = step.state() else { return 0 };
    let (table, ids) = match step.item {
        Some(item) => match item.wanted(state) {
            Some(ids) => (item.task.get::<u64>(offset!(task_files)).or_zero(), ids),
            None => return 0,
        },
        None => (0, Ids { tgid: 0, tid: 0 }),
    };
    let totals = &mut state.totals;
    if totals.files != 0 && (totals.table != table || totals.tid != ids.tid) {
        if !step.seq.write_record(totals) {
            // No room: nothing was added yet, and the kernel shows this file again.
            return 0;
        }
        totals.files = 0;
    }
    if let Some(item) = step.item {
        if totals.files == 0 {
            begin(totals, table, ids);
        }
        add::<LOOPS>(totals, item, frame);
    }
    0
}

#[inline(always)]
fn begin(totals: &mut TotalsRecord, table: u64, ids: Ids) {
    totals.header = RecordHeader::of::<TotalsRecord>(kind::TOTALS, 0);
    totals.table = table;
    totals.tid = ids.tid;
    totals.tgid = ids.tgid;
    totals.sockets = 0;
    totals.recv_payload = 0;
    totals.send_payload = 0;
    totals.recv_unknown = 0;
    totals.send_unknown = 0;
}

#[inline(always)]
fn add<const LOOPS: bool>(totals: &mut TotalsRecord, item: Item, frame: &mut Frame) {
    totals.files += 1;
    if LOOPS {
        if let Some(sk) = socket::of_file(item.file) {
            add_socket::<_, true>(totals, sk, frame);
        }
    } else if file::queue_part(item.file) == Part::Socket
        && let Some(sk) = socket::of_socket_file(item.file)
    {
        add_socket::<_, false>(totals, sk, frame);
    }
}

#[inline(always)]
fn add_socket<A: Access, const LOOPS: bool>(
    totals: &mut TotalsRecord,
    sk: Kptr<A>,
    frame: &mut Frame,
) {
    totals.sockets += 1;
    let record: &mut SocketRecord = &mut frame.socket;
    record.known = 0;
    record.family = sk.get(offset!(sock_family)).or_zero();
    record.sock_type = sk.get(offset!(sock_type)).or_zero();
    record.protocol = sk.get(offset!(sock_protocol)).or_zero();
    record.state = sk.get(offset!(sock_state)).or_zero();
    transport::fill::<A, LOOPS>(record, sk);
    if record.known & socket_known::RECV_PAYLOAD != 0 {
        totals.recv_payload += record.recv_payload;
    } else {
        totals.recv_unknown += 1;
    }
    if record.known & socket_known::SEND_PAYLOAD != 0 {
        totals.send_payload += record.send_payload;
    } else {
        totals.send_unknown += 1;
    }
}
