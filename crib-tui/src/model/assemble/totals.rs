//! The sums over each process's files out of the sweep's records.

use std::collections::HashMap;

use crib_common::record::TotalsRecord;

use crate::decode::{DecodeError, Record};
use crate::model::ProcessTotals;

/// Puts together the sums over each process's files, by tgid.
///
/// # Errors
/// The first record that could not be decoded.
pub fn totals<'a>(
    records: impl Iterator<Item = Result<Record<'a>, DecodeError>>,
) -> Result<HashMap<u32, ProcessTotals>, DecodeError> {
    let mut processes: HashMap<u32, ProcessTotals> = HashMap::new();
    let mut seen: HashMap<(u32, u64), u32> = HashMap::new();
    for record in records {
        let Record::Totals(record) = record? else { continue };
        // Threads that share a table are counted once; one table may come in several parts.
        let owner = *seen.entry((record.tgid, record.table)).or_insert(record.tid);
        if owner == record.tid {
            add(processes.entry(record.tgid).or_insert(EMPTY), &record);
        }
    }
    Ok(processes)
}

const EMPTY: ProcessTotals =
    ProcessTotals { fd_count: 0, sockets: Some(0), recv_payload: Some(0), send_payload: Some(0) };

fn add(totals: &mut ProcessTotals, record: &TotalsRecord) {
    let add = |sum: Option<u64>, value, unknown| {
        // A sum with an unknown part is unknown.
        sum.filter(|_| unknown == 0)?.checked_add(value)
    };
    totals.fd_count = totals.fd_count.saturating_add(record.files);
    totals.sockets = add(totals.sockets, record.sockets, 0);
    totals.recv_payload = add(totals.recv_payload, record.recv_payload, record.recv_unknown);
    totals.send_payload = add(totals.send_payload, record.send_payload, record.send_unknown);
}
